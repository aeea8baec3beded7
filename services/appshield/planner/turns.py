"""Turns: messages about one application are handled one by one; none sees another half done.

Whoever gets an application's turn finds it in line with the policies that are in force.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from appshield.contracts.catalog import ApplicationFound, CatalogRebuilt
from appshield.contracts.changes import Signal
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Message
from appshield.contracts.policies import PolicyObserved


class Turns:
    """The turns of applications, and of what else is named; nobody may ask for one's own again."""

    def __init__(self, in_line: Callable[[AppRef], Awaitable[None]]) -> None:
        self._in_line = in_line
        self._locks: WeakValueDictionary[AppRef | str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, whose: AppRef | str) -> AsyncIterator[None]:
        """Have a turn for the time of the block; raises what bringing in line raises."""
        lock = self._locks.setdefault(whose, asyncio.Lock())
        async with lock:
            if isinstance(whose, AppRef):
                await self._in_line(whose)
            yield

    async def over(self, *, but: Container[AppRef] = ()) -> None:
        """Return when every turn of an application has ended that is under way now, or is `but`."""
        for whose, lock in list(self._locks.items()):
            if isinstance(whose, AppRef) and lock.locked() and whose not in but:
                async with lock:
                    pass


def whose_turns(message: Message) -> tuple[AppRef | str, ...]:
    """Name what a message is about, so that those about the same are handled one by one.

    The end of a catalog run waits for its findings, which are about other applications.
    """
    if isinstance(message, ApplicationFound | CatalogRebuilt):
        return (message.run, message.app)
    if isinstance(message, PolicyObserved):
        return ()  # it takes those that it needs, as long as it needs them
    if isinstance(message, Signal):
        return (f"signal {message.name}/{message.id}",)
    return (message.app,)
