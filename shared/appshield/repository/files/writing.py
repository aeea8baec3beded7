"""Writing the content of regular files from its chunks, taking over what is there already.

Everything is checked by content, nothing by date: a chunk's id is the SHA-256 of its bytes, so
bytes of an older file, or of an earlier attempt that was killed, are used where they verify.
Chunks are written in the order in which the source gives them, each at its place.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from appshield.errors import DamagedError
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.sparse import is_hole, is_zero, make_hole, write_sparsely
from appshield.repository.nodes import BlobSource

_REMEMBERED_ZERO_CHUNKS = 1024
_PRIVATE = 0o600


class Chunk(NamedTuple):
    """A part of a file, [start, end) in bytes, and the blob that it is."""

    start: int
    end: int
    blob_id: bytes


class ChunkWriter:
    """Writes and compares chunks of regular files and counts the bytes.

    `advance` is told the bytes of each chunk that is in place; it may raise to stop.
    """

    def __init__(self, source: BlobSource, advance: Callable[[int], None]) -> None:
        self._source = source
        self._advance = advance
        self._zero_chunks: dict[bytes, None] = {}  # that turned out to be zeros
        self.bytes_written = 0
        self.bytes_unchanged = 0

    def chunks(self, content: Iterable[bytes], start: int = 0) -> list[Chunk]:
        """Return where these blobs are in a file; DamagedError if one is unknown."""
        chunks: list[Chunk] = []
        for blob_id in content:
            end = start + self._source.blob_size(blob_id)
            chunks.append(Chunk(start, end, blob_id))
            start = end
        return chunks

    def whole(self, content: Sequence[bytes], size_bytes: int) -> list[Chunk]:
        """Return the chunks of a whole file; DamagedError if they do not add up to its size."""
        chunks = self.chunks(content)
        end = chunks[-1].end if chunks else 0
        if end != size_bytes:
            raise DamagedError(
                "the size of the file does not agree with its chunks",
                why=f"the tree says {size_bytes} bytes, the chunks have {end}",
            )
        return chunks

    def take_counts(self) -> tuple[int, int]:
        """Return the bytes written and unchanged since the last call."""
        counts = self.bytes_written, self.bytes_unchanged
        self.bytes_written = self.bytes_unchanged = 0
        return counts

    def matching(self, descriptor: int, chunks: Iterable[Chunk]) -> Iterator[bool]:
        """Yield of each chunk whether an open file holds it."""
        for chunk in chunks:
            yield self._is_there(descriptor, chunk)
            self._advance(0)

    def keep(self, chunks: Iterable[Chunk]) -> None:
        """Count chunks that are in place already."""
        for chunk in chunks:
            self.bytes_unchanged += chunk.end - chunk.start
            self._advance(chunk.end - chunk.start)

    def write_all(
        self, descriptor: int, chunks: Sequence[Chunk], older: int | None
    ) -> Generator[None, None, None]:
        """Give a part of a private file its chunks; what is there already is kept if it is right.

        It yields once, when blobs are on their way.

        Raises:
            DamagedError: a chunk does not verify.
            OSError: it cannot be written.
        """
        wanted: dict[bytes, list[Chunk]] = {}
        for chunk in self._unfinished(descriptor, chunks):
            if not self.write_known(descriptor, chunk, older):
                wanted.setdefault(chunk.blob_id, []).append(chunk)
        blobs = self._source.read_blobs(wanted)
        yield
        for buffer, found, damaged in blobs:
            for _, error in damaged:
                raise error
            for blob_id, start, end in found:
                for chunk in wanted[blob_id]:
                    self.write(descriptor, chunk, buffer[start:end])

    def write_known(self, descriptor: int, chunk: Chunk, older: int | None) -> bool:
        """Write a chunk that need not be fetched: zeros, or what the older file has there."""
        if chunk.blob_id in self._zero_chunks:
            self._count(chunk)
            return True
        data = None if older is None else self._read(older, chunk)
        if data is None:
            return False
        self.write(descriptor, chunk, data)
        return True

    def write(self, descriptor: int, chunk: Chunk, data: bytes | memoryview) -> None:
        """Write a verified chunk where the file has nothing yet."""
        if not is_zero(data):
            write_sparsely(descriptor, data, chunk.start)
        elif len(self._zero_chunks) < _REMEMBERED_ZERO_CHUNKS:
            self._zero_chunks[chunk.blob_id] = None
        self._count(chunk)

    def _unfinished(self, descriptor: int, chunks: Sequence[Chunk]) -> Iterator[Chunk]:
        """Yield the chunks that an earlier attempt did not write, their places emptied."""
        if not chunks or is_hole(descriptor, chunks[0].start, chunks[-1].end):
            yield from chunks
            return
        for chunk in chunks:
            if is_hole(descriptor, chunk.start, chunk.end):
                yield chunk
            elif self._read(descriptor, chunk) is not None:
                self.keep((chunk,))
            else:
                make_hole(descriptor, chunk.start, chunk.end)
                yield chunk

    def _count(self, chunk: Chunk) -> None:
        self.bytes_written += chunk.end - chunk.start
        self._advance(chunk.end - chunk.start)

    def _is_there(self, descriptor: int, chunk: Chunk) -> bool:
        if is_hole(descriptor, chunk.start, chunk.end):
            return chunk.blob_id == _zero_chunk(chunk.end - chunk.start)
        return self._read(descriptor, chunk) is not None

    def _read(self, descriptor: int, chunk: Chunk) -> bytes | None:
        """Return the bytes of a file at the place of a chunk if they are its own."""
        data = os.pread(descriptor, chunk.end - chunk.start, chunk.start)
        return data if hashlib.sha256(data).digest() == chunk.blob_id else None


def open_private(name: bytes, directory: int) -> int:
    """Open a file that only its owner may read, empty or left by an earlier attempt of our own.

    Whatever else has this name is removed. What another user made or can reach by another name is
    not trusted to stay as it was checked.
    """
    with suppress(FileExistsError):
        return _create_private(name, directory)
    with suppress(OSError):
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(name, flags, dir_fd=directory)
        if _is_private(os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)
    remove_entry(name, directory)
    return _create_private(name, directory)


def open_unnamed(directory: int) -> int:
    """Open a new private file that has no name yet; OSError where that is not possible."""
    return os.open(b".", os.O_RDWR | os.O_TMPFILE, _PRIVATE, dir_fd=directory)


def _create_private(name: bytes, directory: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.open(name, flags, _PRIVATE, dir_fd=directory)


def _is_private(status: os.stat_result) -> bool:
    is_mine = (status.st_uid, status.st_nlink) == (os.geteuid(), 1)
    return is_mine and status.st_mode == stat.S_IFREG | _PRIVATE


@lru_cache(maxsize=64)
def _zero_chunk(size: int) -> bytes:
    """Return the id of a chunk of zeros."""
    return hashlib.sha256(bytes(size)).digest()
