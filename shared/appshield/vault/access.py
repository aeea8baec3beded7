"""What is needed to reach a Vault, and who is kept in it: plain values."""

from datetime import datetime

import msgspec

from appshield.objectstore import LockMode, Retention, S3Credentials, S3Location, StoreAccess

DAY_S = 24 * 3600.0
KEPT_BESIDE = (
    "vault.json",
    "applications/*/identity",
    "applications/*/key",
    "applications/*/recovery",
    "audit/*/*",
)
"""Without them no repository could be opened; they are kept like what is in it, as is the audit."""


def vault_retention(mode: LockMode, days: float) -> Retention:
    """Return what an object lock of so many days keeps in a Vault."""
    from appshield.repository.retaining import KEPT_NAMES

    return Retention(mode, days * DAY_S, names=(*KEPT_NAMES, *KEPT_BESIDE))


class VaultAccess(msgspec.Struct, frozen=True):
    """Where a Vault is, who asks, and its root key. Secrets appear in no representation."""

    name: str
    location: S3Location
    credentials: S3Credentials
    root_key: bytes
    read_only: bool = False
    retention: Retention | None = None
    """What is kept from being deleted, None without object lock."""
    agent_credentials: S3Credentials | None = None
    """Those that agents on nodes are lent instead, which should not be able to delete."""

    def __repr__(self) -> str:
        mode = ", read only" if self.read_only else ""
        return f"VaultAccess({self.name}, {self.location}{mode}, root_key=…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("name", self.name), ("location", self.location), ("read_only", self.read_only)]


class RepositoryAccess(msgspec.Struct, frozen=True):
    """What opens one application's repository, and nothing else of its Vault."""

    store: StoreAccess
    password: str
    recovery: bytes | None = None
    """What opens it without its small files, where that was kept."""

    def __repr__(self) -> str:
        return "RepositoryAccess(…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


class ApplicationIdentity(msgspec.Struct, frozen=True):
    """An application whose versions are kept, as it was when its identity was minted."""

    app_id: str
    cluster: str
    namespace: str
    name: str
    uid: str
    minted_at: datetime
