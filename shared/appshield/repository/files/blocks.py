"""Block devices in and out of a repository: fixed, aligned chunks; zeros are neither kept nor read.

A device is stored as one file of the format, so that any client reads it as an image of the disk.
Chunks have one size and begin at multiples of it, since whoever writes to a device writes in place:
one changed block changes one chunk. The size comes from that of the device, so that the list of
chunks stays short. All chunks of zeros are one blob. Holes are not read where the kernel tells of
them, which it does of files and not of most devices.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec

from appshield.errors import DamagedError, RunFailedError
from appshield.repository.files.sparse import is_hole, is_zero, make_hole
from appshield.repository.nodes import BlobSink, BlobSource, Node

SMALLEST_CHUNK_BYTES: Final = 256 << 10
"""Small, as databases write a few kilobytes here and there."""

LARGEST_CHUNK_BYTES: Final = 8 << 20
MOST_CHUNKS: Final = 1 << 18
"""Up to 2 TiB a device has no more chunks than that: 20 MiB in memory, and as much in its tree."""

_AT_ONCE: Final = 64
_MODE: Final = 0o600


class StoredBlocks(msgspec.Struct, frozen=True):
    """What was stored of a device; `bytes_read` leaves holes out."""

    content: tuple[bytes, ...]
    size_bytes: int
    bytes_read: int


class RestoredBlocks(msgspec.Struct, frozen=True):
    """What was written to a device, and what was there already and right.

    `lost` are chunks that do not verify, by where they are; what was there is left.
    """

    bytes_written: int
    bytes_unchanged: int
    lost: tuple[str, ...] = ()


def size_of_device(descriptor: int) -> int:
    """Return how many bytes an open device, or a file that stands for one, holds."""
    return os.lseek(descriptor, 0, os.SEEK_END)


def chunk_bytes(size_bytes: int) -> int:
    """Return in what pieces a device of this size is cut: 256 KiB up to 64 GiB, then larger."""
    wanted = SMALLEST_CHUNK_BYTES
    while wanted < LARGEST_CHUNK_BYTES and wanted * MOST_CHUNKS < size_bytes:
        wanted *= 2
    return wanted


def store_blocks(
    descriptor: int, sink: BlobSink, *, advance: Callable[[int], None]
) -> StoredBlocks:
    """Store an open device whole; `advance` is told the bytes that are done, and may raise.

    Raises:
        RunFailedError: it cannot be read, or ends before its size.
    """
    size = size_of_device(descriptor)
    chunk = chunk_bytes(size)
    zeros: dict[int, bytes] = {}  # the blob of so many zeros
    content: list[bytes] = []
    bytes_read = 0
    for start in range(0, size, chunk):
        length = min(chunk, size - start)
        data = b""
        if not is_hole(descriptor, start, start + length):
            data = _read_whole(descriptor, start, length)
            bytes_read += length
        if is_zero(data):
            if length not in zeros:
                zeros[length] = sink.add_data(bytes(length))
            content.append(zeros[length])
        else:
            content.append(sink.add_data(data))
        advance(length)
    return StoredBlocks(tuple(content), size, bytes_read)


def block_node(name: bytes, stored: StoredBlocks, *, mtime_ns: int) -> Node:
    """Describe a stored device as the file that it is in the repository."""
    return Node(
        name=name,
        kind="file",
        mode=_MODE,
        mtime_ns=mtime_ns,
        atime_ns=mtime_ns,
        ctime_ns=mtime_ns,
        uid=0,
        gid=0,
        size_bytes=stored.size_bytes,
        content=stored.content,
    )


def restore_blocks(
    descriptor: int,
    node: Node,
    source: BlobSource,
    *,
    advance: Callable[[int], None],
    keep_going: bool = False,
) -> RestoredBlocks:
    """Make an open device hold what was stored; only what differs is written, each chunk verified.

    What was zeros is given back to the device where it holds anything else. Called again after a
    kill it writes what is still missing. With `keep_going` damaged chunks are left out and told.

    Raises:
        RunFailedError: the device is smaller than what was stored, or does not take it.
        DamagedError: a stored chunk does not verify; the chunks before it are in place.
    """
    _ensure_large_enough(descriptor, node)
    written = unchanged = 0
    lost: list[str] = []
    chunks = _chunks(node, source)
    try:
        while some := list(islice(chunks, _AT_ONCE)):
            differing = [one for one in some if not _is_there(descriptor, one)]
            damaged = _write(descriptor, differing, source)
            if damaged and not keep_going:
                raise damaged[0][1]
            lost += (f"bytes {one.start} to {one.start + one.length}" for one, _ in damaged)
            changed = sum(one.length for one in differing) - sum(one.length for one, _ in damaged)
            whole = sum(one.length for one in some)
            written, unchanged = written + changed, unchanged + whole - changed
            advance(whole)
        os.fsync(descriptor)
    except OSError as error:
        raise RunFailedError(
            "the device does not take what is written to it", why=error.strerror or str(error)
        ) from error
    return RestoredBlocks(written, unchanged, tuple(lost))


def differ_blocks(
    descriptor: int, node: Node, source: BlobSource, *, advance: Callable[[int], None]
) -> bool:
    """Tell whether `restore_blocks` would write anything; raises as that, and writes nothing."""
    _ensure_large_enough(descriptor, node)
    for chunk in _chunks(node, source):
        if not _is_there(descriptor, chunk):
            return True
        advance(chunk.length)
    return False


def _ensure_large_enough(descriptor: int, node: Node) -> None:
    size = size_of_device(descriptor)
    if size < node.size_bytes:
        raise RunFailedError(
            "the device is too small for what the version holds",
            why=f"it has {size} bytes, the version {node.size_bytes}",
            next_step="Make a claim that is at least as large.",
        )


class _Chunk(msgspec.Struct, frozen=True, gc=False):
    start: int
    length: int
    blob_id: bytes

    @property
    def is_zeros(self) -> bool:
        """Whether it is nothing but zeros, by its id alone."""
        return self.blob_id == _zeros_id(self.length)


def _chunks(node: Node, source: BlobSource) -> Iterator[_Chunk]:
    start = usual = 0
    for blob_id in node.content or ():
        length = _length(source, blob_id, min(usual, node.size_bytes - start))
        usual = usual or length
        yield _Chunk(start, length, blob_id)
        start += length
    if start != node.size_bytes:
        raise DamagedError(
            "the size of the device does not agree with its chunks",
            why=f"the tree says {node.size_bytes} bytes, the chunks have {start}",
        )


def _length(source: BlobSource, blob_id: bytes, usual: int) -> int:
    """Return the size of a chunk; of one that no index names any more the usual one."""
    try:
        return source.blob_size(blob_id)
    except DamagedError:
        if not usual:
            raise
        return usual


def _is_there(descriptor: int, chunk: _Chunk) -> bool:
    if is_hole(descriptor, chunk.start, chunk.start + chunk.length):
        return chunk.is_zeros
    data = _read_whole(descriptor, chunk.start, chunk.length)
    if chunk.is_zeros:
        return is_zero(data)
    return hashlib.sha256(data).digest() == chunk.blob_id


def _write(
    descriptor: int, chunks: list[_Chunk], source: BlobSource
) -> list[tuple[_Chunk, DamagedError]]:
    """Write chunks; return those that do not verify."""
    damaged: list[tuple[_Chunk, DamagedError]] = []
    wanted: dict[bytes, list[_Chunk]] = {}
    for chunk in chunks:
        if chunk.is_zeros:
            make_hole(descriptor, chunk.start, chunk.start + chunk.length)
        else:
            wanted.setdefault(chunk.blob_id, []).append(chunk)
    for buffer, blobs, wrong in source.read_blobs(wanted):
        for blob_id, start, end in blobs:
            for chunk in wanted[blob_id]:
                _write_whole(descriptor, chunk.start, buffer[start:end])
        for blob_id, error in wrong:
            damaged += ((chunk, error) for chunk in wanted[blob_id])
    return damaged


def _read_whole(descriptor: int, start: int, length: int) -> bytes:
    pieces: list[bytes] = []
    done = 0
    try:
        while done < length:
            piece = os.pread(descriptor, length - done, start + done)
            if not piece:
                raise RunFailedError(f"the device ends at byte {start + done}, before its size")
            pieces.append(piece)
            done += len(piece)
    except OSError as error:
        raise RunFailedError(
            f"the device cannot be read at byte {start + done}", why=error.strerror or str(error)
        ) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _write_whole(descriptor: int, start: int, view: memoryview) -> None:
    while view:
        done = os.pwrite(descriptor, view, start)
        view, start = view[done:], start + done


@lru_cache(maxsize=64)
def _zeros_id(length: int) -> bytes:
    return hashlib.sha256(bytes(length)).digest()
