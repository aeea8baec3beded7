"""The catalog: an index of versions that can be rebuilt from the Vaults at any time."""

from datetime import datetime
from typing import ClassVar

import msgspec

from appshield.contracts.backups import VersionFacts
from appshield.contracts.message import StepCommand, StepEvent


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version as the catalog knows it."""

    facts: VersionFacts
    snapshot_id: str
    vault: str
    stored_at: datetime
    pinned: bool = False


class RebuildCatalog(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.rebuild_catalog"):
    """Read a Vault and tell every application and version that is in it."""

    noun: ClassVar[str] = "catalog"
    verb: ClassVar[str] = "rebuild"


class ApplicationFound(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.application_found"):
    """A Vault holds the history of this application, with exactly these versions."""

    noun: ClassVar[str] = "application"
    verb: ClassVar[str] = "found"

    app_id: str
    uid: str
    vault: str
    highest_version: int
    versions: tuple[VersionRecord, ...]
    damaged: tuple[str, ...] = ()

    def message_id(self) -> str:
        """Name the finding after run, attempt and application."""
        return f"{self.run}.{self.step}.{self.attempt}.{self.app_id}"


class CatalogRebuilt(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.catalog_rebuilt"):
    """The whole Vault was read."""

    noun: ClassVar[str] = "catalog"
    verb: ClassVar[str] = "rebuilt"

    applications: int
    versions: int
