"""How applications are, what is done about it, and who is told."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts.identities import AppRef
from appshield.contracts.message import Command, Event

HealthStatus = Literal["Healthy", "Progressing", "Degraded", "Missing", "Unknown"]
RestoreChoice = Literal["last-good", "last-verified"]


class HealthReason(msgspec.Struct, frozen=True, kw_only=True):
    """An object that makes an application's health what it is, and why.

    `named`: the document in force names it, so that it is not missing because somebody wants it so.
    `path` is where a missing one lies in a version.
    """

    object: str
    why: str
    named: bool = False
    path: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an application is, since when, and why.

    `reasons` are the first few of `reasons_total`. `deliberate` says that somebody wants it so: its
    namespace is being deleted. Nothing is brought back then by itself.
    """

    status: HealthStatus
    since: datetime
    reasons: tuple[HealthReason, ...] = ()
    reasons_total: int = 0
    deliberate: str = ""


class HealthChanged(Event, frozen=True, kw_only=True, tag="appshield.v1.health_changed"):
    """An application's health, or the reasons for it, became another; the latest fact counts.

    `uid` is the Application object's. `change` counts the changes of one object.
    """

    noun: ClassVar[str] = "health"
    verb: ClassVar[str] = "changed"

    uid: str
    change: int
    health: Health
    before: HealthStatus = "Unknown"

    def message_id(self) -> str:
        """Name the fact after the object's uid, the number of the change, and what it is."""
        return f"{self.uid}.health.{self.change}.{self.health.status}"


class BackupAction(msgspec.Struct, frozen=True, kw_only=True, tag="backup"):
    """Make a version."""


class RestoreAction(msgspec.Struct, frozen=True, kw_only=True, tag="restore"):
    """Bring a version back: the `number`, or where that is 0 the one that `choice` finds then.

    `namespace` empty: where the application is. With `approved_by_person` the run waits for one.
    """

    choice: RestoreChoice = "last-good"
    number: int = 0
    namespace: str = ""
    approved_by_person: bool = True


class NotifyAction(msgspec.Struct, frozen=True, kw_only=True, tag="notify"):
    """Publish a signal, send a CloudEvent, or both.

    Where to and with which secret is read from the policy when it is sent: addresses may hold
    secrets, too.
    """

    signal: str = ""
    webhook: bool = False


class PauseAction(msgspec.Struct, frozen=True, kw_only=True, tag="pause"):
    """Let no trigger make versions, for so long; 0 until somebody resumes the application."""

    lasts_s: int = 0


Action = BackupAction | RestoreAction | NotifyAction | PauseAction


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about a condition that held for `lasts_s`, at most so often.

    `digest` is of what the document says, so the same words are the same reaction. `policy` is the
    one that it is from, once it is in force for an application.
    """

    digest: str
    when: str
    action: Action
    policy: str = ""
    lasts_s: int = 0
    at_most: int = 0
    at_most_in_s: int = 0


class Reacted(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reaction is: since when its condition holds, and when it has acted.

    `done`: it has acted for this time of holding, and waits for the condition to end. `acting`:
    that it acts is written down and may not be done yet. `problem` says why it could not act, or
    why its condition has no answer.
    """

    digest: str
    held_since: datetime | None = None
    done: bool = False
    acting: bool = False
    acted_at: tuple[datetime, ...] = ()
    problem: str = ""


class ReactionsDue(Event, frozen=True, kw_only=True, tag="appshield.v1.reactions_due"):
    """The time has come to look at the reactions of an application again."""

    noun: ClassVar[str] = "reactions"
    verb: ClassVar[str] = "due"

    app_id: str
    at: datetime

    def message_id(self) -> str:
        """Name the timer after application and time."""
        return f"{self.app_id}.reactions.{int(self.at.timestamp())}"


class SendNotice(Command, frozen=True, kw_only=True, tag="appshield.v1.send_notice"):
    """Send a CloudEvent to the webhook that a reaction of a policy names.

    `notice` is the event's id: whoever receives it twice takes it once.
    """

    noun: ClassVar[str] = "notice"
    verb: ClassVar[str] = "send"

    notice: str
    app_id: str
    policy: str
    reaction: str
    at: datetime
    health: Health | None = None
    last_version: int = 0
    last_backup_at: datetime | None = None

    def message_id(self) -> str:
        """Name the order after the notice."""
        return f"notice.{self.notice}"


class MemberRef(msgspec.Struct, frozen=True, kw_only=True, array_like=True, order=True):
    """One object of an application."""

    group: str
    kind: str
    namespace: str
    name: str


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects belonged to an application when its last snapshot was taken."""

    app: AppRef
    app_id: str
    run: str
    objects: tuple[MemberRef, ...]
