"""A run: one key in a bucket that holds its state, its steps and its outbox.

New state and outbox are written together by compare-and-set; then the outbox is published; then it
is cleared; then the cause is acknowledged. Whoever takes over publishes what is left.
"""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts import subjects
from appshield.contracts.applications import TriggerKind
from appshield.contracts.backups import DocumentRevision, SnapshotTaken
from appshield.contracts.health import Health
from appshield.contracts.identities import AppRef, RunKind
from appshield.contracts.maintenance import (
    CheckProgress,
    CopyProgress,
    ForgetProgress,
    NamedVersion,
    PinProgress,
    PruneProgress,
    RepairProgress,
    VersionsAt,
)
from appshield.contracts.message import Door, Event, Message, StepEvent
from appshield.contracts.restores import ImagesPushed, RestorePlanned
from appshield.contracts.sources import StoredSource, VolumeChanges, VolumeTarget

RunState = Literal[
    "pending",
    "awaiting-approval",
    "running",
    "ending",
    "succeeded",
    "failed",
    "cancelled",
    "folded",
]
EndState = Literal["succeeded", "failed", "cancelled"]
StepState = Literal["running", "done", "failed"]
FINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled", "folded"})


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed, for a person: what, why, and the next step."""

    what: str
    why: str = ""
    next_step: str = ""

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text.rstrip('.')}. {self.next_step}" if self.next_step else text


class StepFailed(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.step_failed"):
    """A step ended without success; `again` says whether a new attempt may succeed.

    `elsewhere`: what was missing or unreadable may be found in another Vault that has the version.
    """

    noun: ClassVar[str] = "step"
    verb: ClassVar[str] = "failed"

    failure: Failure
    again: bool = False
    elsewhere: bool = False


class OutboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is promised and may not be published yet.

    `at` makes it a timer that is published to its due subject then.
    """

    subject: str
    message_id: str
    body: msgspec.Raw
    at: datetime | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run: attempts, times, and who did it."""

    name: str
    state: StepState
    attempt: int
    epoch: int
    started_at: datetime
    deadline_at: datetime
    node: str = ""
    worker: str = ""
    finished_at: datetime | None = None
    failure: Failure | None = None


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run exists. `identity` is unique: the same trigger is the same run.

    `door` is that of whoever asked, None for what AppShield began by itself.
    """

    kind: TriggerKind
    identity: str
    name: str = ""
    actor: str = ""
    reason: str = ""
    at: datetime | None = None
    door: Door | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who let a run begin that waited for it."""

    actor: str
    at: datetime


WaitReason = Literal["settle", "at-most", "blackout", "limit"]


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run that could begin does not yet: its rule's settle time, rate or window, or a limit.

    `until` is when it may begin, None where that depends on other runs; `since` when it was asked
    for first, however often it was meanwhile.
    """

    reason: WaitReason
    why: str
    since: datetime
    until: datetime | None = None


class BackupProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup has gathered so far.

    `newest` is the newest good version, where one is made only if something changed since;
    `unchanged` its number, once nothing was found to have. `health` is how the application was
    when the point in time was cut, `policies` those that were in force for it then.
    """

    taken: SnapshotTaken | None = None
    stored: tuple[StoredSource, ...] = ()
    newest: NamedVersion | None = None
    unchanged: int = 0
    health: Health | None = None
    policies: tuple[DocumentRevision, ...] = ()


class RestoreProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore is asked for and has gathered so far.

    When the run's Vault fails it, it goes on with the next one of `elsewhere`; `given_up` says
    which Vaults did, and why.
    """

    version: int
    snapshot_id: str
    target_namespace: str
    paths: tuple[str, ...] = ()
    existing: bool = False
    delete_extra: bool = False
    registry: str = ""
    dry_run: bool = False
    planned: RestorePlanned | None = None
    prepared: tuple[VolumeTarget, ...] = ()
    bytes_written: int = 0
    problems: tuple[str, ...] = ()
    keep_going: bool = False
    lost: tuple[str, ...] = ()
    lost_total: int = 0
    elsewhere: tuple[VersionsAt, ...] = ()
    given_up: tuple[str, ...] = ()
    changes: tuple[VolumeChanges, ...] = ()
    images: ImagesPushed | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it brings back a whole version: how long that takes is the recovery time."""
        return not self.dry_run and not self.paths


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one run; written by the planner only.

    `ending` means that what the run made is being removed; it then `ends_as` something. A trigger
    that came while another of its kind was waiting is `folded_into` that one; so is a prune that
    gave way to a backup, into the one that goes on with it. A run that `needs_approval` is
    `awaiting-approval` until somebody gives it, and holds nothing up meanwhile.
    While it is pending, `wait` says what holds it back beside other runs of its application; of all
    that could begin, the one of the highest `priority` does. A backup `only_if_changed` makes no
    version where nothing changed since the newest good one, and has no number then.
    """

    id: str
    kind: RunKind
    app: AppRef
    app_id: str
    uid: str = ""
    vault: str
    trigger: Trigger
    state: RunState
    ends_as: EndState = "succeeded"
    folded_into: str = ""
    epoch: int
    requested_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int | None = None
    snapshot_id: str = ""
    steps: tuple[Step, ...] = ()
    outbox: tuple[OutboxEntry, ...] = ()
    failure: Failure | None = None
    backup: BackupProgress | None = None
    restore: RestoreProgress | None = None
    forget: ForgetProgress | None = None
    prune: PruneProgress | None = None
    check: CheckProgress | None = None
    repair: RepairProgress | None = None
    pin: PinProgress | None = None
    copy: CopyProgress | None = None
    needs_approval: bool = False
    approval: Approval | None = None
    wait: Wait | None = None
    priority: int = 0
    only_if_changed: bool = False


