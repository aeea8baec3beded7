"""What a repository knows about one entry of a directory, and the two ports of its files half.

A `Node` is the entry of a restic tree with its Go spelling taken away: the name is raw bytes, the
mode is that of `stat`, times are nanoseconds since 1970 (negative before). `trees.py` turns nodes
into the exact bytes that restic writes, and back.

The files half walks and writes directories and meets the format half only here: it gives bytes to
a `BlobSink` when it saves and takes them from a `BlobSource` when it restores.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

import msgspec

from appshield.errors import DamagedError
from appshield.repository.workers.ports import JobPool

NodeKind = Literal["file", "dir", "symlink", "dev", "chardev", "fifo", "socket"]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a directory; `content` is set for files, `subtree` for directories.

    `mode` holds permission, setuid, setgid and sticky bits (0o7777), never the file type.
    Blob ids are 32 raw bytes. `device` is the number of a device node, `device_id` that of the
    file system which holds the entry. An empty file has `content=()`.
    """

    name: bytes
    kind: NodeKind
    mode: int
    mtime_ns: int
    atime_ns: int
    ctime_ns: int
    uid: int
    gid: int
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size_bytes: int = 0
    links: int = 1
    linktarget: bytes = b""
    extended_attributes: tuple[tuple[str, bytes], ...] = ()
    device: int = 0
    content: tuple[bytes, ...] | None = None
    subtree: bytes | None = None


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a directory as it stands in its tree, and what decides how it is treated.

    `chunks` is the number of blobs of a file; `trees.decode_node` makes a node of `stored`.
    """

    name: bytes
    kind: NodeKind
    size_bytes: int
    inode: int
    device_id: int
    links: int
    chunks: int
    stored: bytes


class TreeSink(Protocol):
    """Takes one directory, entry by entry, in bounded memory."""

    def add(self, encoded: bytes) -> None:
        """Take the next encoded node, ascending by name, or several with commas between."""
        ...

    def finish(self) -> bytes:
        """Store the directory; return its tree id."""
        ...


ReadInto = Callable[[memoryview], int]
"""Reads into a buffer, from its start, as much as comes at once; returns how much, 0 at the end."""


class BlobSink(Protocol):
    """Takes what is saved.

    Each call may block while packs wait for their upload. An earlier failed upload is raised by
    the next call.
    """

    def pool(
        self, go_on: Callable[[], None], on_event: Callable[[msgspec.Struct], None]
    ) -> AbstractContextManager[JobPool | None]:
        """Hold worker processes that store into this sink; None where there are none.

        While anybody waits for them, `go_on` is asked, and may raise to stop; `on_event` takes
        what they tell that is not for the sink itself.
        """
        ...

    @property
    def whole_bytes(self) -> int:
        """Up to which size a file is one chunk, and may be given to `add_data` as it is."""
        ...

    def unknown_data(self, blob_ids: bytes) -> set[bytes]:
        """Return those of many chunks (ids joined) that no earlier backup has stored."""
        ...

    def add_data(self, data: bytes | memoryview) -> bytes:
        """Store one chunk of at most 8 MiB; return its blob id."""
        ...

    def add_small(self, chunks: Sequence[bytes]) -> list[bytes]:
        """Store files of one chunk each, at most some MiB together; return their blob ids."""
        ...

    def add_file(self, read_into: ReadInto) -> tuple[tuple[bytes, ...], int]:
        """Cut a stream into chunks and store them; return their ids and the size in bytes."""
        ...

    def add_tree(self, nodes: Iterable[Node]) -> bytes:
        """Store one directory (nodes in any order, names unique); return its tree id."""
        ...

    def open_tree(self) -> TreeSink:
        """Begin a directory of any size; several may be open at a time."""
        ...


class BlobAt(NamedTuple):
    """A blob as the bytes from `start` to `end` of a buffer."""

    blob_id: bytes
    start: int
    end: int


class PlainBlobs(NamedTuple):
    """Verified blobs that came together, in one buffer; and what is wrong with others."""

    buffer: memoryview
    blobs: Sequence[BlobAt]
    damaged: Sequence[tuple[bytes, DamagedError]] = ()


class BlobSource(Protocol):
    """Gives back what was saved, verified; safe to use from several threads."""

    def read_blob(self, blob_id: bytes) -> bytes:
        """Return the plain bytes of a blob; a `DamagedError` names what does not verify."""
        ...

    def read_blobs(self, blob_ids: Iterable[bytes]) -> Iterator[PlainBlobs]:
        """Yield each of these blobs once, in the order that suits best, or what is wrong with it.

        Fetching begins with the call, and what comes next arrives meanwhile; memory is bounded
        however many there are. What was yielded is valid until this thread asks for more.
        """
        ...

    def blob_size(self, blob_id: bytes) -> int:
        """Return the plain size of a blob in bytes, from the index alone."""
        ...

    def read_entries(self, tree_id: bytes) -> Iterator[StoredEntry]:
        """Yield the entries of a directory, ascending by name, in bounded memory."""
        ...

    def read_encoded(self, tree_id: bytes) -> Iterator[dict[bytes, bytes]]:
        """Yield the entries of a directory as they stand in it, by name, ascending, in groups."""
        ...

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        """Return the entries of a directory, ascending by name."""
        ...
