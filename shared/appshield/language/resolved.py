"""The resolved model: an application and a vault with nothing left open.

Durations are seconds, a trigger is exactly one variant, and every default is filled in. Values of
these types are made by `resolving` alone.
"""

from typing import Literal, TypeAlias

import msgspec

from appshield.language import defaults
from appshield.language.component_spec import HookPods, OnError, Strategy, VolumeMethod, Workload
from appshield.language.kinds import Images
from appshield.language.protection import Action, Gated, Health, Missed, SecretReference
from appshield.language.resources import NamedObject, Requirement
from appshield.language.values import RateLimit
from appshield.language.vault_spec import Addressing, LockMode

DATABASE_PREFIX = "database/"

Origin = Literal["document", "annotation", "profile", "default"]
"""Where a value comes from; an annotation is a hook that was written for another tool."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the resolved model; nothing in it is left open."""


class ResolvedHook(Resolved, frozen=True, kw_only=True):
    """A command in a container; an empty `container` is the pod's first one."""

    command: tuple[str, ...]
    container: str
    timeout_s: int
    on_error: OnError
    pods: HookPods


class ResolvedSelector(Resolved, frozen=True, kw_only=True):
    """Conditions on labels that must all hold; none of them holds for everything."""

    match_labels: dict[str, str]
    match_expressions: tuple[Requirement, ...]


class ResolvedComponent(Resolved, frozen=True, kw_only=True):
    """A part of the application with state of its own.

    `origins` says of each field, as the document calls it, where its value comes from.
    """

    name: str
    workload: Workload
    profile: str
    strategy: Strategy
    quiesce: ResolvedHook | None
    resume: ResolvedHook | None
    dump: ResolvedHook | None
    load: ResolvedHook | None
    volume_method: VolumeMethod
    excluded_volumes: tuple[str, ...]
    volume_selector: ResolvedSelector | None = None
    single_volume: bool
    data_of: str = ""
    allow_live: bool
    origins: dict[str, Origin]

    @property
    def is_database(self) -> bool:
        """Whether its files are useless when read while it writes."""
        return self.profile.startswith(DATABASE_PREFIX)


class ResolvedResources(Resolved, frozen=True, kw_only=True):
    """Which objects belong to it; without a selector and names all of the namespace."""

    selector: ResolvedSelector | None
    objects: tuple[NamedObject, ...] = ()
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    follow: bool


class Schedule(Resolved, frozen=True, kw_only=True, tag="schedule"):
    """Cron in a time zone, each application at its own moment within `jitter_s`."""

    cron: str
    timezone: str = defaults.TIMEZONE
    jitter_s: int = 0
    missed: Missed = defaults.MISSED


class RpoTrigger(Resolved, frozen=True, kw_only=True, tag="rpo"):
    """The newest version is never older than this, if anything changed."""

    age_s: int


class ChangeTrigger(Resolved, frozen=True, kw_only=True, tag="change"):
    """A change of objects; an empty `when` counts every one."""

    of: tuple[str, ...]
    when: str


class SignalTrigger(Resolved, frozen=True, kw_only=True, tag="signal"):
    """A signal that other tools publish; an empty `when` counts every one."""

    signal: str
    when: str


class HealthTrigger(Resolved, frozen=True, kw_only=True, tag="health"):
    """The application's health became this."""

    becomes: Health


class GateTrigger(Resolved, frozen=True, kw_only=True, tag="gate"):
    """Operations that wait for a good version."""

    before: tuple[Gated, ...]


class ManualTrigger(Resolved, frozen=True, kw_only=True, tag="manual"):
    """Only when somebody asks."""


ResolvedTrigger: TypeAlias = (
    Schedule
    | RpoTrigger
    | ChangeTrigger
    | SignalTrigger
    | HealthTrigger
    | GateTrigger
    | ManualTrigger
)


class ResolvedBlackout(Resolved, frozen=True, kw_only=True):
    """A window that opens on a schedule and stays open for `lasts_s`."""

    opens: Schedule
    lasts_s: int


class ResolvedKeep(Resolved, frozen=True, kw_only=True):
    """How many versions of each period stay; zero is none."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_s: int = 0


class ResolvedProtection(Resolved, frozen=True, kw_only=True):
    """One rule; `keep` None keeps every version that it made, `keep_in` counts in its Vaults."""

    name: str
    trigger: ResolvedTrigger
    keep: ResolvedKeep | None
    keep_in: dict[str, ResolvedKeep]
    targets: tuple[str, ...]
    settle_s: int
    at_most: RateLimit | None
    blackout: tuple[ResolvedBlackout, ...]
    priority: int


class ResolvedApplication(Resolved, frozen=True, kw_only=True):
    """All that the services need to know about an application's document.

    `revision` is the SHA-256 of the canonical JSON of the spec as it was written, so that two
    documents of the same content have the same revision. `origins` says of each field, as the
    document calls it, where its value comes from.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    revision: str
    labels: dict[str, str]
    annotations: dict[str, str]
    type: str
    criticality: str
    resources: ResolvedResources
    components: tuple[ResolvedComponent, ...]
    images: Images
    protect: tuple[ResolvedProtection, ...]
    targets: tuple[str, ...]
    origins: dict[str, Origin]


class ResolvedReaction(Resolved, frozen=True, kw_only=True):
    """A fact that is watched, and what is done about it after it held for `lasts_s`."""

    when: str
    do: Action
    lasts_s: int
    at_most: RateLimit | None


class ResolvedProbe(Resolved, frozen=True, kw_only=True):
    """A command in a component's pods that says whether a restored copy is good."""

    component: str
    command: tuple[str, ...]
    timeout_s: int


class ResolvedVerify(Resolved, frozen=True, kw_only=True):
    """When versions are verified, by restoring a copy of them."""

    schedule: Schedule
    probes: tuple[ResolvedProbe, ...]


class ResolvedPolicy(Resolved, frozen=True, kw_only=True):
    """Protection for every application that matches.

    Rules without targets of their own have those of the policy; where these are empty too, each
    application's. Where `rpo_alert_s` or `rto_alert_s` is 0, nothing is promised about that.
    """

    name: str
    uid: str
    generation: int
    revision: str
    match: str
    protect: tuple[ResolvedProtection, ...]
    react: tuple[ResolvedReaction, ...]
    targets: tuple[str, ...]
    verify: ResolvedVerify | None
    rpo_alert_s: int
    rto_alert_s: int


class ResolvedObjectLock(Resolved, frozen=True, kw_only=True):
    """How long objects are kept from being deleted, and whether anybody may do so earlier."""

    mode: LockMode
    days: int


class ResolvedVault(Resolved, frozen=True, kw_only=True):
    """Where versions go; `prefix` has no slash at either end."""

    name: str
    endpoint: str
    bucket: str
    prefix: str
    region: str
    addressing: Addressing
    ca_secret: SecretReference | None
    credentials_secret: SecretReference
    agent_credentials_secret: SecretReference | None
    key_secret: SecretReference
    object_lock: ResolvedObjectLock | None
    read_only: bool
