"""Removing what a version does not hold, beside the walk through what it holds."""

import os
from collections.abc import Callable, Iterator

from appshield.repository.files.descriptors import DirectoryChain
from appshield.repository.files.naming import is_temporary
from appshield.repository.files.removing import remove_entry, remove_tree
from appshield.repository.files.unfinished import UnfinishedDirectory
from appshield.repository.nodes import StoredEntry

OF_THE_FILE_SYSTEM = b"lost+found"  # at the root of a volume, never extra


class ExtraEntries:
    """Removes extra entries of the directory at work; `fail` takes what is refused."""

    def __init__(
        self,
        chain: DirectoryChain,
        go_on: Callable[[], None],
        fail: Callable[[UnfinishedDirectory, bytes, OSError], None],
    ) -> None:
        self._chain = chain
        self._go_on = go_on
        self._fail = fail

    def removed_beside(
        self, directory: UnfinishedDirectory, entries: Iterator[StoredEntry]
    ) -> Iterator[StoredEntry]:
        """Yield these entries, ascending; what is between them on the disk is removed."""
        if directory.is_new:
            yield from entries
            return
        names = os.listdir(self._chain.descriptor)  # noqa: PTH208 - by descriptor
        present = sorted(map(os.fsencode, names), reverse=True)
        for entry in entries:
            while present and present[-1] < entry.name:
                self._remove(directory, present.pop())
            if present and present[-1] == entry.name:
                present.pop()
            yield entry
        while present:
            self._remove(directory, present.pop())

    def _remove(self, directory: UnfinishedDirectory, name: bytes) -> None:
        if is_temporary(name):
            return  # what a killed run has left: taken over, or removed in the end
        self._go_on()
        try:
            self._remove_one(name)
        except OSError as error:
            self._fail(directory, name, error)

    def _remove_one(self, name: bytes) -> None:
        directory = self._chain.descriptor
        try:
            remove_entry(name, directory)
        except IsADirectoryError:
            if self._chain.depth or name != OF_THE_FILE_SYSTEM:
                remove_tree(name, directory)
