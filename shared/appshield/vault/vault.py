"""A Vault: a folder of a bucket that holds applications, everything in it sealed."""

import dataclasses
from collections.abc import Iterator

from appshield.errors import RefusedError
from appshield.objectstore import ObjectFacts, ObjectStore, S3ObjectStore
from appshield.vault.access import ApplicationIdentity, VaultAccess
from appshield.vault.sealed_objects import SealedObjects
from appshield.vault.shelf import APPLICATIONS, ApplicationShelf


class Vault:
    """The applications in one Vault. Calls block and may come from any thread."""

    def __init__(self, store: ObjectStore, root_key: bytes, name: str) -> None:
        self.name = name
        self._objects = SealedObjects(store, root_key, name)

    def __repr__(self) -> str:
        return f"<Vault {self.name} in {self._objects.store!r}>"

    def initialize(self) -> None:
        """Set the Vault up; a Vault that is set up with this root key stays as it is.

        Raises:
            DeniedError: it was set up with another root key.
        """
        self._objects.initialize()

    def vault_id(self) -> str:
        """Return the id that the Vault was given when it was set up.

        Raises:
            NotFoundError: it was not set up.
            DeniedError: it was set up with another root key.
            RefusedError: a newer AppShield wrote it.
            DamagedError: its marker is broken.
        """
        return self._objects.require()

    def applications(self) -> list[ApplicationIdentity]:
        """Return every application that ever had something stored here, ordered by id.

        Raises:
            DamagedError: an identity does not open; the message names it.
        """
        self._objects.require()
        shelves = map(self.application, sorted(self._objects.store.folders(APPLICATIONS)))
        identities = (shelf.identity() for shelf in shelves)
        return [identity for identity in identities if identity is not None]

    def application(self, app_id: str) -> ApplicationShelf:
        """Return the shelf of an application, which may still be empty; asks nothing."""
        return ApplicationShelf(self._objects, app_id)


def open_vault(access: VaultAccess) -> Vault:
    """Return the Vault; the first question to it tells whether it can be reached."""
    return Vault(store_of(access), access.root_key, access.name)


def store_of(access: VaultAccess) -> ObjectStore:
    """Return the store of a Vault, one that refuses writes where the access is read only."""
    store = S3ObjectStore(access.location, access.credentials)
    return _ReadOnly(store, access.name) if access.read_only else store


@dataclasses.dataclass(frozen=True)
class _ReadOnly:
    """A store that refuses every write."""

    store: ObjectStore
    vault_name: str

    def put(  # the arguments are the port's
        self,
        name: str,  # noqa: ARG002
        data: bytes | memoryview,  # noqa: ARG002
        *,
        only_if_absent: bool = False,  # noqa: ARG002
    ) -> None:
        raise self._refusal()

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        return self.store.get(name, offset=offset, length=length)

    def size(self, name: str) -> int | None:
        return self.store.size(name)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        return self.store.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        return self.store.folders(prefix)

    def delete(self, name: str) -> None:  # noqa: ARG002 - the port's
        raise self._refusal()

    def _refusal(self) -> RefusedError:
        return RefusedError(f"Vault {self.vault_name} is read only")
