"""Have the cluster remember how far the audit goes, within seconds of an entry.

The gateway may read the audit and neither write nor remove it, and the planner, which writes it,
has no part in this: what one of them is made to forget, the other one's side still knows. Only what
follows from what is remembered takes its place.
"""

import asyncio

import structlog

from appshield.audit import Chain, Head, digest_of, lines_in, read_entry
from appshield.audit.remembering import Memory, Remembered
from appshield.bus import Bus, Stored
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED
from appshield.errors import AppShieldError, DamagedError
from appshield.kubernetes import Cluster
from appshield.service import Clock, pause

EVERY_S = 5.0
"""So long an entry can be new before it is remembered; one write for all that came meanwhile."""


class RememberingAudit:
    """Looks again and again for the newest entry."""

    def __init__(self, bus: Bus, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._cluster = cluster
        self._clock = clock
        self._seen = ""
        self._problem = ""

    async def keep(self, stopping: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stopping.is_set():
            problem = ""
            try:
                await self.look()
            except AppShieldError as error:
                problem = str(error)
                if problem != self._problem:
                    structlog.get_logger().error("audit not remembered", problem=problem)
            self._problem = problem
            await pause(stopping, EVERY_S)

    async def look(self) -> None:
        """Remember the newest entry, if it is another one.

        Raises:
            DamagedError: it does not follow from what is remembered.
            UnavailableError: the bus or the cluster cannot be reached.
        """
        stored = await self._bus.newest(AUDIT, AUDITED)
        if stored is None:
            return
        line = lines_in(stored)[-1]
        if (digest := digest_of(line)) == self._seen:
            return
        memory = await Memory.of(self._cluster)
        entry = read_entry(line)
        head = Head(chain=entry.chain, sequence=entry.sequence, digest=digest)
        known = memory.newest.get(entry.chain)
        if known is None or known.head != head:
            if known is not None:
                await self._ensure_follows(known, stored)
            now = self._clock.now()
            await memory.keep(Remembered(head=head, stored=stored.sequence, at=now))
        self._seen = digest

    async def _ensure_follows(self, known: Remembered, newest: Stored) -> None:
        """Go along the stream from what is remembered, or from where it begins now."""
        chain: Chain | None = None
        async for stored in self._bus.read(AUDIT, filters=(AUDITED,), since=known.stored):
            lines = lines_in(stored)
            if stored.sequence == known.stored:
                if digest_of(lines[-1]) != known.head.digest:
                    break
                chain = Chain(known.head)
                continue
            if chain is None:  # what was archived is gone from the stream
                first = read_entry(lines[0])
                if first.sequence <= known.head.sequence:
                    break
                before = Head(chain=first.chain, sequence=first.sequence - 1, digest=first.previous)
                chain = Chain(before)
            if any(chain.take(line) for line in lines):
                break
            if stored.sequence >= newest.sequence:
                return
        raise DamagedError(
            f"the audit does not go on after entry {known.head.sequence}, which the cluster "
            "remembers",
            why="entries were cut off, or written anew",
            next_step="`appshield audit verify` says what is wrong.",
        )
