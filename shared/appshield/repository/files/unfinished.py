"""Directories that a restore has entered, until they have their metadata.

The walk goes on while others still write: a directory is finished when the walk has left it, all
orders for it are done and all directories in it are finished. Only while one of those is open does
it keep a descriptor of its own.
"""

import os
from typing import Final

from appshield.repository.files.descriptors import DirectoryChain
from appshield.repository.nodes import Node, StoredEntry

MOST_HELD: Final = 384
"""Descriptors of directories that are waited for, at a time; beyond it the walk waits, too."""


class UnfinishedDirectory:
    """One directory; `node` is None where its own metadata is not wanted."""

    __slots__ = (
        "above", "below", "descriptor", "is_left", "is_new", "is_whole", "links", "name", "node",
        "taken", "under_way",
    )  # fmt: skip

    def __init__(
        self,
        above: "UnfinishedDirectory | None",
        name: bytes,
        node: Node | None,
        *,
        is_new: bool = False,
        is_whole: bool,
    ) -> None:
        self.above = above
        self.name = name
        self.node = node
        self.is_new = is_new  # this run made it: nothing is there but what this run puts there
        self.is_whole = is_whole  # all that is below is wanted
        self.taken: frozenset[bytes] = frozenset()  # names of entries that look temporary
        self.links: list[StoredEntry] = []  # to be made when their first names are there
        self.under_way = 0  # orders that are not done
        self.below = 0  # directories in it that are not finished
        self.is_left = False
        self.descriptor = -1

    @property
    def is_done(self) -> bool:
        """Whether nothing in it changes any more."""
        return self.is_left and not self.under_way and not self.below

    def names(self) -> tuple[bytes, ...]:
        """The names from the root to this directory."""
        names: list[bytes] = []
        directory = self
        while directory.above is not None:
            names.append(directory.name)
            directory = directory.above
        return tuple(reversed(names))

    def path(self, name: bytes = b"") -> bytes:
        """The path of an entry (or of this directory), relative to the root."""
        return b"/".join((*self.names(), name) if name else self.names())


class HeldDirectories:
    """The descriptors of directories that are waited for."""

    def __init__(self, chain: DirectoryChain) -> None:
        self._chain = chain
        self._held: set[UnfinishedDirectory] = set()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, directory: UnfinishedDirectory) -> int:
        """Return a descriptor that stays, of the directory at work; OSError if it has moved."""
        if directory.descriptor < 0:
            directory.descriptor = os.dup(self._chain.descriptor)
            self._held.add(directory)
        return directory.descriptor

    def release(self, directory: UnfinishedDirectory) -> None:
        """Give the descriptor up, if there is one."""
        if directory.descriptor >= 0:
            os.close(directory.descriptor)
            directory.descriptor = -1
            self._held.remove(directory)

    def close(self) -> None:
        """Give all of them up."""
        for directory in tuple(self._held):
            self.release(directory)
