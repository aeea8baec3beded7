"""Tell before the newest good version of an application becomes older than was promised.

A timer comes when the next backup would have to begin at the latest; what it finds is told as a
fact whenever it is another than before, and kept in the application's record.
"""

from datetime import datetime

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts import encode
from appshield.contracts.applications import ApplicationRecord, RpoChanged
from appshield.contracts.runs import RpoAlertDue, Run
from appshield.planner import recovery
from appshield.planner.catalog import Catalog
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.service import Clock


class Alerting:
    """Watches over the promises about recovery."""

    def __init__(
        self, *, bus: Bus, runs: Runs, registry: Registry, catalog: Catalog, clock: Clock
    ) -> None:
        self._bus = bus
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._clock = clock

    async def due(self, due: RpoAlertDue) -> None:
        """Look at an application whose time has come."""
        await self.look(due.app_id, not_before=due.at)

    async def after(self, run: Run) -> None:
        """Look at an application after a run: a version may be new, or gone, or damaged."""
        record = self._registry.get(run.app_id)
        if record is not None:
            await self._registry.write(recovery.measured(record, run))
            await self.look(run.app_id)

    async def look(self, app_id: str, *, not_before: datetime | None = None) -> None:
        """Judge how the promise stands, tell what is new, and set the timer for the next look."""
        record = self._registry.get(app_id)
        if record is None or (record.rpo is None and not recovery.promised_s(record)):
            return
        now = max(self._clock.now(), not_before or self._clock.now())
        newest = recovery.newest_good(await self._catalog.versions(app_id))
        running_since = await self._running_since(record)
        rpo = recovery.judged(record, newest, running_since, now)
        if rpo is None:
            await self._registry.write(replace(record, rpo=None))
            await self._bus.cancel_timer(_timer(app_id))
            return
        before = record.rpo.state if record.rpo is not None else "kept"
        if rpo.state != before:
            await self._bus.publish(RpoChanged(app=record.app, app_id=app_id, rpo=rpo))
        await self._set_timer(record, recovery.next_look(record, rpo, running_since, now))
        await self._registry.write(replace(record, rpo=rpo))

    async def _set_timer(self, record: ApplicationRecord, at: datetime | None) -> None:
        if at is None:
            await self._bus.cancel_timer(_timer(record.app_id))
            return
        due = RpoAlertDue(app=record.app, app_id=record.app_id, at=at)
        await self._bus.schedule(
            _timer(record.app_id), at, encode(due), message_id=due.message_id()
        )

    async def _running_since(self, record: ApplicationRecord) -> datetime | None:
        """Return since when a backup is under way."""
        entry = await self._runs.get(record.active_run) if record.active_run else None
        if entry is None or entry.value.kind != "backup" or entry.value.state != "running":
            return None
        return entry.value.started_at


def _timer(app_id: str) -> str:
    return f"rpo-alert.{app_id}"
