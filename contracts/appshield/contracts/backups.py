"""The steps of a backup: open the repository, take a snapshot, store, commit, release."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts.applications import TriggerKind
from appshield.contracts.health import Health
from appshield.contracts.identities import AppRef
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.sources import AnySource, Consistency, StoredSource


class OpenRepository(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.open_repository"):
    """Make sure that the application's repository exists and tell its highest version."""

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "open"
    harmless_twice: ClassVar[bool] = True

    uid: str = ""


class RepositoryOpened(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.repository_opened"):
    """The repository can be written; no version above `highest_version` was ever promised."""

    noun: ClassVar[str] = "repository"
    verb: ClassVar[str] = "opened"

    highest_version: int


class TakeSnapshot(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.take_snapshot"):
    """Cut a point in time: read the manifests, quiesce, snapshot the volumes, resume."""

    noun: ClassVar[str] = "snapshot"
    verb: ClassVar[str] = "take"

    revision: str = ""


class DocumentRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A content of a document, by the digest under which it is kept."""

    kind: Literal["Policy", "Profile"]
    name: str
    revision: str


class SnapshotTaken(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.snapshot_taken"):
    """The application runs on; its sources are ready to be read.

    `cut_at` is when the point in time was cut, `quiesced_ms` how long the application waited.
    `states` are digests of what each workload and claim said, by `Kind/name`: gates compare them.
    `kinds` are those of all its objects, as `Kind.group`: who restores must be able to create them.
    `profiles` are those that its components took values from.
    """

    noun: ClassVar[str] = "snapshot"
    verb: ClassVar[str] = "taken"

    sources: tuple[AnySource, ...]
    consistency: Consistency
    revision: str
    cut_at: datetime
    quiesced_ms: int = 0
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    states: dict[str, str] = msgspec.field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    profiles: tuple[DocumentRevision, ...] = ()


class ReleaseSnapshot(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.release_snapshot"):
    """Remove everything that taking the snapshot made, and resume what is still quiesced."""

    noun: ClassVar[str] = "snapshot"
    verb: ClassVar[str] = "release"


class SnapshotReleased(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.snapshot_released"):
    """Nothing of the run is left in the cluster."""

    noun: ClassVar[str] = "snapshot"
    verb: ClassVar[str] = "released"


class StoreSource(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.store_source"):
    """Read one source and store it in the repository."""

    noun: ClassVar[str] = "source"
    verb: ClassVar[str] = "store"

    source: AnySource


class SourceStored(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.source_stored"):
    """The source is in the repository, every byte of it."""

    noun: ClassVar[str] = "source"
    verb: ClassVar[str] = "stored"

    stored: StoredSource


class VersionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a version says about itself; kept inside the version and in the catalog.

    `revision` is that of the application's own document; `documents` are the other ones that made
    it: policies that matched, and profiles that components took values from.

    `states` are digests of what each workload and claim said, by `Kind/name`. `kinds` are those of
    all its objects, as `Kind.group`; a version of before they were written down has none. `health`
    is how the application was when the point in time was cut, None where nobody knew.
    """

    app: AppRef
    app_id: str
    uid: str
    number: int
    run: str
    revision: str
    consistency: Consistency
    cut_at: datetime
    trigger: TriggerKind
    trigger_name: str = ""
    actor: str = ""
    quiesced_ms: int = 0
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    sources: tuple[StoredSource, ...] = ()
    states: dict[str, str] = {}
    kinds: tuple[str, ...] = ()
    health: Health | None = None
    documents: tuple[DocumentRevision, ...] = ()


class CommitBackup(StepCommand, frozen=True, kw_only=True, tag="appshield.v1.commit_backup"):
    """Join the stored sources into one version and make it exist.

    With `newest_snapshot_id` none is made where that version holds the same: it is unchanged then.
    """

    noun: ClassVar[str] = "backup"
    verb: ClassVar[str] = "commit"

    facts: VersionFacts
    newest_snapshot_id: str = ""


class BackupStored(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.backup_stored"):
    """The version exists: its snapshot document is in the repository."""

    noun: ClassVar[str] = "backup"
    verb: ClassVar[str] = "stored"

    facts: VersionFacts
    snapshot_id: str
    vault: str


class BackupUnchanged(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.backup_unchanged"):
    """No version was made: version `number` holds all that the application was at `cut_at`."""

    noun: ClassVar[str] = "backup"
    verb: ClassVar[str] = "unchanged"

    app_id: str
    vault: str
    number: int
    snapshot_id: str
    cut_at: datetime


class SourcesLost(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.sources_lost"):
    """Before the commit, stored data was found missing: these sources must be stored again."""

    noun: ClassVar[str] = "backup"
    verb: ClassVar[str] = "refused"

    sources: tuple[str, ...]
    why: str
