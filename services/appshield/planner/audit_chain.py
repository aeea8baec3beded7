"""The one writer of the audit: what was told becomes the next lines of the chain.

What waits at one moment is one message, stored only right after the message that was the newest
before: of two planners one fails, and sees that it does not lead. Whatever is in doubt is read
again. The same thing told twice is one entry, as far back as is remembered: `REMEMBERED` messages,
which is much longer than anything comes again.
"""

import asyncio
import secrets
from datetime import datetime

import msgspec
import structlog
from msgspec.structs import replace

from appshield.audit import Head, digest_of, lines_in, link, read_entry
from appshield.bus import Bus, BusFullError, Delivery, Reject, Retry, StaleRevisionError
from appshield.contracts.audit import AuditAnchor, AuditEvent
from appshield.contracts.gates import GateOverridden
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED, audit
from appshield.errors import DamagedError
from appshield.planner import witnessing
from appshield.planner.leading import Leadership
from appshield.service import Clock

REMEMBERED = 1_024
LINES_MAX = 250
ARCHIVE = "archive-audit"
BREAK_GLASS = "break-glass"
_ARCHIVER = "uploader"
"""Who archives; what anybody else says of anchors counts for nothing."""
_GATE = "gate"
"""Whose word it is that a glass was broken; others find that out afterwards."""
_RETRY_S = 0.5


class _Waiting(msgspec.Struct, eq=False):
    """Something that was told and is not in the audit yet; no two are the same."""

    event: AuditEvent
    recorded: bool = False


class Unarchived(msgspec.Struct, frozen=True, kw_only=True):
    """What is not archived yet, up to the newest entry that is not about archiving itself."""

    entries: int
    since: datetime | None


