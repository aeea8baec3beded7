"""Answers that are remembered briefly: bounded in number, and asked for once by many at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Answer(NamedTuple, Generic[V]):
    """What was answered, and for how many seconds it may be used."""

    value: V
    lives_s: float


class Brief(Generic[K, V]):
    """Remembers answers by a key. What fails is not remembered; whoever waits for it is told.

    At most `entries_max` are kept: the oldest goes first. `now_s` reads a clock that only goes on.
    """

    def __init__(self, *, entries_max: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._entries_max = entries_max
        self._now_s = now_s
        self._kept: dict[K, tuple[V, float]] = {}
        self._asked: dict[K, asyncio.Task[V]] = {}

    def known(self, key: K) -> V | None:
        """Return what is remembered."""
        found = self._kept.get(key)
        return found[0] if found is not None and self._now_s() < found[1] else None

    async def get(self, key: K, ask: Callable[[], Awaitable[Answer[V]]]) -> V:
        """Return what is remembered, else what `ask` answers.

        Whoever comes while it is asked waits for the same answer; who goes meanwhile spoils it for
        nobody.
        """
        found = self.known(key)
        if found is not None:
            return found
        asked = self._asked.get(key)
        if asked is None:
            asked = asyncio.create_task(self._ask(key, ask), name="a brief answer")
            self._asked[key] = asked
            asked.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asked)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[Answer[V]]]) -> V:
        value, lives_s = await ask()
        self._kept.pop(key, None)
        if lives_s > 0:
            self._kept[key] = (value, self._now_s() + lives_s)
            while len(self._kept) > self._entries_max:
                del self._kept[next(iter(self._kept))]
        return value

    def _answered(self, key: K, done: asyncio.Task[V]) -> None:
        del self._asked[key]
        if not done.cancelled():
            done.exception()  # nobody may be left to see it
