"""An event loop whose time jumps: to the next timer, as soon as nothing else is left to do.

Code that waits for minutes takes no time, and the same code runs in the same order again: nothing
comes from outside, and what would run in a thread runs at once.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
PASSES_MAX = 30_000
"""More passes of the loop than any story takes that comes to an end."""


class StuckError(Exception):
    """Everything waits, and nothing will ever happen."""


class _NoEvents(selectors.SelectSelector):
    """Gives no event from outside, and takes a timeout as the time that has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0
        self.endless = asyncio.Event()
        """Set after so much that nobody need wait for an end."""
        self._passes = 0

    def begin_again(self) -> None:
        """Allow as much again to what begins now."""
        self._passes = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError("every task waits for something that nobody will do")
        self._passes += 1
        if self._passes == PASSES_MAX:
            self.endless.set()
        self.passed_s += max(0.0, timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self.virtual = _NoEvents()
        super().__init__(self.virtual)

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self.virtual.passed_s

    def run_in_executor(  # type: ignore[override]  # a future, as the real one's type says less
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run it here and now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)
        return future


def endless() -> asyncio.Event:
    """Return what the running loop sets when its story seems to have no end."""
    return _running().virtual.endless


async def a_part(work: Coroutine[Any, Any, T]) -> T:
    """Do a part of a story, which may be as long as a whole one.

    Raises:
        StuckError: it has no end.
    """
    virtual = _running().virtual
    virtual.begin_again()
    doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(virtual.endless.wait())
    await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not doing.done():
        doing.cancel()
        raise StuckError("everybody is busy for ever")
    return doing.result()


def _running() -> "VirtualTimeLoop":
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time; whatever still runs then is cancelled."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
