"""Holes of sparse files: found when reading, made when writing.

A hole is a run of zeros that the file system does not store. restic knows no holes: they are zeros
in chunks like any other, so that every reader sees the right content. We do not read them, and
make them again wherever whole blocks are zero.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from typing import NamedTuple

HOLE_FLOOR_BYTES = 1 << 20
"""Shorter holes are read as zeros with the data around them, rather than cut a file to crumbs."""

BLOCK_BYTES = 4096
_ZERO_BLOCK = bytes(BLOCK_BYTES)

_ZEROS_AT_ONCE = 1 << 20
_KEEP_SIZE = 1
_PUNCH_HOLE = 2


class Segment(NamedTuple):
    """A part of a file, [start, end) in bytes."""

    start: int
    end: int
    hole: bool


def is_sparse(status: os.stat_result) -> bool:
    """Whether a file may have holes."""
    return status.st_blocks * 512 < status.st_size


def segments(descriptor: int, start: int, end: int, *, sparse: bool) -> Iterator[Segment]:
    """Yield the segments of a part of a file, in order and without gaps."""
    if not sparse:
        if start < end:
            yield Segment(start, end, hole=False)
        return
    unsent = position = start
    while position < end:
        data = _seek(descriptor, position, os.SEEK_DATA, end)
        if data - position >= HOLE_FLOOR_BYTES:
            if unsent < position:
                yield Segment(unsent, position, hole=False)
            yield Segment(position, data, hole=True)
            unsent = data
        position = max(_seek(descriptor, data, os.SEEK_HOLE, end), position + 1)
    if unsent < end:
        yield Segment(unsent, end, hole=False)


def is_hole(descriptor: int, start: int, end: int) -> bool:
    """Whether nothing is stored between two offsets."""
    return start < end <= _seek(descriptor, start, os.SEEK_DATA, end)


def is_zero(data: bytes | memoryview) -> bool:
    """Whether there is nothing but zeros."""
    return not (data[0] or data[-1] or bytes(data).strip(b"\0")) if data else True


def make_hole(descriptor: int, start: int, end: int) -> None:
    """Make a part of a file zeros that are not stored, or stored where that is not possible."""
    if is_hole(descriptor, start, end):
        return
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    offset, length = ctypes.c_int64(start), ctypes.c_int64(end - start)
    if not fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length):
        return
    number = ctypes.get_errno()
    if number not in {errno.EOPNOTSUPP, errno.ENOSYS}:
        raise OSError(number, os.strerror(number))
    for position in range(start, end, _ZEROS_AT_ONCE):
        _write(descriptor, memoryview(bytes(min(_ZEROS_AT_ONCE, end - position))), position)


def write_sparsely(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write, but leave out whole blocks of zeros; the file must have nothing at that place yet."""
    view = memoryview(data)
    unwritten = 0
    for block in zero_blocks(data, offset):
        _write(descriptor, view[unwritten:block], offset + unwritten)
        unwritten = block + BLOCK_BYTES
    _write(descriptor, view[unwritten:], offset + unwritten)


def zero_blocks(data: bytes | memoryview, offset: int) -> Iterator[int]:
    """Yield where in `data` whole blocks of a file are zeros; `data` is at `offset` of the file."""
    first = -offset % BLOCK_BYTES
    heads = bytes(
        data[first::BLOCK_BYTES]
    )  # a block of zeros begins with one: few bytes are looked at
    head = heads.find(0)
    while head >= 0:
        block = first + head * BLOCK_BYTES
        if bytes(data[block : block + BLOCK_BYTES]) == _ZERO_BLOCK:
            yield block
        head = heads.find(0, head + 1)


def _write(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _seek(descriptor: int, position: int, whence: int, size: int) -> int:
    """Find the next data or hole, at most `size`; without support all of it counts as data."""
    if position >= size:
        return size
    try:
        return min(os.lseek(descriptor, position, whence), size)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data up to the end
            return size
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise
        return position if whence == os.SEEK_DATA else size
