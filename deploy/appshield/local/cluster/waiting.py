"""Waiting for what another process does: look, pause, look again, with growing pauses."""

import asyncio
from collections.abc import Awaitable, Callable


class Backoff:
    """Growing pauses: each call of `next_s` gives the next one, up to the longest."""

    def __init__(
        self, *, first_s: float = 0.02, longest_s: float = 0.5, factor: float = 1.5
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._factor = factor
        self._now_s = first_s

    def next_s(self) -> float:
        """How long to pause this time, in seconds."""
        now_s = self._now_s
        self._now_s = min(now_s * self._factor, self._longest_s)
        return now_s

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._now_s = self._first_s


async def until(check: Callable[[], Awaitable[bool]], *, timeout_s: float | None = None) -> None:
    """Return when `check` says yes. Raises `TimeoutError` after `timeout_s`."""
    pauses = Backoff()
    async with asyncio.timeout(timeout_s):
        while not await check():
            await asyncio.sleep(pauses.next_s())
