"""The catalog: an index of versions that can be rebuilt from the Vaults at any time."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec
from msgspec.structs import replace

from appshield.contracts.backups import VersionFacts
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Failure

CopyState = Literal["pending", "copying", "stored", "failed", "forgotten"]


class VersionCopy(msgspec.Struct, frozen=True, kw_only=True):
    """How a version stands in a further Vault.

    It exists there when it is `stored`, and then `snapshot_id` is what it is called there. A copy
    that `failed` says why and is tried again at `again_at`; with `vault_failed` the Vault could not
    be used at all, so other copies to it wait as well. One that was `forgotten` existed there and
    is not made again unless somebody asks for it. `run` is the last one that tried.
    """

    vault: str
    state: CopyState = "pending"
    snapshot_id: str = ""
    stored_at: datetime | None = None
    damage: VersionDamage | None = None
    verified_at: datetime | None = None
    run: str = ""
    attempts: int = 0
    failure: Failure | None = None
    vault_failed: bool = False
    again_at: datetime | None = None
    locked_until: datetime | None = None


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version as the catalog knows it, in `vault` and as copies in others.

    `damage` is what the last checks found unreadable in it; such a version is restored only when
    that is asked for. `verified_at` is when a check last read every byte of it. `locked_until` is
    how long object lock keeps it, as far as somebody has tried to remove it. `unchanged_at` is when
    a backup last found that the application still was as this version holds it.
    """

    facts: VersionFacts
    snapshot_id: str
    vault: str
    stored_at: datetime
    pinned: bool = False
    damage: VersionDamage | None = None
    verified_at: datetime | None = None
    copies: tuple[VersionCopy, ...] = ()
    locked_until: datetime | None = None
    unchanged_at: datetime | None = None

    @property
    def vaults(self) -> tuple[str, ...]:
        """Every Vault in which it exists, its own first."""
        return (self.vault, *(copy.vault for copy in self.copies if copy.state == "stored"))

    @property
    def holds_at(self) -> datetime:
        """The last moment at which the application is known to have been as this version."""
        return max(self.facts.cut_at, self.unchanged_at or self.facts.cut_at)

    def copy_at(self, vault: str) -> VersionCopy | None:
        """Return how its copy in a Vault stands, None where there is to be none."""
        return next((copy for copy in self.copies if copy.vault == vault), None)

    def at(self, vault: str) -> "VersionRecord | None":
        """Return the version as it is in one Vault, without copies; None where it is not."""
        if vault == self.vault:
            return replace(self, copies=())
        copy = self.copy_at(vault)
        if copy is None or copy.state != "stored":
            return None
        return replace(
            self,
            vault=vault,
            snapshot_id=copy.snapshot_id,
            stored_at=copy.stored_at or self.stored_at,
            damage=copy.damage,
            verified_at=copy.verified_at,
            locked_until=copy.locked_until,
            copies=(),
        )


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
