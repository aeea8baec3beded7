"""How an application is protected: what starts a backup, how long versions are kept, reactions.

These types are shared by `Application.spec.protect` and `Policy.spec`. A default is written in
`defaults` and filled in by `resolving`; here a field that was left out is None.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appshield.language import defaults
from appshield.language.values import (
    Cron,
    Duration,
    Expression,
    KindPattern,
    Label,
    ObjectName,
    Rate,
    Text,
    TimeZone,
)

Health = Literal["Healthy", "Progressing", "Degraded", "Missing"]
Missed = Literal["run-once", "skip"]
Gated = Literal["rollout", "delete"]
Approval = Literal["auto", "manual"]
Count = Annotated[int, Meta(ge=0, le=100_000, extra={"means": "a whole number from 0 to 100000"})]


VersionChoice = Annotated[
    str,
    Meta(
        pattern="^(last-good|last-verified|[1-9][0-9]{0,9})$",
        max_length=13,
        extra={"means": 'last-good, last-verified, or a version number in quotes such as "17"'},
    ),
]


class Part(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A part of a document: camelCase there, snake_case here, unknown fields refused."""


class Change(Part, frozen=True, kw_only=True):
    """A change of the application's objects."""

    of: Annotated[
        tuple[KindPattern, ...],
        Meta(description="Kinds of objects to watch, such as deployments.", min_length=1),
    ]
    when: Annotated[
        Expression | None,
        Meta(
            description="CEL over `old` and `new`, the object before and after it, null where it "
            "is new or gone; without it every change counts."
        ),
    ] = None


class Gate(Part, frozen=True, kw_only=True):
    """Holds an operation until a good version exists."""

    before: Annotated[
        tuple[Gated, ...],
        Meta(description="Operations that wait for a good version.", min_length=1),
    ]


class Blackout(Part, frozen=True, kw_only=True):
    """A window in which no backup starts."""

    schedule: Annotated[
        Cron, Meta(description="When the window opens: cron with five fields, or @daily and so on.")
    ]
    lasts: Annotated[Duration, Meta(description="How long the window stays open.")] = msgspec.field(
        name="for"
    )
    timezone: Annotated[
        TimeZone | None,
        Meta(description=f"IANA time zone of the schedule. Default {defaults.TIMEZONE}."),
    ] = None


class Trigger(Part, frozen=True, kw_only=True):
    """What starts a backup: exactly one of schedule, rpo, change, signal, health, gate, manual."""

    schedule: Annotated[
        Cron | None,
        Meta(description="Cron with five fields, or @hourly, @daily, @weekly, @monthly, @yearly."),
    ] = None
    timezone: Annotated[
        TimeZone | None,
        Meta(description=f"IANA time zone of the schedule. Default {defaults.TIMEZONE}."),
    ] = None
    jitter: Annotated[
        Duration | None,
        Meta(description="Spread: each application starts at its own moment within this time."),
    ] = None
    missed: Annotated[
        Missed | None,
        Meta(
            description="After a time of being down: run-once makes up for what was missed with "
            f"one backup, skip waits for the next time. Default {defaults.MISSED}."
        ),
    ] = None
    rpo: Annotated[
        Duration | None,
        Meta(description="The newest version is never older than this, if anything changed."),
    ] = None
    change: Annotated[Change | None, Meta(description="A change of the application's objects.")] = (
        None
    )
    signal: Annotated[
        Label | None, Meta(description="The name of a signal that other tools publish.")
    ] = None
    when: Annotated[
        Expression | None,
        Meta(
            description="Belongs to a signal: CEL over `payload` (its content: the value where it "
            "is JSON, otherwise the text; of a CloudEvent the data), `event` (of a CloudEvent the "
            "id, source, type and subject) and `app`, which has what `match` of a policy sees. "
            "Without it every signal of that name counts."
        ),
    ] = None
    health: Annotated[Health | None, Meta(description="The application's health became this.")] = (
        None
    )
    gate: Annotated[
        Gate | None, Meta(description="Before an operation, which waits for a good version.")
    ] = None
    manual: Annotated[bool | None, Meta(description="true: only when somebody asks for it.")] = None
    settle: Annotated[
        Duration | None,
        Meta(description="Wait until nothing more happened for this long. Default: do not wait."),
    ] = None
    at_most: Annotated[
        Rate | None, Meta(description="How often it may start a backup, such as 1/10m.")
    ] = None
    blackout: Annotated[
        tuple[Blackout, ...],
        Meta(description="Windows in which no backup starts.", max_length=32),
    ] = ()
    priority: Annotated[
        Annotated[int, Meta(ge=-100, le=100, extra={"means": "a whole number from -100 to 100"})]
        | None,
        Meta(description=f"Higher goes first when many wait. Default {defaults.PRIORITY}."),
    ] = None


