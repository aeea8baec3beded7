"""Values that are slow to find, remembered for a while and found once for all who ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_MAX = 64


class Recent(Generic[T]):
    """Remembers values by key; after `fresh_s` seconds one is found anew when it is asked for."""

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._found: dict[str, tuple[float, T]] = {}
        self._finding: dict[str, asyncio.Task[T]] = {}

    async def get(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        """Return a value; raises what finding it raises."""
        found = self._found.get(key)
        if found is not None and time.monotonic() - found[0] < self._fresh_s:
            return found[1]
        return await asyncio.shield(self._task(key, find))

    def forget(self, key: str) -> None:
        """Find the value anew when it is asked for next: it is known to be another one."""
        self._found.pop(key, None)
        self._finding.pop(key, None)

    async def within(
        self, key: str, find: Callable[[], Awaitable[T]], *, patience_s: float
    ) -> T | None:
        """Return a value, or after this time an old one, or None; it is found all the same."""
        try:
            async with asyncio.timeout(patience_s):
                return await self.get(key, find)
        except TimeoutError:
            found = self._found.get(key)
            return found[1] if found else None

    def _task(self, key: str, find: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = self._finding.get(key)
        if task is None:
            task = self._finding[key] = asyncio.create_task(self._find(key, find))
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return task

    async def _find(self, key: str, find: Callable[[], Awaitable[T]]) -> T:
        value = await find()
        if self._finding.get(key) is not asyncio.current_task():
            return value  # what was found began before it was told that it is another one
        self._found.pop(key, None)
        self._found[key] = (time.monotonic(), value)
        if len(self._found) > KEPT_MAX:
            del self._found[next(iter(self._found))]
        return value

    def _ended(self, key: str, task: asyncio.Task[T]) -> None:
        if self._finding.get(key) is task:
            del self._finding[key]
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody may have
