"""What runs promise, published: orders at once, all else a moment later.

Somebody waits for what an order does, and each message that is synced to the disk beside it delays
it. What else is promised waits for `tell` until then, written down with its run: a write of the run
that comes before takes it along, but for the timers of steps that have ended by then, which nobody
needs any more.
"""

from collections.abc import Iterable

from appshield.bus import Bus
from appshield.contracts.runs import OutboxEntry, Run
from appshield.contracts.subjects import ROOT, timer
from appshield.planner.promising import step_timer
from appshield.service import together

_ORDERS = f"{ROOT}.cmd."


class Outboxes:
    """The promises of runs that are written down."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._untold: dict[str, tuple[OutboxEntry, ...]] = {}
        self._being_told: set[str] = set()

    def untold(self) -> list[str]:
        """Name the runs of which something is still to be told."""
        return list(self._untold)

    def carried(self, run: Run) -> tuple[OutboxEntry, ...]:
        """Return what a write of a run takes along from the one before it."""
        ended = {timer(step_timer(run.id, one.name)) for one in run.steps if one.state != "running"}
        needless = ended | {one.subject for one in run.outbox if one.at is not None}
        return tuple(one for one in self._untold.get(run.id, ()) if one.subject not in needless)

    async def publish(self, run: Run, *, all_of_it: bool) -> None:
        """Publish what a run promises; what can wait is kept for `tell`, unless all is wanted."""
        orders = [one for one in run.outbox if one.subject.startswith(_ORDERS)]
        rest = tuple(one for one in run.outbox if not one.subject.startswith(_ORDERS))
        await self._publish_all(orders)
        if all_of_it:
            await self._publish_all(rest)
            self.forget(run.id)
        else:
            self._untold[run.id] = rest

    async def tell(self, run_id: str) -> None:
        """Publish what is still to be told of a run, unless somebody does."""
        if run_id in self._being_told:
            return
        self._being_told.add(run_id)
        try:
            rest = self._untold.get(run_id, ())
            await self._publish_all(rest)
            if self._untold.get(run_id) is rest:
                self.forget(run_id)
        finally:
            self._being_told.discard(run_id)

    def forget(self, run_id: str) -> None:
        """Keep nothing of a run: it is told, or will be read again."""
        self._untold.pop(run_id, None)

    async def publish_one(self, promised: OutboxEntry) -> None:
        """Publish one promise; again it is the same message, and the same timer."""
        body = bytes(promised.body)
        if promised.at is None:
            await self._bus.publish_raw(promised.subject, body, message_id=promised.message_id)
            return
        name = promised.subject.removeprefix(timer(""))
        await self._bus.schedule(name, promised.at, body, message_id=promised.message_id)

    async def _publish_all(self, promises: Iterable[OutboxEntry]) -> None:
        await together(map(self.publish_one, promises))
