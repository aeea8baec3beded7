"""A Vault: a folder of a bucket that holds applications, everything in it sealed."""

from appshield.objectstore import ObjectStore, S3Access, S3Credentials, open_store
from appshield.vault.access import ApplicationIdentity, VaultAccess
from appshield.vault.audit_shelf import AuditShelf
from appshield.vault.sealed_objects import SealedObjects
from appshield.vault.shelf import APPLICATIONS, ApplicationShelf, repository_folder


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

    def audit(self) -> AuditShelf:
        """Return the shelf of the audit, which may still be empty; asks nothing."""
        return AuditShelf(self._objects)


def open_vault(access: VaultAccess) -> Vault:
    """Return the Vault; the first question to it tells whether it can be reached."""
    return Vault(store_of(access), access.root_key, access.name)


def store_of(access: VaultAccess) -> ObjectStore:
    """Return the store of a Vault, one that refuses writes where the access is read only."""
    return open_store(_store(access, access.credentials))


def repository_store(access: VaultAccess, app_id: str) -> S3Access:
    """Return where an application's repository is, with the credentials that agents are to have."""
    credentials = access.agent_credentials or access.credentials
    return _store(access, credentials).below(repository_folder(app_id))


def _store(access: VaultAccess, credentials: S3Credentials) -> S3Access:
    read_only_for = f"Vault {access.name}" if access.read_only else ""
    return S3Access(access.location, credentials, read_only_for, access.retention)
