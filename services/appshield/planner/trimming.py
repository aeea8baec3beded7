"""What is kept for a while behind the planner, then goes: what it has read, and ended runs.

What is unread and runs that have not ended never go; nor do versions, which are no runs. How
promises were kept on the days of runs is written down for reports before the runs go.
"""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

from appshield.bus import Bucket, Bus
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import (
    OUTCOMES,
    PLANNER_OUTCOMES,
    PLANNER_SIGNALS,
    RUNS,
    SIGNALS,
)
from appshield.doors.promised_days import RUNS_KEPT
from appshield.errors import UnavailableError
from appshield.planner.promised_days import write_days
from appshield.service import pause

_READ = ((OUTCOMES, PLANNER_OUTCOMES), (SIGNALS, PLANNER_SIGNALS))
_EVERY_S = 60.0
_RUNS_EVERY_S = 3_600.0


async def keep_trimmed(
    bus: Bus, history: int, stopping: asyncio.Event, *, reports_kept: timedelta
) -> None:
    """Drop what the planner has acknowledged or ended long ago, until told to stop."""
    runs = bus.bucket(RUNS, Run)
    looked_at = -_RUNS_EVERY_S
    while not stopping.is_set():
        with contextlib.suppress(UnavailableError):
            for stream, reader in _READ:
                floor = await bus.acknowledged(reader)
                if floor > history:
                    await bus.trim(stream, below_sequence=floor - history)
            if time.monotonic() - looked_at > _RUNS_EVERY_S:
                now = datetime.now(UTC)
                await write_days(bus, now, reports_kept)
                await forget_runs(runs, now)
                looked_at = time.monotonic()
        await pause(stopping, _EVERY_S)


async def forget_runs(runs: Bucket[Run], now: datetime) -> int:
    """Remove runs that ended long ago; return how many."""
    old = [
        entry
        async for entry in runs.items()
        if entry.value.state in FINAL_STATES
        and not entry.value.outbox
        and (entry.value.finished_at or entry.value.requested_at) < now - RUNS_KEPT
    ]
    for entry in old:
        await runs.delete(entry.value.id, revision=entry.revision)
    return len(old)
