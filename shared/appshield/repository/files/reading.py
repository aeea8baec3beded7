"""Reading regular files into chunks, while their owner may write to them.

A file is read up to the size that it had when it was opened: one that grows has no end otherwise.
What is stored is always what was read, with its true size, and what happened is always said.
A large file is read in parts of `PART_BYTES`, by whoever has time: chunks never cross the border
of a part, so that its chunks are the same whoever reads it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from appshield.errors import UnavailableError
from appshield.repository.files.problems import ProblemKind
from appshield.repository.files.sparse import Segment, is_sparse, segments
from appshield.repository.nodes import BlobSink

CHUNK_BYTES = 8 << 20
"""The largest chunk of the format."""

PART_BYTES = 64 << 20


class ReadFile(NamedTuple):
    """What was stored of a file: its chunks, its size and what happened meanwhile, if anything."""

    content: list[bytes]
    size_bytes: int
    problem: tuple[ProblemKind, str] | None


class FileReader:
    """Reads regular files into a sink and counts what it reads.

    `advance` is told the bytes of each read and of each hole; it may raise to stop.
    """

    def __init__(self, sink: BlobSink, advance: Callable[[int], None]) -> None:
        self._sink = sink
        self._advance = advance
        self._whole_bytes = sink.whole_bytes
        self._zero_chunk: bytes | None = None
        self.bytes_read = 0

    def read(self, descriptor: int, before: os.stat_result) -> ReadFile:
        """Store an open file, of which `before` was just taken.

        Raises:
            OSError: it cannot be read. Errors of the sink are not of this kind.
        """
        size = before.st_size
        sparse = is_sparse(before)
        content = []
        done = 0
        for start in range(0, size, PART_BYTES):
            end = min(start + PART_BYTES, size)
            part, done = self.read_part(descriptor, start, end, sparse=sparse)
            content += part
            if done < end:
                break
        return ReadFile(content, done, difference(before, os.fstat(descriptor), done))

    def read_whole(self, descriptor: int, before: os.stat_result) -> bytes:
        """Return the content of a small file, to be stored; empty if `read` has to read it.

        Raises:
            OSError: it cannot be read.
        """
        size = before.st_size
        if not 0 < size <= self._whole_bytes:
            return b""
        data = os.pread(descriptor, size, 0)
        if len(data) != size:
            return b""
        self.bytes_read += size
        self._advance(size)
        return data

    def read_part(
        self, descriptor: int, start: int, end: int, *, sparse: bool
    ) -> tuple[list[bytes], int]:
        """Store a part of an open file; return its chunks, and where they end if it is cut off."""
        content: list[bytes] = []
        done = start
        for segment in segments(descriptor, start, end, sparse=sparse):
            if segment.hole:
                content += self.store_hole(segment.start, segment.end)
                done = segment.end
                continue
            ids, length = self._store_data(descriptor, segment)
            content += ids
            done += length
            if done < segment.end:
                break
        return content, done

    def store_hole(self, start: int, end: int) -> list[bytes]:
        """Store zeros without reading them: the same full chunk again and again, then a rest."""
        full, rest = divmod(end - start, CHUNK_BYTES)
        content: list[bytes] = []
        with storing():
            if full:
                self._zero_chunk = self._zero_chunk or self._sink.add_data(bytes(CHUNK_BYTES))
                content = [self._zero_chunk] * full
            if rest:
                content.append(self._sink.add_data(bytes(rest)))
        self._advance(end - start)
        return content

    def _store_data(self, descriptor: int, segment: Segment) -> tuple[tuple[bytes, ...], int]:
        """Store what a segment holds; less than its length when the file ends before.

        An error of the file must not pass through the sink, which could not tell it from its own.
        """
        position = segment.start
        failure: OSError | None = None

        def read_into(buffer: memoryview) -> int:
            nonlocal position, failure
            try:
                read = os.preadv(descriptor, [buffer[: segment.end - position]], position)
            except OSError as error:
                failure = error
                return 0
            position += read
            self.bytes_read += read
            self._advance(read)
            return read

        with storing():
            stored = self._sink.add_file(read_into)
        if failure is not None:
            raise failure
        return stored


@contextmanager
def storing() -> Iterator[None]:
    """Keep system errors of the sink apart from those of the file that is read."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            "what was read cannot be stored",
            why=str(error),
            next_step="See that the store has room and can be reached, and save again",
        ) from error


def difference(
    before: os.stat_result, after: os.stat_result, read: int
) -> tuple[ProblemKind, str] | None:
    """Say what happened to a file between two looks, of which `read` bytes are stored."""
    if read < before.st_size:
        return "shrank", f"it was cut from {before.st_size} to {read} bytes while it was read"
    if after.st_size < before.st_size:
        return "shrank", f"it was cut to {after.st_size} bytes; {read} bytes are stored as read"
    if after.st_size > before.st_size:
        return "grew", f"it grew to {after.st_size} bytes; the first {read} are stored"
    if (after.st_mtime_ns, after.st_ctime_ns) != (before.st_mtime_ns, before.st_ctime_ns):
        return "changed", "it was changed while it was read"
    return None