class AuditChain:
    """Writes the audit, for as long as this planner leads."""

    def __init__(self, bus: Bus, leadership: Leadership, clock: Clock) -> None:
        self._bus = bus
        self._leadership = leadership
        self._clock = clock
        self._turn = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self._known = False
        self._stored = 0
        self._ids: dict[str, int] = {}
        self._worth_archiving = 0
        self._since: datetime | None = None
        self.head = Head(chain="")
        self.anchor: AuditAnchor | None = None
        self.refusal = ""

    async def handle(self, delivery: Delivery) -> None:
        """Record what a door or a service has told; for the consume loop."""
        await self.record(told(delivery))

    async def record(self, event: AuditEvent) -> None:
        """Return when the event is in the audit.

        Raises:
            Retry: this planner does not lead, or another one has written meanwhile.
            BusFullError: the audit is full, and nothing of it can be dropped.
        """
        one = _Waiting(event)
        self._waiting.append(one)
        try:
            async with self._turn:
                while not one.recorded:
                    await self._write()
        finally:
            if not one.recorded:  # it is told again
                self._waiting.remove(one)

    async def learn(self) -> None:
        """Read where the chain is, unless that is known."""
        async with self._turn:
            await self._ensure_known()

    @property
    def unarchived(self) -> Unarchived:
        """What is not archived yet."""
        archived_to = self.anchor.last if self.anchor else 0
        entries = max(self._worth_archiving - archived_to, 0)
        return Unarchived(entries=entries, since=self._since if entries else None)

    async def _write(self) -> None:
        """Write what waits, or the first part of it, as one message."""
        self._leadership.ensure()
        await self._ensure_known()
        batch = self._waiting[:LINES_MAX]
        if fresh := self._fresh([one.event for one in batch]):
            await self._append(fresh)
        for one in batch:
            one.recorded = True
        self._waiting = [one for one in self._waiting if not one.recorded]

    def _fresh(self, events: list[AuditEvent]) -> list[AuditEvent]:
        """Leave out what is told already, and what somebody found that the gate has told."""
        fresh: dict[str, AuditEvent] = {}
        passed = {_passed(one) for one in events if one.teller == _GATE}
        for one in events:
            found = one.teller != _GATE and one.action == BREAK_GLASS
            if found and (_passed(one) in passed or _passed(one) in self._ids):
                continue
            if (named := _named(one)) not in self._ids:
                fresh[named] = one
        return list(fresh.values())

    async def _append(self, events: list[AuditEvent]) -> None:
        lines, head = link(self.head, events, self._clock.now())
        body = b"\n".join(lines)
        self._known = False  # until it is certain what became of it
        try:
            stored = await self._stored_after(body)
        except StaleRevisionError as error:
            raise Retry("another planner has written to the audit", after_s=_RETRY_S) from error
        first = self.head.sequence + 1
        self.head, self._stored, self.refusal = head, stored, ""
        for sequence, event in enumerate(events, first):
            self._remember(stored, sequence, event)
        self._forget()
        self._known = True

    async def _stored_after(self, body: bytes) -> int:
        """Store a message; where there is no room, drop what is archived and try once more."""
        try:
            receipt = await self._bus.append(AUDITED, body, after_sequence=self._stored)
        except BusFullError as error:
            self.refusal = str(error)
            if not await self._make_room():
                raise
            receipt = await self._bus.append(AUDITED, body, after_sequence=self._stored)
        return receipt.sequence

    async def _make_room(self) -> bool:
        """Drop what is archived and not remembered any more; say whether there was any."""
        archived_to = self.anchor.stored_to if self.anchor else 0
        below = min(archived_to + 1, self._stored - REMEMBERED)
        if below <= 1:
            return False
        await self._bus.trim(AUDIT, below_sequence=below)
        structlog.get_logger().warning("audit full: dropped what is archived", below=below)
        return True

    async def _ensure_known(self) -> None:
        if self._known:
            return
        self.anchor = None
        newest = await self._bus.newest(AUDIT, AUDITED)
        if newest is None:
            self._begin()
        else:
            await self._read_back(newest.sequence)
        self._known = True

    def _begin(self) -> None:
        self.head, self._stored = Head(chain=secrets.token_hex(8)), 0
        self._ids, self._worth_archiving, self._since = {}, 0, None

    async def _read_back(self, newest: int) -> None:
        """Remember the newest messages, and those before them up to one that names an anchor."""
        first = max(newest - REMEMBERED, 1)
        while True:
            self._begin()
            async for stored in self._bus.read(AUDIT, filters=(AUDITED,), since=first):
                self._stored = stored.sequence
                for line in lines_in(stored):
                    self._take(stored.sequence, line)
            self._forget()
            if self.anchor is not None or first == 1:
                return
            first = max(newest - 8 * (newest - first), 1)

    def _take(self, stored: int, line: bytes) -> None:
        """Go along a line that is there; one that is no entry stays, and verifying names it."""
        digest = digest_of(line)
        try:
            entry = read_entry(line)
        except DamagedError as error:
            structlog.get_logger().error("audit damaged", problem=str(error))
            self.head = replace(self.head, sequence=self.head.sequence + 1, digest=digest)
        else:
            self.head = Head(chain=entry.chain, sequence=entry.sequence, digest=digest)
            self._remember(stored, entry.sequence, entry.event)

    def _remember(self, stored: int, sequence: int, event: AuditEvent) -> None:
        self._ids[_named(event)] = stored
        if event.teller == _GATE and event.action == BREAK_GLASS:
            self._ids[_passed(event)] = stored
        if event.action != ARCHIVE:
            self._worth_archiving = sequence
            self._since = self._since or event.at
        elif (
            (anchor := event.anchor) is not None
            and (
                anchor.last < sequence and anchor.stored_to < stored
            )  # nobody archives what is not
            and self._is_later(anchor)
        ):
            self.anchor, self._since = anchor, event.at

    def _is_later(self, anchor: AuditAnchor) -> bool:
        of_this_chain = anchor.chain == self.head.chain
        return of_this_chain and (self.anchor is None or anchor.last > self.anchor.last)

    def _forget(self) -> None:
        for identity in [one for one, at in self._ids.items() if at < self._stored - REMEMBERED]:
            del self._ids[identity]


def _named(event: AuditEvent) -> str:
    """Name what was told, for whoever told it: nobody takes the place of another's word."""
    return f"{event.teller} {event.id}"


def _passed(event: AuditEvent) -> str:
    """Name what passed a gate by a broken glass, whoever tells of it."""
    return f"{BREAK_GLASS} {event.request_id} {event.app}"


def told(delivery: Delivery) -> AuditEvent:
    """Give what a door or a service has told, as it may be recorded. Pure.

    The subject says who tells: nobody can speak for another user of the bus.

    Raises:
        Reject: nothing of it can be understood.
    """
    teller = delivery.subject.removeprefix(audit(""))
    match delivery.message:
        case AuditEvent() as event:
            anchor = event.anchor if teller == _ARCHIVER else None
            return replace(event, teller=teller, anchor=anchor)
        case GateOverridden() as fact:
            return replace(witnessing.overridden(fact), teller=teller)
        case other:
            raise Reject(f"a {type(other).__name__} is nothing for the audit")
