"""A process of the simulation: everything it does passes `effect`, where it may end or be stopped.

A killed process does nothing any more, not even its `finally` blocks: whatever it does next never
returns. A stopped one goes on later, in the middle of what it was about to do.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from simulation.chance import Chance

T = TypeVar("T")


class Process:
    """`ended` is called once when it is killed; `trace` takes a line for each effect."""

    def __init__(
        self, name: str, chance: Chance, *, ended: Callable[[], None], trace: list[str]
    ) -> None:
        self.name = name
        self.alive = True
        self.stopping = asyncio.Event()
        self._chance = chance
        self._ended = ended
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._stopped_until = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._never: list[asyncio.Future[None]] = []

    @property
    def runs(self) -> bool:
        """Whether it would notice a signal now."""
        return self.alive and self._loop.time() >= self._stopped_until

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as a part of this process."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def effect(
        self, what: str, do: Callable[[], Awaitable[T]], *, at_once: bool = False
    ) -> T:
        """Do something that others see; it may be the last thing, or never happen.

        With `at_once` nothing else happens between what the process did last and this.
        """
        if not at_once:
            await self.reach()
        self._die_maybe()
        await self._live()
        self._chance.fail("before")
        self.note(what)
        done = await do()
        self._die_maybe()
        await self._live()
        self._chance.fail("after")
        return done

    async def reach(self) -> None:
        """Come to a point at which others may be faster."""
        await self._live()
        stopped_s = self._chance.stopped_s()
        if stopped_s:
            self._stopped_until = self._loop.time() + stopped_s
        delay_s = max(self._chance.delay_s(), self._stopped_until - self._loop.time())
        await asyncio.sleep(delay_s)
        await self._live()

    def note(self, what: str) -> None:
        """Add a line to the trace."""
        self._trace.append(f"{self._loop.time():.3f} {self.name} {what}")

    def kill(self) -> None:
        """End it here and now."""
        if self.alive:
            self.note("is killed")
            self.alive = False
            self._ended()

    def _die_maybe(self) -> None:
        if self.alive and self._chance.kills():
            self.kill()

    async def _live(self) -> None:
        if self._chance.over:
            raise asyncio.CancelledError
        if not self.alive:
            never: asyncio.Future[None] = self._loop.create_future()
            self._never.append(never)  # kept, or the task that waits would be collected
            await never
