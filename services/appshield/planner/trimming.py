"""What is kept for a while behind the planner, then goes: what it has read, and ended runs.

What is unread and runs that have not ended never go; nor do versions, which are no runs.
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
from appshield.errors import UnavailableError
from appshield.service import pause

_READ = ((OUTCOMES, PLANNER_OUTCOMES), (SIGNALS, PLANNER_SIGNALS))
_EVERY_S = 60.0
_RUNS_EVERY_S = 3_600.0
RUNS_KEPT = timedelta(days=30)


async def keep_trimmed(bus: Bus, history: int, stopping: asyncio.Event) -> None:
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
                await forget_runs(runs, datetime.now(UTC))
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
