"""Rewriting index files, so that they do not name some packs any more.

New files come first and old ones go then: at every moment the index names all that is needed. Files
that name nothing which goes stay as they are, unless many small ones can be made one.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from appshield.objectstore import ObjectRetainedError
from appshield.repository.index import Index, IndexDocument
from appshield.repository.index_writing import IndexWriter, delete_index_file
from appshield.repository.layout import list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.repository import Repository

SMALL_BYTES: Final = 512 << 10
"""An index file of a quarter of the blobs that go into one, or fewer."""

MANY_SMALL: Final = 8


class IndexRewrite:
    """Drops packs (rows of `index`, as it is in the store) from all index files."""

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        index: Index,
        *,
        dropped: AbstractSet[int],
        damaged: Iterable[str] = (),
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._index = index
        self._dropped = dropped
        self._damaged = frozenset(damaged)
        self._named = bytearray(len(index.tables.packs))

    def run(self) -> int:
        """Write new files and delete old ones; return how many could not be, as the store says.

        Damaged files go as well: what they named is lost or was named again before.

        Raises:
            LockLostError: the lock is gone; what was done is valid.
        """
        going = self._files_to_go()
        writer = IndexWriter(self._repository, self._lock)
        for identity in going:
            for pack in self._repository.read_index_file(identity).packs:
                if self._claim(pack.id):
                    writer.add_pack(pack)
        writer.flush()
        retained = 0
        for identity in (*going, *self._damaged):
            try:
                delete_index_file(self._repository, self._lock, identity)
            except ObjectRetainedError:
                retained += 1
        return retained

    def _files_to_go(self) -> list[str]:
        """Return the files that name what is dropped, or nothing but what larger ones name.

        Marks the packs that the files which stay name.
        """
        files = [
            (size_bytes, identity)
            for identity, size_bytes in list_files(self._repository.store, "index")
            if identity not in self._damaged
        ]
        small = [identity for size_bytes, identity in files if size_bytes <= SMALL_BYTES]
        going = small if len(small) >= MANY_SMALL else []
        for _, identity in sorted(files, reverse=True):
            if identity in going:
                continue
            document = self._repository.read_index_file(identity)
            if self._goes(document):
                going = [*going, identity]
            else:
                self._mark(document)
        return going

    def _mark(self, document: IndexDocument) -> None:
        for pack in document.packs:
            row = self._row(pack.id)
            if row >= 0:
                self._named[row] = 1

    def _claim(self, pack_id: str) -> bool:
        """Tell whether a pack has to be named by a new file; only once for each."""
        row = self._row(pack_id)
        if row < 0:
            return True  # younger than the index in memory: written by ourselves just now
        if self._named[row] or row in self._dropped:
            return False
        self._named[row] = 1
        return True

    def _goes(self, document: IndexDocument) -> bool:
        rows = [self._row(pack.id) for pack in document.packs]
        if any(row in self._dropped for row in rows):
            return True
        return all(row >= 0 and self._named[row] for row in rows)

    def _row(self, pack_id: str) -> int:
        return self._index.tables.packs.find(bytes.fromhex(pack_id))
