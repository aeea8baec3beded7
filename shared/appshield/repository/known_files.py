"""What was read of a repository lately: its snapshots and its index, as they were read last.

Which files there are, the store is asked each time. What is in one is read once: a file is called
by its bytes, so it never changes.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final

from appshield.repository.index import Index
from appshield.repository.index_documents import IndexDocument
from appshield.repository.snapshots import SnapshotDocument
from appshield.repository.tables import IndexTables

KNOWN_INDEX_BYTES: Final = 4 << 20
"""A larger index, of some 80,000 blobs, is read anew: to read it is little beside its backup."""

_SNAPSHOT_BYTES: Final = 1024
"""What a snapshot takes in memory, about."""


class KnownFiles:
    """Remembers for one repository; thread-safe."""

    def __init__(self) -> None:
        self.documents: dict[str, SnapshotDocument] = {}
        self._changing = threading.Lock()
        self._identities: frozenset[str] = frozenset()
        self._tables: IndexTables | None = None

    @property
    def size_bytes(self) -> int:
        """How much memory this takes, about."""
        tables = self._tables
        return len(self.documents) * _SNAPSHOT_BYTES + (tables.size_bytes if tables else 0)

    def forget(self) -> None:
        """Remember nothing."""
        self.documents.clear()
        with self._changing:
            self._identities, self._tables = frozenset(), None

    def index(self, identities: Iterable[str], read: Callable[[str], IndexDocument]) -> Index:
        """Return the sum of these index files; `read` is asked for those that are not known.

        Where one of the known ones is gone, all are read: others took its place.
        """
        wanted = frozenset(identities)
        with self._changing:
            known, tables = self._identities, self._tables
        if tables is None or not known <= wanted:
            known, tables = frozenset(), None
        if tables is None or known != wanted:
            new = map(read, sorted(wanted - known))
            tables = Index.of_documents(new, earlier=tables).tables
            with self._changing:
                is_small = tables.size_bytes <= KNOWN_INDEX_BYTES
                self._identities = wanted if is_small else frozenset()
                self._tables = tables if is_small else None
        return Index(tables)