class Keep(Part, frozen=True, kw_only=True):
    """Which versions stay. A pinned, the last good and the last verified version always stay."""

    last: Annotated[Count | None, Meta(description="The newest versions.")] = None
    hourly: Annotated[Count | None, Meta(description="The newest of each hour.")] = None
    daily: Annotated[Count | None, Meta(description="The newest of each day.")] = None
    weekly: Annotated[Count | None, Meta(description="The newest of each week.")] = None
    monthly: Annotated[Count | None, Meta(description="The newest of each month.")] = None
    yearly: Annotated[Count | None, Meta(description="The newest of each year.")] = None
    within: Annotated[
        Duration | None, Meta(description="Every version that is younger than this.")
    ] = None


class Protection(Part, frozen=True, kw_only=True):
    """One rule: when a backup starts, where it goes, how long it is kept."""

    name: Annotated[Label, Meta(description="The rule's name, unique in its document.")]
    on: Annotated[Trigger, Meta(description="What starts a backup.")]
    keep: Annotated[Keep | None, Meta(description="Which versions stay. Default: all of them.")] = (
        None
    )
    keep_in: Annotated[
        dict[str, Keep],
        Meta(description="Which versions stay in a Vault, where not as keep says.", max_length=8),
    ] = msgspec.field(default_factory=dict)
    targets: Annotated[
        tuple[Label, ...],
        Meta(
            description="Vaults that this rule writes to. Default: the application's targets.",
            max_length=8,
        ),
    ] = ()


class RestoreAction(Part, frozen=True, kw_only=True):
    """Bring a version back."""

    version: Annotated[
        VersionChoice,
        Meta(description="last-good, last-verified, or a version number in quotes."),
    ]
    approve: Annotated[
        Approval | None,
        Meta(description=f"manual waits for a person. Default {defaults.REACTION_APPROVAL}."),
    ] = None
    to: Annotated[
        Label | None, Meta(description="Another namespace. Default: where the application is.")
    ] = None


class SecretReference(Part, frozen=True, kw_only=True):
    """A Secret of the cluster."""

    namespace: Annotated[Label, Meta(description="Its namespace.")]
    name: Annotated[ObjectName, Meta(description="Its name.")]


class NotifyAction(Part, frozen=True, kw_only=True):
    """Tell people or tools."""

    signal: Annotated[Label | None, Meta(description="Publish this signal on the bus.")] = None
    webhook: Annotated[Text | None, Meta(description="Send a CloudEvent to this address.")] = None
    secret: Annotated[
        SecretReference | None,
        Meta(
            description="Signs what is sent to the webhook, with the key `secret` of this Secret, "
            "as Standard Webhooks describe it."
        ),
    ] = None


class BackupAction(Part, frozen=True, kw_only=True):
    """Save the application now."""

    keep: Annotated[Keep | None, Meta(description="Which of these versions stay.")] = None


class PauseAction(Part, frozen=True, kw_only=True):
    """Stop the plan of backups for a while."""

    lasts: Annotated[
        Duration | None, Meta(description="How long. Default: until somebody resumes it.")
    ] = msgspec.field(name="for", default=None)


class Action(Part, frozen=True, kw_only=True):
    """What to do: exactly one of backup, restore, notify, pause."""

    backup: Annotated[BackupAction | None, Meta(description="Save the application now.")] = None
    restore: Annotated[RestoreAction | None, Meta(description="Bring a version back.")] = None
    notify: Annotated[NotifyAction | None, Meta(description="Tell people or tools.")] = None
    pause: Annotated[PauseAction | None, Meta(description="Stop the plan of backups.")] = None


class Reaction(Part, frozen=True, kw_only=True):
    """A fact that is watched, and what is done about it."""

    when: Annotated[
        Expression,
        Meta(
            description="CEL over `health`, `rpo` (with age, promise and state), `rto` (with last, "
            "expected, promise and state), `lastBackup` (with version, at and age) and `app`, "
            "which has what `match` of a policy sees. A state is kept, at-risk or broken, of "
            "`rto` unproved, too; empty where nothing is promised."
        ),
    ]
    do: Annotated[Action, Meta(description="What to do.")]
    lasts: Annotated[
        Duration | None, Meta(description="How long it must hold. Default: act at once.")
    ] = msgspec.field(name="for", default=None)
    at_most: Annotated[Rate | None, Meta(description="How often it may act, such as 1/1d.")] = None