class RunChanged(Event, frozen=True, kw_only=True, tag="appshield.v1.run_changed"):
    """A run entered another state."""

    noun: ClassVar[str] = "run"
    verb: ClassVar[str] = "changed"

    run: str
    kind: RunKind
    state: RunState
    epoch: int
    version: int | None = None
    failure: Failure | None = None

    def message_id(self) -> str:
        """Name the fact after run and state."""
        return f"{self.run}.{self.state}"


class StepDue(Event, frozen=True, kw_only=True, tag="appshield.v1.step_due"):
    """The deadline of a step's attempt has come."""

    noun: ClassVar[str] = "step"
    verb: ClassVar[str] = "due"

    run: str
    step: str
    attempt: int
    epoch: int

    def message_id(self) -> str:
        """Name the timer after run, step and attempt."""
        return f"{self.run}.{self.step}.{self.attempt}.{self.epoch}.due"


class ScheduleDue(Event, frozen=True, kw_only=True, tag="appshield.v1.schedule_due"):
    """A protection's next time has come."""

    noun: ClassVar[str] = "schedule"
    verb: ClassVar[str] = "due"

    app_id: str
    protection: str
    revision: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application, protection and time."""
        return f"{self.app_id}.{self.protection}.{int(self.at.timestamp())}.{self.revision[:12]}"


class RpoDue(Event, frozen=True, kw_only=True, tag="appshield.v1.rpo_due"):
    """A backup has to begin now, so that the newest version does not become too old."""

    noun: ClassVar[str] = "rpo"
    verb: ClassVar[str] = "due"

    app_id: str
    protection: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application, protection and time."""
        return f"{self.app_id}.{self.protection}.rpo.{int(self.at.timestamp())}"


class WaitOver(Event, frozen=True, kw_only=True, tag="appshield.v1.wait_over"):
    """The time has come until which a run was held back."""

    noun: ClassVar[str] = "wait"
    verb: ClassVar[str] = "over"

    run: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after run and time."""
        return f"{self.run}.wait.{int(self.at.timestamp())}"


class UpkeepDue(Event, frozen=True, kw_only=True, tag="appshield.v1.upkeep_due"):
    """The daily moment has come to keep an application's repositories in order."""

    noun: ClassVar[str] = "upkeep"
    verb: ClassVar[str] = "due"

    app_id: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application and time."""
        return f"{self.app_id}.upkeep.{int(self.at.timestamp())}"


class CopyDue(Event, frozen=True, kw_only=True, tag="appshield.v1.copy_due"):
    """The time has come to try again what could not be copied."""

    noun: ClassVar[str] = "copy"
    verb: ClassVar[str] = "due"

    app_id: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application and time."""
        return f"{self.app_id}.copy.{int(self.at.timestamp())}"


class RpoAlertDue(Event, frozen=True, kw_only=True, tag="appshield.v1.rpo_alert_due"):
    """The time has come to look whether what is promised about recovery is at risk, or broken."""

    noun: ClassVar[str] = "rpo"
    verb: ClassVar[str] = "alert"

    app_id: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application and time."""
        return f"{self.app_id}.rpo-alert.{int(self.at.timestamp())}"


class Progress(Event, frozen=True, kw_only=True, tag="appshield.v1.progress"):
    """How far a step has come; may be lost, and is never stored."""

    noun: ClassVar[str] = "progress"
    verb: ClassVar[str] = "made"

    run: str
    step: str
    worker: str
    bytes_done: int
    bytes_total: int = 0
    bytes_stored: int = 0


class LogLine(Message, frozen=True, kw_only=True, tag="appshield.v1.log_line"):
    """What a service logged about a run; the oldest lines go first."""

    run: str
    service: str
    level: str
    event: str
    at: datetime
    fields: dict[str, str] = msgspec.field(default_factory=dict)

    def subject(self) -> str:
        """Name the subject of this service's lines about this run."""
        return subjects.log(self.run, self.service)

    def message_id(self) -> str:
        """Name the line after run, service and moment."""
        return f"{self.run}.{self.service}.{self.at.timestamp():.6f}"
