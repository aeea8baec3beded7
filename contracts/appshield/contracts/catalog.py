"""The catalog: an index of versions that can be rebuilt from the Vaults at any time."""

from datetime import datetime
from typing import ClassVar

import msgspec

from appshield.contracts.backups import VersionFacts
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.message import StepCommand, StepEvent


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version as the catalog knows it.

    `damage` is what the last checks found unreadable in it; such a version is restored only when
    that is asked for. `verified_at` is when a check last read every byte of it.
    """

    facts: VersionFacts
    snapshot_id: str
    vault: str
    stored_at: datetime
    pinned: bool = False
    damage: VersionDamage | None = None
    verified_at: datetime | None = None


class RebuildCatalog(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.rebuild_catalog"):
    """Read a Vault and tell every application and version that is in it."""

    noun: ClassVar[str] = "catalog"
    verb: ClassVar[str] = "rebuild"


class ApplicationFound(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.application_found"):
    """A Vault holds the history of this application, with exactly these versions.

    A long history is told in parts: these are the versions numbered `first` to `last`, the last
    part having no end (0). Parts are independent of each other and may come in any order. Nothing
    is said about what came into being after `listed_at`, nor about versions that are not among
    these when something is `damaged`: it may be they.
    """

    noun: ClassVar[str] = "application"
    verb: ClassVar[str] = "found"

    app_id: str
    uid: str
    vault: str
    highest_version: int
    versions: tuple[VersionRecord, ...]
    damaged: tuple[str, ...] = ()
    first: int = 0
    last: int = 0
    listed_at: datetime | None = None

    def message_id(self) -> str:
        """Name the finding after run, attempt, application and part."""
        return f"{self.run}.{self.step}.{self.attempt}.{self.app_id}.{self.first}"

    def covers(self, number: int) -> bool:
        """Say whether this part tells about the version of that number."""
        return self.first <= number and (not self.last or number <= self.last)


class CatalogRebuilt(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.catalog_rebuilt"):
    """The whole Vault was read."""

    noun: ClassVar[str] = "catalog"
    verb: ClassVar[str] = "rebuilt"

    applications: int
    versions: int
