"""What the watcher tells about applications, and what is kept about each."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts.gates import Operation
from appshield.contracts.health import Health, Reacted, Reaction
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Event

RpoState = Literal["kept", "at-risk", "broken"]
RtoState = Literal["kept", "unproved", "at-risk", "broken"]
TriggerKind = Literal[
    "manual", "schedule", "rpo", "change", "signal", "health", "gate", "upkeep", "reaction"
]


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How many versions are kept of each calendar unit, and all of the last `within_s` seconds."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_s: int = 0


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most `count` times within any `window_s` seconds."""

    count: int
    window_s: int


class Blackout(msgspec.Struct, frozen=True, kw_only=True):
    """A window in which no backup starts: it opens on a schedule for `lasts_s` seconds."""

    schedule: str
    lasts_s: int
    timezone: str = "UTC"


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """One policy in force for an application: when it makes versions, where, how long they stay.

    Versions come into being in the first of its `targets` and are copied to the others; without
    any, those of the application count. In each of them they stay as `keep` says, or as `keep_in`
    says for that one; without either all.

    What belongs to a trigger: `schedule` with `timezone`, `jitter_s` and `missed`; `rpo_s`;
    `change_of` with `when`, CEL over `old` and `new`; `signal` with `when`, CEL over `payload`,
    `event` and `app`; `health`; `before`, what waits at a gate. `settle_s`, `at_most`, `blackout`
    and `priority` belong to all.
    """

    name: str
    trigger: TriggerKind
    schedule: str = ""
    timezone: str = "UTC"
    jitter_s: int = 0
    missed: Literal["run-once", "skip"] = "run-once"
    keep: Keep | None = None
    targets: tuple[str, ...] = ()
    keep_in: dict[str, Keep] = msgspec.field(default_factory=dict)
    before: tuple[Operation, ...] = ()
    rpo_s: int = 0
    change_of: tuple[str, ...] = ()
    signal: str = ""
    health: str = ""
    when: str = ""
    settle_s: int = 0
    at_most: Rate | None = None
    blackout: tuple[Blackout, ...] = ()
    priority: int = 0


class DescribedComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component, as policies see it."""

    name: str
    profile: str
    strategy: str
    workload_kind: str
    workload_name: str


class DescribedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume, as policies see it."""

    claim: str
    storage_class: str
    size_bytes: int


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What policies may ask about an application beside its type and criticality."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    namespace_labels: dict[str, str] = {}
    components: tuple[DescribedComponent, ...] = ()
    volumes: tuple[DescribedVolume, ...] = ()


class ApplicationObserved(
    Event, frozen=True, kw_only=True, tag="appshield.v1.application_observed"
):
    """What the watcher last saw of an Application object: its latest fact replaces older ones.

    `revision` is the digest of the document in force; `refused` says why the newest document is
    not (the last good revision stays in force then). `adopts` names the history that this object
    continues instead of starting its own. `protections` and `targets` are the document's own; a
    document without `targets_named` leaves them to policies. `again` counts further facts about one
    version of the object, as its namespace and volumes change without it.
    """

    noun: ClassVar[str] = "application"
    verb: ClassVar[str] = "observed"

    uid: str
    resource_version: str
    exists: bool
    revision: str = ""
    application_type: str = ""
    criticality: str = ""
    protections: tuple[Protection, ...] = ()
    targets: tuple[str, ...] = ("primary",)
    adopts: str = ""
    refused: str = ""
    targets_named: bool = True
    described: Described = Described()
    again: int = 0

    def message_id(self) -> str:
        """Name the fact after the object's uid and version."""
        seen = f"seen.{self.again}" if self.again else "seen"
        return f"{self.uid}.{self.resource_version}.{seen if self.exists else 'gone'}"


class OwnProtection(msgspec.Struct, frozen=True, kw_only=True):
    """What an application's document says by itself; without targets policies name them."""

    protections: tuple[Protection, ...] = ()
    targets: tuple[str, ...] = ()


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Since when, by whom and why nothing begins by itself for an application."""

    at: datetime
    actor: str = ""
    reason: str = ""


class PauseChanged(Event, frozen=True, kw_only=True, tag="appshield.v1.pause_changed"):
    """An application was paused, or is not paused any more."""

    noun: ClassVar[str] = "pause"
    verb: ClassVar[str] = "changed"

    request: str
    paused: bool
    actor: str = ""
    reason: str = ""

    def message_id(self) -> str:
        """Name the fact after the request that asked for it."""
        return f"pause.{self.request}"


class Rpo(msgspec.Struct, frozen=True, kw_only=True):
    """How the age of the newest good version is, against what was promised.

    `at-risk`: the next backup, as long as it usually takes, would end too late. The age counts from
    `counted_from`: the moment of the good version `version`, or while there is none (0) since when
    the promise is known. `since` is when the state became this one.
    """

    promised_s: int
    state: RpoState
    since: datetime
    counted_from: datetime
    version: int = 0


class MeasuredRestore(msgspec.Struct, frozen=True, kw_only=True):
    """How long the last restore of a whole version took that succeeded.

    For `loading_s` of that, data was loaded into volumes; the version held `content_bytes`. Both
    are 0 where nobody knows.
    """

    run: str
    version: int
    took_s: float
    ended_at: datetime
    bytes_written: int = 0
    loading_s: float = 0
    content_bytes: int = 0


class Rto(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes to bring the application back, against what was promised.

    `unproved`: no whole version was restored yet. `at-risk`: the next restore is expected to take
    too long, or the one under way is. `broken`: the last one took too long, or the one under way
    does by now. `expected_s` is how long the next one may take, or the one that is late; 0 while
    nobody knows. `version` is what it would bring back, `run` the restore that is under way or was
    measured. `since` is when the state became this one.
    """

    promised_s: int
    state: RtoState
    since: datetime
    expected_s: float = 0
    version: int = 0
    run: str = ""


