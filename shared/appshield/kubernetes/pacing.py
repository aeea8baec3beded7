"""How fast requests may be sent over one connection: at a steady pace, and none while it rests.

Each takes the next turn, in the order in which they come. Turns that nobody took are kept for a
burst. When the API server asks for fewer requests, nobody has a turn until that is over.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """`per_s` turns a second for long, `burst` of them at once after a pause. 0: no limit."""

    def __init__(
        self,
        *,
        per_s: float = 0,
        burst: int = 1,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._turn_s = 1 / per_s if per_s > 0 else 0.0
        self._kept_s = self._turn_s * max(burst - 1, 0)
        self._now_s = now_s
        self._sleep = sleep
        self._next_s = 0.0
        self._calm_at_s = 0.0

    async def turn(self) -> None:
        """Take the next turn, and wait until it has come."""
        now_s = self._now_s()
        mine_s = max(self._next_s, now_s - self._kept_s)
        self._next_s = mine_s + self._turn_s
        await self._until(mine_s)
        while self._calm_at_s > self._now_s():
            await self._until(self._calm_at_s)

    def rest_until(self, calm_at_s: float) -> None:
        """Give nobody a turn before this moment of the same clock."""
        self._calm_at_s = max(self._calm_at_s, calm_at_s)

    async def _until(self, at_s: float) -> None:
        left_s = at_s - self._now_s()
        if left_s > 0:
            await self._sleep(left_s)
