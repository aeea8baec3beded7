"""Saving one entry of a directory that is no directory itself: a file, link, FIFO, device."""

import errno
import os
from collections.abc import Callable

from appshield.errors import DamagedError, NotFoundError
from appshield.repository.files.descriptors import (
    Identity,
    identity,
    open_file,
    path_of,
    pinned,
    stale,
)
from appshield.repository.files.metadata import (
    Attributes,
    Target,
    kind_of,
    node_of,
    read_attributes,
)
from appshield.repository.files.problems import ProblemKind
from appshield.repository.files.reading import FileReader
from appshield.repository.files.tally import Tally
from appshield.repository.nodes import BlobSink, BlobSource, Node

Note = Callable[[bytes, ProblemKind, str], None]
"""Told the name of an entry of the directory at work and what happened to it."""


class EntryStorer:
    """Makes the nodes of entries on one device, their content stored in a sink.

    `earlier` is where the content of earlier nodes is, if there is an earlier version.
    """

    def __init__(
        self,
        sink: BlobSink,
        earlier: BlobSource | None,
        *,
        device: int,
        tally: Tally,
        note: Note,
    ) -> None:
        self._earlier = earlier
        self._device = device
        self._tally = tally
        self._note = note
        self._reader = FileReader(sink, tally.advance)
        self._linked: dict[Identity, tuple[Node, int]] = {}  # and how many names are still to come
        self.files_unchanged = 0
        self.bytes_total = 0

    @property
    def bytes_read(self) -> int:
        """What was read of files."""
        return self._reader.bytes_read

    def store(self, directory: int, name: bytes, earlier: Node | None) -> Node:
        """Store an entry; `earlier` is its node in the parent version.

        Raises:
            OSError: it vanished (ENOENT), became something else (ELOOP, ESTALE), is mounted from
                elsewhere (EXDEV) or cannot be read.
        """
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if kind_of(status) == "dir":
            raise stale(name)
        if status.st_dev != self._device:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        node = (
            self._unchanged_file(name, status, earlier)
            or self._linked_file(name, status)
            or self._new(directory, name, status)
        )
        self.bytes_total += node.size_bytes
        return node

    def attributes(self, target: Target, name: bytes) -> Attributes:
        """Return the extended attributes of an entry; what cannot be kept is noted."""
        attributes, lost = read_attributes(target)
        for sentence in lost:
            self._note(name, "attribute", sentence)
        return attributes

    def _unchanged_file(
        self, name: bytes, status: os.stat_result, earlier: Node | None
    ) -> Node | None:
        """Return the node of a file that looks as in the parent, whose blobs are still known."""
        if earlier is None or not _is_same_file(earlier, status) or not self._is_known(earlier):
            return None
        self.files_unchanged += 1
        self._tally.count_file(earlier.size_bytes)
        return _renewed(earlier, name, status)

    def _is_known(self, node: Node) -> bool:
        """Whether the repository still has the content: a lost blob is read and stored again."""
        assert self._earlier is not None
        try:
            return sum(map(self._earlier.blob_size, node.content or ())) == node.size_bytes
        except (DamagedError, NotFoundError):
            return False

    def _linked_file(self, name: bytes, status: os.stat_result) -> Node | None:
        """Return the node of a file that was read under another name in this run."""
        node, names_left = self._linked.get(identity(status), (None, 0))
        if node is None or not _is_same_file(node, status):
            return None
        if names_left > 1:
            self._linked[identity(status)] = (node, names_left - 1)
        else:
            del self._linked[identity(status)]
        self._tally.count_file(node.size_bytes)
        return _renewed(node, name, status)

    def _new(self, directory: int, name: bytes, status: os.stat_result) -> Node:
        is_file = kind_of(status) == "file"
        node = self._file(directory, name) if is_file else self._special(directory, name)
        self._tally.count_file()
        return node

    def _file(self, directory: int, name: bytes) -> Node:
        descriptor = open_file(name, directory)
        try:
            before = os.fstat(descriptor)
            if before.st_dev != self._device:
                raise stale(name)
            attributes = self.attributes(descriptor, name)
            stored = self._reader.read(descriptor, before)
        finally:
            os.close(descriptor)
        if stored.problem is not None:
            self._note(name, *stored.problem)
        node = node_of(
            name, before, attributes, size_bytes=stored.size_bytes, content=stored.content
        )
        if node.links > 1:
            self._linked[identity(before)] = (node, node.links - 1)
        return node

    def _special(self, directory: int, name: bytes) -> Node:
        """Return the node of a link, FIFO, socket or device, which is held but never opened."""
        with pinned(name, directory) as descriptor:
            status = os.fstat(descriptor)
            kind = kind_of(status)
            if kind in {"file", "dir"}:
                raise stale(name)
            target = os.readlink(b"", dir_fd=descriptor) if kind == "symlink" else b""
            attributes = self.attributes(path_of(descriptor), name)
            return node_of(name, status, attributes, linktarget=target)


def _is_same_file(node: Node, status: os.stat_result) -> bool:
    """Whether a regular file cannot have been written to since its node was made."""
    return (
        node.kind == kind_of(status) == "file"
        and node.content is not None
        and node.size_bytes == status.st_size
        and node.inode == status.st_ino
        and (node.mtime_ns, node.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    )


def _renewed(node: Node, name: bytes, status: os.stat_result) -> Node:
    """Return a node with the content and attributes of another, both guarded by its ctime."""
    return node_of(
        name,
        status,
        node.extended_attributes,
        size_bytes=node.size_bytes,
        content=node.content,
    )
