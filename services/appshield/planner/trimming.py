"""Outcomes stay readable for a while behind the planner, then go; unread ones never do."""

import asyncio
import contextlib

from appshield.bus import Bus
from appshield.contracts.streams import OUTCOMES, PLANNER_OUTCOMES
from appshield.errors import UnavailableError
from appshield.service import pause

_EVERY_S = 60.0


async def keep_trimmed(bus: Bus, history: int, stopping: asyncio.Event) -> None:
    """Drop what the planner has acknowledged long ago, until told to stop."""
    while not stopping.is_set():
        with contextlib.suppress(UnavailableError):
            floor = await bus.acknowledged(PLANNER_OUTCOMES)
            if floor > history:
                await bus.trim(OUTCOMES, below_sequence=floor - history)
        await pause(stopping, _EVERY_S)
