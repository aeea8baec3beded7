"""Restoring one entry that is no directory, under its final name only once it is complete.

What is there already and is right stays. Everything else is made under a temporary name in the
same directory and renamed over, so that a name never means half a file; nothing is ever written
or changed through a name that could have become a link meanwhile, only through descriptors.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from appshield.errors import DamagedError
from appshield.repository.files.descriptors import (
    DirectoryChain,
    Identity,
    identity,
    open_file,
    path_of,
    pinned,
    stale,
)
from appshield.repository.files.metadata import Target, apply_metadata, kind_of
from appshield.repository.files.problems import ProblemKind
from appshield.repository.files.removing import remove_entry, remove_tree
from appshield.repository.files.tally import Tally
from appshield.repository.files.writing import FileWriter, open_private
from appshield.repository.nodes import BlobSource, Node

_TYPES = {
    "dev": stat.S_IFBLK,
    "chardev": stat.S_IFCHR,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


@dataclass(slots=True)
class _Place:
    """Where the first name of a hard-linked object was restored."""

    directories: tuple[bytes, ...]
    name: bytes
    identity: Identity
    names_left: int


class EntryPlacer:
    """Restores entries into the directory at work of a chain.

    `temporary` is the name under which things are made there; no entry may have it.
    """

    def __init__(
        self,
        chain: DirectoryChain,
        source: BlobSource,
        *,
        tally: Tally,
        note: Callable[[bytes, ProblemKind, str], None],
        replace_directories: bool,
    ) -> None:
        self._chain = chain
        self._tally = tally
        self._note = note
        self._replace_directories = replace_directories
        self._places: dict[Identity, _Place] = {}  # by device and inode in the version
        self._claimed: set[Identity] = set()  # on this disk
        self.writer = FileWriter(source, tally.advance)
        self.temporary = b""

    def place(self, directory: int, node: Node) -> None:
        """Restore a file, link, FIFO, socket or device.

        Raises:
            DamagedError: its content does not verify; what had the name before is untouched.
            OSError: the system refuses it.
        """
        if node.links > 1 and self._link(directory, node):
            self._tally.count_file(node.size_bytes)
            return
        if node.kind == "file":
            self._file(directory, node)
        else:
            self._special(directory, node)
        self._tally.count_file()

    def _file(self, directory: int, node: Node) -> None:
        older = _open_older(directory, node.name)
        try:
            if older is not None and self._is_in_place(older, node):
                self._apply(older, node)
                self._remember(older, node)
            else:
                self._write(directory, node, older)
        finally:
            if older is not None:
                os.close(older)

    def _write(self, directory: int, node: Node, older: int | None) -> None:
        descriptor = open_private(self.temporary, directory)
        try:
            self.writer.write(descriptor, node, older)
            self._apply(descriptor, node)
            self._rename(directory, node.name)
            self._remember(descriptor, node)
        finally:
            os.close(descriptor)

    def _special(self, directory: int, node: Node) -> None:
        with suppress(OSError), pinned(node.name, directory) as present:
            if self._may_stay(present, node) and _is_special(present, node):
                self._apply(path_of(present), node)
                self._remember(present, node)
                return
        remove_entry(self.temporary, directory)
        self._make(directory, node)
        with pinned(self.temporary, directory) as made:
            if not _is_special(made, node):
                raise stale(node.name)
            self._apply(path_of(made), node)
            self._rename(directory, node.name)
            self._remember(made, node)

    def _make(self, directory: int, node: Node) -> None:
        if node.kind == "symlink":
            if not node.linktarget or b"\0" in node.linktarget:
                raise DamagedError("the link has no possible target", why=repr(node.linktarget))
            os.symlink(node.linktarget, self.temporary, dir_fd=directory)
        else:
            mode = _TYPES[node.kind] | stat.S_IRUSR | stat.S_IWUSR
            os.mknod(self.temporary, mode, node.device, dir_fd=directory)

    def _apply(self, target: Target, node: Node) -> None:
        """Give an entry its metadata; what fails is noted, the content counts more."""
        for failure in apply_metadata(target, node):
            self._note(node.name, "attribute", failure)

    def _rename(self, directory: int, name: bytes) -> None:
        """Give what was made its name; an empty directory there goes, a full one if allowed."""
        try:
            os.rename(self.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except IsADirectoryError:
            if self._replace_directories:
                remove_tree(name, directory)
            else:
                os.rmdir(name, dir_fd=directory)
            os.rename(self.temporary, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _is_in_place(self, descriptor: int, node: Node) -> bool:
        return self._may_stay(descriptor, node) and self.writer.is_content(descriptor, node)

    def _may_stay(self, descriptor: int, node: Node) -> bool:
        """Whether an existing object can be this node: not if it has names that do not belong."""
        status = os.fstat(descriptor)
        if status.st_nlink == 1:
            return True
        return node.links > 1 and identity(status) not in self._claimed

    def _remember(self, descriptor: int, node: Node) -> None:
        """Keep where the first name of an object is, for its other names."""
        if node.links > 1 and node.inode:
            status = os.fstat(descriptor)
            self._claimed.add(identity(status))
            self._places[node.device_id, node.inode] = _Place(
                self._chain.names(), node.name, identity(status), node.links - 1
            )

    def _link(self, directory: int, node: Node) -> bool:
        """Make a further name of an object; where that is impossible it becomes a copy."""
        place = self._places.get((node.device_id, node.inode))
        if place is None:
            return False
        try:
            self._make_link(directory, node.name, place)
        except OSError as error:
            self._note(node.name, "attribute", f"hard link became a copy: {error.strerror}")
            return False
        place.names_left -= 1
        if not place.names_left:
            del self._places[node.device_id, node.inode]
        return True

    def _make_link(self, directory: int, name: bytes, place: _Place) -> None:
        above = self._chain.open_below_root(place.directories)
        try:
            with pinned(place.name, above) as first:
                if identity(os.fstat(first)) != place.identity:
                    raise stale(name)
                if _identity_of(name, directory) == place.identity:
                    return  # renaming one name of an object over another would do nothing
                remove_entry(self.temporary, directory)
                os.link(path_of(first), self.temporary, dst_dir_fd=directory)
                self._rename(directory, name)
        finally:
            os.close(above)


def _open_older(directory: int, name: bytes) -> int | None:
    """Open the regular file that has a name now, if there is one."""
    try:
        return open_file(name, directory)
    except OSError:
        return None


def _identity_of(name: bytes, directory: int) -> Identity | None:
    try:
        return identity(os.stat(name, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return None


def _is_special(descriptor: int, node: Node) -> bool:
    """Whether a pinned object is of a node's kind, with its target or device number."""
    status = os.fstat(descriptor)
    if kind_of(status) != node.kind:
        return False
    if node.kind == "symlink":
        return os.readlink(b"", dir_fd=descriptor) == node.linktarget
    return node.kind not in {"dev", "chardev"} or status.st_rdev == node.device
