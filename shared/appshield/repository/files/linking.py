"""Hard links of a restore.

The first name of an object is an entry like any other, further ones are made when that is there.
"""

import os
from dataclasses import dataclass

from appshield.repository.files.descriptors import (
    DirectoryChain,
    Identity,
    identity,
    path_of,
    pinned,
    stale,
)
from appshield.repository.files.naming import rename_over
from appshield.repository.files.orders import Placed
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.unfinished import UnfinishedDirectory
from appshield.repository.nodes import StoredEntry


@dataclass(slots=True)
class _Place:
    """Where the first name of an object is; without an identity while it is not restored."""

    directory: UnfinishedDirectory
    name: bytes
    names_left: int
    identity: Identity | None = None


class HardLinks:
    """Knows where objects with several names are."""

    def __init__(self, chain: DirectoryChain, *, replace_directories: bool) -> None:
        self._chain = chain
        self._replace_directories = replace_directories
        self._places: dict[Identity, _Place] = {}  # by device and inode in the version
        self._awaited: dict[tuple[UnfinishedDirectory, bytes], _Place] = {}
        self._claimed: set[Identity] = set()  # on this disk

    def is_first(self, directory: UnfinishedDirectory, entry: StoredEntry) -> bool:
        """Whether an entry is the first name of its object, which is then awaited."""
        key = (entry.device_id, entry.inode)
        if key in self._places:
            return False
        place = _Place(directory, entry.name, entry.links - 1)
        self._places[key] = self._awaited[directory, entry.name] = place
        return True

    def is_stranger(self, directory: UnfinishedDirectory, name: bytes) -> bool:
        """Whether what has this name now belongs to another entry; else it belongs to this one."""
        if directory.is_new:
            return False
        try:
            status = os.stat(name, dir_fd=self._chain.descriptor, follow_symlinks=False)
        except OSError:
            return False
        if status.st_nlink == 1:
            return False
        found = identity(status)
        if found in self._claimed:
            return True
        self._claimed.add(found)
        return False

    def placed(self, directory: UnfinishedDirectory, placed: Placed) -> None:
        """Take which object the first name has become."""
        place = self._awaited.pop((directory, placed.name), None)
        if place is not None:
            place.identity = placed.identity
            self._claimed.add(placed.identity)

    def failed(self, directory: UnfinishedDirectory, name: bytes) -> None:
        """Take that an entry is not restored; another name of it is then tried as a first one."""
        self._awaited.pop((directory, name), None)

    def is_awaited(self, entry: StoredEntry) -> bool:
        """Whether the first name of an entry's object is still under way."""
        place = self._places[entry.device_id, entry.inode]
        return (place.directory, place.name) in self._awaited

    def is_there(self, entry: StoredEntry) -> bool:
        """Whether the first name is restored; one that is not any more awaited is forgotten."""
        key = (entry.device_id, entry.inode)
        place = self._places.get(key)
        if place is None:
            return False
        if place.identity is None:
            del self._places[key]
            return False
        return True

    def link(self, entry: StoredEntry, temporary: bytes) -> None:
        """Make a further name in the directory at work; OSError where that is impossible."""
        key = (entry.device_id, entry.inode)
        place = self._places[key]
        above = self._chain.open_below_root(place.directory.names())
        try:
            self._link(place, above, entry.name, temporary)
        finally:
            os.close(above)
        place.names_left -= 1
        if not place.names_left:
            del self._places[key]

    def _link(self, place: _Place, above: int, name: bytes, temporary: bytes) -> None:
        directory = self._chain.descriptor
        with pinned(place.name, above) as first:
            if identity(os.fstat(first)) != place.identity:
                raise stale(name)
            if _identity_of(name, directory) == place.identity:
                return  # renaming one name of an object over another would do nothing
            remove_entry(temporary, directory)
            os.link(path_of(first), temporary, dst_dir_fd=directory)
            replace = self._replace_directories
            rename_over(temporary, name, directory, replace_directories=replace)


def _identity_of(name: bytes, directory: int) -> Identity | None:
    try:
        return identity(os.stat(name, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return None
