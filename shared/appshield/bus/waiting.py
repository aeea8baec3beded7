"""Waiting: how long before trying again, budgets for calls that are, and the first of several."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

LONGEST_PAUSE_S = 2.0


def pause_s(attempt: int) -> float:
    """Return a pause that doubles from 50 ms up to two seconds, spread by a quarter."""
    pause = min(0.05 * 2.0 ** min(attempt, 10), LONGEST_PAUSE_S)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret


def redelivery_s(deliveries: int) -> float:
    """Return how long a message waits after its handler failed: 0.5 s, doubling up to 30 s."""
    return float(min(0.5 * 2 ** min(deliveries - 1, 10), 30.0))


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until `stopping` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


async def first_of(*waits: Coroutine[Any, Any, object], longest_s: float | None = None) -> None:
    """Return when one of them has come to its end, or after `longest_s`; the others are ended."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Budget:
    """The time that one call may take, all attempts together; none are made once `hopeless`."""

    def __init__(self, seconds: float, hopeless: Callable[[], bool] = lambda: False) -> None:
        self.seconds = seconds
        self._last = asyncio.get_running_loop().time() + seconds
        self._attempt = 0
        self._hopeless = hopeless

    @property
    def left_s(self) -> float:
        """What is left, never less than zero."""
        return max(0.0, self._last - asyncio.get_running_loop().time())

    async def pause(self) -> bool:
        """Wait before another attempt; False when the budget has no room for one."""
        wanted = pause_s(self._attempt)
        self._attempt += 1
        if wanted >= self.left_s or self._hopeless():
            return False
        await asyncio.sleep(wanted)
        return True
