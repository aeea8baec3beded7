"""Tell before a promise about recovery is broken: the age of the newest good version, a restore.

A timer comes when the next backup would have to begin at the latest, and while a restore is under
way that has its time promised; what is found is told as a fact whenever it is another than before,
and kept in the application's record.
"""

from datetime import datetime

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts import encode
from appshield.contracts.applications import ApplicationRecord, RpoChanged, RtoChanged
from appshield.contracts.runs import Progress, RpoAlertDue, Run
from appshield.planner import recovery, recovery_time
from appshield.planner.catalog import Catalog
from appshield.planner.recovery import Good
from appshield.planner.recovery_time import UnderWay
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
        self._heard: dict[str, dict[str, Progress]] = {}

    def progressed(self, progress: Progress) -> None:
        """Hear how far a step is: a restore may be late by its own rate."""
        self._heard.setdefault(progress.run, {})[progress.step] = progress

    async def due(self, due: RpoAlertDue) -> None:
        """Look at an application whose time has come."""
        await self.look(due.app_id, not_before=due.at)

    async def begun(self, app_id: str) -> None:
        """Look at an application of which a run has begun: a restore has its time from now on."""
        record = self._registry.get(app_id)
        if record is not None and record.rto_alert_s and await self._under_way(record):
            await self.look(app_id)

    async def after(self, run: Run) -> None:
        """Look at an application after a run: a version may be new, or gone, or damaged."""
        self._heard.pop(run.id, None)
        record = self._registry.get(run.app_id)
        if record is not None:
            restore = run.restore
            size = await self._content_bytes(record, restore.version) if restore else 0
            await self._registry.write(recovery_time.measured(record, run, size))
            await self.look(run.app_id)

    async def look(self, app_id: str, *, not_before: datetime | None = None) -> None:
        """Judge how promises stand, tell what is new, and set the timer for the next look."""
        record = self._registry.get(app_id)
        if record is None or not _is_watched(record):
            return
        now = max(self._clock.now(), not_before or self._clock.now())
        newest = recovery.newest_good(await self._catalog.versions(app_id))
        record, rpo_at = await self._look_at_age(record, newest, now)
        record, rto_at = await self._look_at_restore(record, newest, now)
        await self._set_timer(record, [at for at in (rpo_at, rto_at) if at is not None])
        await self._registry.write(record)

    async def _look_at_age(
        self, record: ApplicationRecord, newest: Good | None, now: datetime
    ) -> tuple[ApplicationRecord, datetime | None]:
        """Judge the promise about the newest good version; return when to look again, too."""
        running_since = await self._running_since(record)
        rpo = recovery.judged(record, newest, running_since, now)
        if rpo is None:
            return replace(record, rpo=None), None
        before = record.rpo.state if record.rpo is not None else "kept"
        if rpo.state != before:
            await self._bus.publish(RpoChanged(app=record.app, app_id=record.app_id, rpo=rpo))
        again_at = recovery.next_look(record, rpo, running_since, now)
        return replace(record, rpo=rpo), again_at

    async def _look_at_restore(
        self, record: ApplicationRecord, newest: Good | None, now: datetime
    ) -> tuple[ApplicationRecord, datetime | None]:
        """Judge the promise about the time of a restore; return when to look again, too."""
        under_way = await self._under_way(record) if record.rto_alert_s else None
        rto = recovery_time.judged(record, newest, under_way, now)
        before = record.rto.state if record.rto is not None else "unproved"
        if rto is not None and rto.state != before:
            await self._bus.publish(RtoChanged(app=record.app, app_id=record.app_id, rto=rto))
        return replace(record, rto=rto), recovery_time.next_look(rto, under_way, now)

    async def _set_timer(self, record: ApplicationRecord, times: list[datetime]) -> None:
        if not times:
            await self._bus.cancel_timer(_timer(record.app_id))
            return
        due = RpoAlertDue(app=record.app, app_id=record.app_id, at=min(times))
        await self._bus.schedule(
            _timer(record.app_id), due.at, encode(due), message_id=due.message_id()
        )

    async def _running_since(self, record: ApplicationRecord) -> datetime | None:
        """Return since when a backup is under way."""
        run = await self._active(record)
        return run.started_at if run is not None and run.kind == "backup" else None

    async def _under_way(self, record: ApplicationRecord) -> UnderWay | None:
        """Return the restore of a whole version that is under way."""
        run = await self._active(record)
        if run is None or run.restore is None or not run.restore.is_whole or not run.started_at:
            return None
        heard = self._heard.get(run.id, {})
        return UnderWay(
            run=run.id,
            version=run.restore.version,
            started_at=run.started_at,
            content_bytes=await self._content_bytes(record, run.restore.version),
            rated_s=recovery_time.rated_s(run, heard, self._clock.now()),
        )

    async def _active(self, record: ApplicationRecord) -> Run | None:
        """Return the application's run that is under way and will succeed, as far as is known."""
        entry = await self._runs.get(record.active_run) if record.active_run else None
        return entry.value if entry is not None and entry.value.state == "running" else None

    async def _content_bytes(self, record: ApplicationRecord, number: int) -> int:
        """Return how much data a version holds; 0 where nobody knows."""
        version = await self._catalog.get(record.app_id, number)
        return recovery.content_bytes(version.facts) if version else 0


def _is_watched(record: ApplicationRecord) -> bool:
    """Say whether anything is promised, or was when somebody looked last."""
    promises = (recovery.promised_s(record), record.rto_alert_s)
    return any(promises) or record.rpo is not None or record.rto is not None


def _timer(app_id: str) -> str:
    return f"rpo-alert.{app_id}"
