"""The chain: how a line is made from the one before it, and where a sequence of lines breaks. Pure.

A digest is that of the whole line as it is stored, without its line feed. So whoever has an export
can check it with `sha256sum` alone, and what a newer release adds to an entry is covered, too.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from appshield.contracts.audit import AuditEntry, AuditEvent
from appshield.errors import DamagedError

GENESIS = "0" * 64
"""What the first entry of a chain names as the one before it."""

_DECODER = msgspec.json.Decoder(AuditEntry)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The newest entry of a chain; one that has none yet has sequence 0 and `GENESIS`."""

    chain: str
    sequence: int = 0
    digest: str = GENESIS


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Where lines do not follow each other, by the sequence of the entries concerned."""

    kind: Literal["unreadable", "altered", "missing", "out of order", "of another chain"]
    first: int
    last: int


def digest_of(line: bytes) -> str:
    """Give the digest by which the next line names this one."""
    return hashlib.sha256(line).hexdigest()


def link(head: Head, events: Iterable[AuditEvent], now: datetime) -> tuple[list[bytes], Head]:
    """Write events as the next lines of a chain; return them with the new head."""
    lines = []
    for event in events:
        entry = AuditEntry(
            chain=head.chain,
            sequence=head.sequence + 1,
            previous=head.digest,
            recorded_at=now,
            event=event,
        )
        line = msgspec.json.encode(entry)
        lines.append(line)
        head = Head(chain=head.chain, sequence=entry.sequence, digest=digest_of(line))
    return lines, head


def read_entry(line: bytes) -> AuditEntry:
    """Read a line.

    Raises:
        DamagedError: it is no entry.
    """
    try:
        return _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        raise DamagedError("a line of the audit is no entry", why=str(error)) from error


class Chain:
    """Walks along lines and says where they break; `head` is what the next one must follow."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.entries = 0

    def take(self, line: bytes) -> Break | None:
        """Take the next line; return how it does not follow the one before, None if it does.

        After a break the walk goes on from the line that was taken, unless that one stands out of
        order.
        """
        expected = self.head.sequence + 1
        try:
            entry = read_entry(line)
        except DamagedError:
            self._go_on(expected, line)
            return Break(kind="unreadable", first=expected, last=expected)
        if entry.chain != self.head.chain:
            return Break(kind="of another chain", first=entry.sequence, last=entry.sequence)
        if entry.sequence < expected:
            return Break(kind="out of order", first=entry.sequence, last=entry.sequence)
        follows = entry.previous == self.head.digest
        self._go_on(entry.sequence, line)
        if entry.sequence > expected:
            return Break(kind="missing", first=expected, last=entry.sequence - 1)
        if not follows:  # it names another line than the one that stands there
            return Break(kind="altered", first=max(expected - 1, 1), last=expected)
        return None

    def _go_on(self, sequence: int, line: bytes) -> None:
        self.entries += 1
        self.head = Head(chain=self.head.chain, sequence=sequence, digest=digest_of(line))
