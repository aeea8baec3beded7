"""The audit: who did what, on what, when, from where, with which outcome.

Doors and services tell what they saw as `AuditEvent`, each on the subject of its own user of the
bus. One writer, the planner that leads, makes entries of it, each with the digest of the one before
it: lines of JSON in a stream that only grows. An uploader archives them in a Vault. Names and
reasons only: no content, no secret, no digest by which a short content could be guessed.
"""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts import subjects
from appshield.contracts.message import Command, Event

AuditDoor = Literal[
    "local",
    "rest",
    "object",
    "gate",
    "bus",
    "policy",  # a reaction of a policy
    "appshield",  # AppShield by itself: schedules, upkeep, what follows from something
]
AuditOutcome = Literal[
    "begun",  # it is about to be done; another entry of the same request says how it went
    "admitted",  # a command is in force, or has its run
    "allowed",  # data was given out, or an operation let pass
    "denied",  # whoever asked may not
    "refused",  # a rule forbids it, or what was named does not exist
    "succeeded",
    "failed",
    "cancelled",
]


class AuditAnchor(msgspec.Struct, frozen=True, kw_only=True):
    """Entries `first` to `last` of a chain are archived in a Vault, the last with this digest.

    They lie in the stream up to its sequence `stored_to`.
    """

    vault: str
    chain: str
    first: int
    last: int
    digest: str
    stored_to: int


class AuditEvent(
    Event, frozen=True, kw_only=True, omit_defaults=True, tag="appshield.v1.audit_event"
):
    """Somebody did something, or tried to. `app` has no names where it was about none.

    `id` is the same however often the same thing is told; `teller` is the user of the bus that
    tells it. `actor` and `address` are as the door knows them, and `authenticated_by` says how it
    does; `cause` is what AppShield itself acted on. `target` is a namespace that something went
    into, `object` what else was meant. `anchor` comes from the uploader that archived entries.
    """

    id: str
    teller: str
    at: datetime
    action: str
    outcome: AuditOutcome
    door: AuditDoor
    actor: str = ""
    address: str = ""
    authenticated_by: str = ""
    cause: str = ""
    versions: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    size_bytes: int = 0
    target: str = ""
    vault: str = ""
    object: str = ""
    run: str = ""
    reason: str = ""
    request_id: str = ""
    trace_id: str = ""
    anchor: AuditAnchor | None = None

    def subject(self) -> str:
        """Name the subject on which this teller tells what it saw."""
        return subjects.audit(self.teller)

    def message_id(self) -> str:
        """Name what was done after its own identity."""
        return f"audit.{self.id}"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit. `previous` is the SHA-256 of the whole line before it, in hex.

    Lines are numbered from 1 in their chain; a bus that lost everything begins another chain.
    """

    chain: str
    sequence: int
    previous: str
    recorded_at: datetime
    event: AuditEvent


class ArchiveAudit(Command, frozen=True, kw_only=True, tag="appshield.v1.archive_audit"):
    """Archive the audit in a Vault, from the entry after `after` on.

    That one has the digest `after_digest` and lies in the stream up to its sequence `after_stored`.
    """

    noun: ClassVar[str] = "audit"
    verb: ClassVar[str] = "archive"

    vault: str
    chain: str
    after: int
    after_digest: str
    after_stored: int
    given_at: datetime

    def message_id(self) -> str:
        """Name the order after where it begins, and when it was given."""
        return f"audit.archive.{self.chain}.{self.after}.{self.given_at.timestamp():.3f}"