class RtoChanged(Event, frozen=True, kw_only=True, tag="appshield.v1.rto_changed"):
    """The promise about the time of a restore is at risk, broken, or kept again."""

    noun: ClassVar[str] = "rto"
    verb: ClassVar[str] = "changed"

    app_id: str
    rto: Rto

    def message_id(self) -> str:
        """Name the fact after application, state, and the restore and version that it is about."""
        rto = self.rto
        return f"{self.app_id}.rto.{rto.state}.{rto.run}.{rto.version}.{rto.promised_s}"


class RpoChanged(Event, frozen=True, kw_only=True, tag="appshield.v1.rpo_changed"):
    """The promise about the age of the newest version is at risk, broken, or kept again."""

    noun: ClassVar[str] = "rpo"
    verb: ClassVar[str] = "changed"

    app_id: str
    rpo: Rpo

    def message_id(self) -> str:
        """Name the fact after application, state and the version that it is about."""
        return f"{self.app_id}.rpo.{self.rpo.state}.{self.rpo.version}.{self.rpo.promised_s}"


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """When the repository of an application in one Vault was last pruned and checked.

    `unpruned`: something was forgotten since, or unneeded data waits for the end of its grace.
    `problems` are what the last check found wrong beside damaged versions.
    """

    vault: str
    unpruned: bool = False
    pruned_at: datetime | None = None
    checked_at: datetime | None = None
    problems: tuple[str, ...] = ()


class SignalProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why the expression `when` of a rule has no answer for the signals that come; since when."""

    when: str
    why: str
    since: datetime


class ApplicationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner keeps about one history of versions, under its `app_id`.

    `orphaned`: the object is gone, its versions stay. `vault` is where versions come into being,
    the first of `targets`; the others get copies. `highest_version` is the highest number that was
    taken, None before the first; it only grows. `active_version` is the one that was taken for the
    active run when that is a backup, and used unless the repository has a higher one.

    `protections` and `targets` are in force: made from the document's `own` ones and from the
    `policies` that match; so are `reactions`, and `reacted` says how far they are. `undecided`
    names policies without an answer, each with the reason; `findings` say what documents say twice
    or differently.

    `healthy_until` is when the application stopped being healthy, None while it is or nobody knows;
    `restored_at` when the last restore into it ended; `unproven_since` when a reaction began one
    after which the application has not been healthy yet.

    While it is `paused` nothing that changes the application or its versions begins by itself.
    `awaiting_approval` names runs that somebody has to approve of. `asked` is the rule for
    versions that were asked for with a number that stay, as the newest of these requests says it.

    `unchanged_at` is when a backup last found nothing changed since the newest good version.

    `signal_problems` says of each rule on a signal why the last one had no answer, until one has.

    `begun` says of each rule with a rate when its latest runs began, no more than the rate counts.
    `expected_backup_s` is how long the next backup may take, `usual_nodes` are where the last one
    read its data; both are unknown before the first.

    `rpo_alert_s` is the strictest age that a policy alerts about, 0 for none; `rpo` how the promise
    stands, None where nothing is promised. `rto_alert_s` is the shortest time for a restore that a
    policy promises, 0 for none; `last_restore` how long the last one of a whole version took, and
    `rto` how the promise stands.
    """

    app_id: str
    app: AppRef
    uid: str
    vault: str
    state: Literal["active", "orphaned"]
    revision: str = ""
    resource_version: str = ""
    application_type: str = ""
    criticality: str = ""
    protections: tuple[Protection, ...] = ()
    refused: str = ""
    highest_version: int | None = None
    active_run: str = ""
    active_version: int | None = None
    pending_runs: tuple[str, ...] = ()
    last_version: int = 0
    last_backup_at: datetime | None = None
    unchanged_at: datetime | None = None
    upkeep: tuple[Upkeep, ...] = ()
    targets: tuple[str, ...] = ()
    own: OwnProtection | None = None
    described: Described = Described()
    policies: tuple[str, ...] = ()
    undecided: dict[str, str] = {}
    findings: tuple[str, ...] = ()
    health: Health | None = None
    healthy_until: datetime | None = None
    restored_at: datetime | None = None
    unproven_since: datetime | None = None
    reactions: tuple[Reaction, ...] = ()
    reacted: tuple[Reacted, ...] = ()
    paused: Pause | None = None
    awaiting_approval: tuple[str, ...] = ()
    asked: Protection | None = None
    begun: dict[str, tuple[datetime, ...]] = {}
    expected_backup_s: float = 0
    usual_nodes: tuple[str, ...] = ()
    rpo_alert_s: int = 0
    rpo: Rpo | None = None
    rto_alert_s: int = 0
    last_restore: MeasuredRestore | None = None
    rto: Rto | None = None
    signal_problems: dict[str, SignalProblem] = {}
