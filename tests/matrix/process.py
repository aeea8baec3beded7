"""A process of the matrix: at one effect of a run it is killed, stopped, or told that it failed.

What the process would never learn by itself is done to it from outside: the time for which it was
stopped has passed by its own clock, too.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from appshield.contracts.agents import ServiceName
from appshield.errors import UnavailableError
from matrix.effects import Moment, operation_of
from simulation.chance import Chance
from simulation.process import Process
from waiting import wait_until

T = TypeVar("T")
RUNNING: contextvars.ContextVar["DoomedProcess"] = contextvars.ContextVar("RUNNING")
"""The process of which the present task is a part."""
STOPPED_S = 3_600.0


class DoomedProcess(Process):
    """`fate` says what happens at an effect, None for nothing; `ended` is called once it is gone.

    A process is gone when it was killed or stopped: nobody hears of it any more.
    """

    def __init__(
        self,
        service: ServiceName,
        name: str,
        *,
        fate: Callable[["DoomedProcess", str], Moment | None],
        ended: Callable[[], None],
        calm: Chance,
    ) -> None:
        super().__init__(name, calm, ended=self._be_gone, trace=[])
        self.service = service
        self.gone = asyncio.Event()
        self.overslept_s = 0.0
        self._over = False
        self._fate = fate
        self._tell_ended = ended
        self._going = asyncio.Event()
        self._going.set()

    @property
    def runs(self) -> bool:
        return self.alive and self._going.is_set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        context = contextvars.copy_context()
        context.run(RUNNING.set, self)
        task = self._loop.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def effect(
        self, what: str, do: Callable[[], Awaitable[T]], *, at_once: bool = False
    ) -> T:
        """Do it, as far as the process lives to do so.

        What is to happen at once cannot be late: then the process is stopped right after it.
        """
        await self._live()
        moment = self._fate(self, what)
        if moment == "before":
            self.kill()
        if moment == "late" and not at_once:
            self.stop()
        await self._live()
        done = await do()
        if moment == "after":
            self.kill()
        if moment == "late" and at_once:
            self.stop()
        await self._live()
        if moment == "twice":
            await self._again(operation_of(what), do)
        return done

    async def reach(self) -> None:
        await self._live()

    def stop(self) -> None:
        """Stop it in the middle of what it does."""
        self._going.clear()
        self._be_gone()

    def go_on(self) -> None:
        """Let it go on, long after."""
        self.overslept_s += STOPPED_S
        self._going.set()

    async def end(self) -> None:
        """Cancel all that it still does, and let it do nothing on the way."""
        self._over = True
        self._going.set()
        for waiting in (*self._tasks, *self._never):
            waiting.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _be_gone(self) -> None:
        if not self.gone.is_set():
            self.gone.set()
            self._tell_ended()

    async def _live(self) -> None:
        await self._going.wait()
        if self._over:
            raise asyncio.CancelledError
        await super()._live()

    async def _again(self, operation: str, do: Callable[[], Awaitable[Any]]) -> None:
        """Let it be done twice, in the way in which that happens to such an operation.

        A message is stored once more when the server has forgotten the first; a hook runs again.
        For all else the answer is lost: whoever did it does not know, and does it again.
        """
        if operation == "Bus.publish_raw":

            async def stored_again() -> bool:
                return not (await do()).duplicate

            await wait_until(stored_again, deadline_s=10, what="a message stored again")
        elif operation == "Cluster.execute":
            await do()
        else:
            raise UnavailableError("no answer came", why="it was done, and the answer is lost")
