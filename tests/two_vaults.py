"""One application in two Vaults, `main` and `other`, as an uploader sees them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from appshield.objectstore import MemoryObjectStore
from appshield.repository import (
    Repository,
    RepositoryLock,
    SnapshotDocument,
    Writer,
    seal_snapshot,
)
from appshield.repository.files import store_documents
from appshield.vault import ApplicationShelf, Vault
from memory_bus import MemoryBus
from repository_content import SWIFT

APP_ID = "a-1"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class TwoVaults:
    """The stores of both, and a bus on which locks are on record."""

    def __init__(self) -> None:
        self.bus = MemoryBus("uploader")
        self.stores = {name: MemoryObjectStore() for name in ("main", "other")}
        for name in self.stores:
            self.vault(name).initialize()

    def vault(self, name: str) -> Vault:
        """Return one of them."""
        return Vault(self.stores[name], bytes(31) + name[:1].encode(), name)

    async def open(self, name: str) -> Vault:
        """Return one of them, for a custody."""
        return self.vault(name)

    def shelf(self, name: str = "main") -> ApplicationShelf:
        """Return what one of them keeps of the application."""
        return self.vault(name).application(APP_ID)

    def repository(self, name: str = "main") -> Repository:
        """Open the repository that one of them keeps, for writing."""
        shelf = self.shelf(name)
        return Repository.create(shelf.repository_store, shelf.repository_password())

    def publish(self, files: Mapping[str, bytes], *tags: str) -> str:
        """Store a version with these files in `main`; return the id of its document."""
        repository = self.repository()
        with RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock:
            with Writer(repository, lock) as writer:
                tree = store_documents(files, writer, mtime_ns=0)
            document = SnapshotDocument(
                time=NOW,
                tree=tree.hex(),
                paths=("/shop/shop",),
                hostname="appshield-test",
                tags=tags,
            )
            sealed = seal_snapshot(repository, document)
            repository.publish_snapshot(sealed, lock=lock)
        return sealed.snapshot_id
