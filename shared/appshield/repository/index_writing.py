"""Writing index files for packs that are durable, some 50,000 blobs in each."""

from collections.abc import Iterable
from typing import Final

from appshield.repository.index_documents import IndexDocument, IndexedPack, indexed_pack
from appshield.repository.layout import file_name
from appshield.repository.locks import RepositoryLock
from appshield.repository.packs import PackEntry, pack_size_bytes
from appshield.repository.repository import Repository

MOST_BLOBS: Final = 50_000
MOST_BYTES: Final = 2 << 30
"""So much of new packs at most is not found again after a crash."""


class IndexWriter:
    """Collects packs and writes index files; `flush` writes the last one. One thread at a time."""

    def __init__(self, repository: Repository, lock: RepositoryLock) -> None:
        self._repository = repository
        self._lock = lock
        self._packs: list[IndexedPack] = []
        self._blobs = 0
        self._bytes = 0
        self.files = 0

    def add(self, pack_id: str, entries: Iterable[PackEntry]) -> None:
        """Take a new pack.

        Raises:
            LockLostError: the lock is gone, the index was not written.
        """
        entries = tuple(entries)
        self._bytes += pack_size_bytes(entries)
        self.add_pack(indexed_pack(pack_id, entries))

    def add_pack(self, pack: IndexedPack) -> None:
        """Take a pack as another index file names it; raises as `add`."""
        self._packs.append(pack)
        self._blobs += len(pack.blobs)
        if self._blobs >= MOST_BLOBS or self._bytes >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet; raises as `add`."""
        if not self._packs:
            return
        file = self._repository.sealed_files.seal(IndexDocument(self._packs))
        self._lock.ensure_held()
        self._repository.sealed_files.put("index", file)
        self._packs = []
        self._blobs = self._bytes = 0
        self.files += 1


def delete_index_file(repository: Repository, lock: RepositoryLock, identity: str) -> None:
    """Delete an index file of which everything that counts is named by others.

    Raises:
        LockLostError: the lock is gone, nothing was deleted.
        ObjectRetainedError: the store keeps it.
    """
    lock.ensure_held()
    repository.store.delete(file_name("index", identity))
