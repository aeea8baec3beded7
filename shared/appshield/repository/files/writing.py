"""Writing the content of one regular file from its chunks, taking over what is there already.

Everything is checked by content, nothing by date: a chunk's id is the SHA-256 of its bytes, so
bytes of an older file, or of an earlier attempt that was killed, are used where they verify.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

from appshield.errors import DamagedError
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.sparse import is_hole, write_sparsely
from appshield.repository.nodes import BlobSource, Node

_REMEMBERED_ZERO_CHUNKS = 1024
_PRIVATE = 0o600


class FileWriter:
    """Writes regular files from a source of blobs and counts the bytes.

    `advance` is told the bytes of each chunk that is in place; it may raise to stop.
    """

    def __init__(self, source: BlobSource, advance: Callable[[int], None]) -> None:
        self._source = source
        self._advance = advance
        self._zero_chunks: dict[bytes, int] = {}  # chunks that turned out to be zeros: their size
        self.bytes_written = 0
        self.bytes_unchanged = 0

    def is_content(self, descriptor: int, node: Node) -> bool:
        """Whether an open file holds exactly the content of a node."""
        if os.fstat(descriptor).st_size != node.size_bytes:
            return False
        if self._matching_bytes(descriptor, node) != node.size_bytes:
            return False
        self.bytes_unchanged += node.size_bytes
        self._advance(node.size_bytes)
        return True

    def write(self, descriptor: int, node: Node, older: int | None) -> None:
        """Give a private file, empty or from an earlier attempt, the content of a node.

        Raises:
            DamagedError: a chunk does not verify, or the chunks do not add up to the size.
            OSError: it cannot be written.
        """
        done = self._matching_bytes(descriptor, node) if os.fstat(descriptor).st_size else 0
        os.ftruncate(descriptor, done)
        self.bytes_unchanged += done
        offset = 0
        for blob_id in node.content or ():
            size = self._source.blob_size(blob_id) if offset < done else 0
            if offset >= done:
                size = self._write_chunk(descriptor, blob_id, offset, older)
                self.bytes_written += size
            offset += size
            self._advance(size)
        if offset != node.size_bytes:
            raise DamagedError(
                "the size of the file does not agree with its chunks",
                why=f"the tree says {node.size_bytes} bytes, the chunks have {offset}",
            )
        os.ftruncate(descriptor, offset)

    def _write_chunk(self, descriptor: int, blob_id: bytes, offset: int, older: int | None) -> int:
        """Write one chunk from the older file if it is there, else from the source."""
        if blob_id in self._zero_chunks:
            return self._zero_chunks[blob_id]
        data = None if older is None else self._chunk_at(older, blob_id, offset)
        if data is None:
            data = self._source.read_blob(blob_id)
        if data.lstrip(b"\0"):
            write_sparsely(descriptor, data, offset)
        elif len(self._zero_chunks) < _REMEMBERED_ZERO_CHUNKS:
            self._zero_chunks[blob_id] = len(data)
        return len(data)

    def _chunk_at(self, descriptor: int, blob_id: bytes, offset: int) -> bytes | None:
        """Return the bytes of a file at an offset if they are those of a chunk."""
        data = os.pread(descriptor, self._source.blob_size(blob_id), offset)
        return data if hashlib.sha256(data).digest() == blob_id else None

    def _matching_bytes(self, descriptor: int, node: Node) -> int:
        """Return how many bytes from the start of a file are those of the node's chunks."""
        offset = 0
        for blob_id in node.content or ():
            end = offset + self._source.blob_size(blob_id)
            is_zero = is_hole(descriptor, offset, end) and blob_id == _zero_chunk(end - offset)
            if not is_zero and self._chunk_at(descriptor, blob_id, offset) is None:
                break
            offset = end
            self._advance(0)
        return offset


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
