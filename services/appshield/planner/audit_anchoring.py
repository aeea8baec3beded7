"""Having the audit archived: every hour in which something happened, and every so many entries.

An uploader does it, for the planner has no access to Vaults. What it says comes back as an entry of
the audit itself. Where a Vault fails, the next one is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec
import structlog

from appshield.bus import Bus, Retry
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.audit import ArchiveAudit, AuditAnchor
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.streams import AUDIT
from appshield.errors import UnavailableError
from appshield.planner.audit_chain import AuditChain, Unarchived
from appshield.service import Clock, pause

_LOOK_EVERY_S = 5.0
_ANSWER_WITHIN = timedelta(minutes=5)
KEPT_MESSAGES = 200_000
"""So much of what is archived stays in the stream, where it is read without a Vault."""


class Place(msgspec.Struct, frozen=True, order=True):
    """A Vault of a cluster."""

    cluster: str
    vault: str


class Anchoring:
    """Gives the orders to archive; `places` says which Vaults there are."""

    def __init__(
        self,
        *,
        bus: Bus,
        chain: AuditChain,
        places: Callable[[], list[Place]],
        clock: Clock,
        every: timedelta,
        entries: int,
    ) -> None:
        self._bus = bus
        self._chain = chain
        self._places = places
        self._clock = clock
        self._every = every
        self._entries = entries
        self._asked_at: datetime | None = None
        self._asked_after: AuditAnchor | None = None
        self._orders = 0

    async def keep(self, stopping: asyncio.Event) -> None:
        """Look again and again until told to stop."""
        while not stopping.is_set():
            try:
                await self.look()
            except (UnavailableError, Retry) as problem:
                structlog.get_logger().warning("audit not archived", problem=str(problem))
            await pause(stopping, _LOOK_EVERY_S)

    async def look(self) -> None:
        """Give an order if it is time, and drop from the stream what was archived long ago."""
        await self._chain.learn()
        now, anchor = self._clock.now(), self._chain.anchor
        if self._asked_at is not None and anchor != self._asked_after:
            self._asked_at = None
            self._orders = 0
            await self._trim(anchor)
        if self._asked_at is not None and now - self._asked_at < _ANSWER_WITHIN:
            return
        places = self._places()
        if places and is_due(self._chain.unarchived, now, every=self._every, entries=self._entries):
            await self._order(places[self._orders % len(places)], anchor, now)

    async def _order(self, place: Place, anchor: AuditAnchor | None, now: datetime) -> None:
        head = self._chain.head
        self._orders += 1
        self._asked_at, self._asked_after = now, anchor
        await self._bus.publish(
            ArchiveAudit(
                app=AppRef(cluster=place.cluster, namespace=SYSTEM_NAMESPACE, name="audit"),
                vault=place.vault,
                chain=head.chain,
                after=anchor.last if anchor else 0,
                after_digest=anchor.digest if anchor else "",
                after_stored=anchor.stored_to if anchor else 0,
                given_at=now,
            )
        )

    async def _trim(self, anchor: AuditAnchor | None) -> None:
        if anchor is not None and anchor.stored_to > KEPT_MESSAGES:
            await self._bus.trim(AUDIT, below_sequence=anchor.stored_to - KEPT_MESSAGES)


def places_of(records: Iterable[ApplicationRecord]) -> list[Place]:
    """List the Vaults that applications are saved in, those of most applications first. Pure."""
    counts: Counter[Place] = Counter()
    for record in records:
        for rank, vault in enumerate(dict.fromkeys(filter(None, (record.vault, *record.targets)))):
            counts[Place(cluster=record.app.cluster, vault=vault)] += 0 if rank else 1
    return sorted(counts, key=lambda place: (-counts[place], place))


def is_due(left: Unarchived, now: datetime, *, every: timedelta, entries: int) -> bool:
    """Say whether it is time to archive. Pure."""
    if not left.entries or left.since is None:
        return False
    return left.entries >= entries or now - left.since >= every
