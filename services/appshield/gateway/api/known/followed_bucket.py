"""A bucket kept in memory by following it: what is kept of each value, and its revision."""

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from appshield.bus import Watchable
from appshield.errors import UnavailableError

T = TypeVar("T")
K = TypeVar("K")


class Kept(NamedTuple, Generic[K]):
    """What is kept of a value, and the revision that it had."""

    value: K
    revision: int


class Followed(Generic[T, K]):
    """A bucket in memory; `keeps` says what of a value.

    `told` hears of each change after everything that was there is known: what was kept before, and
    the new value; None for nothing.
    """

    def __init__(
        self,
        bucket: Watchable[T],
        *,
        keeps: Callable[[T], K],
        told: Callable[[K | None, T | None], None],
    ) -> None:
        self._bucket = bucket
        self._keeps = keeps
        self._told = told
        self._kept: dict[str, Kept[K]] = {}
        self._complete = False
        self.revision = 0
        """How far the bucket was taken in."""
        self.gone_unseen = 0
        """The highest revision at which something went that was never known here."""

    def get(self, key: str) -> K | None:
        """Look something up; while not everything is known it may be missing."""
        found = self._kept.get(key)
        return found.value if found else None

    def values(self) -> list[K]:
        """List everything.

        Raises:
            UnavailableError: not everything is known yet.
        """
        if not self._complete:
            raise UnavailableError(
                "the gateway does not know everything yet",
                why="it has just started and reads what there is",
                next_step="Try again in a moment.",
            )
        return [one.value for one in self._kept.values()]

    def since(self, revision: int) -> list[K]:
        """List what was written after a revision; raises as `values`."""
        self.values()
        return [one.value for one in self._kept.values() if one.revision > revision]

    async def keep(self, stopping: asyncio.Event) -> None:
        """Follow until told to stop."""
        async for change in self._bucket.watch(stopping=stopping, traces=True):
            self.revision = max(self.revision, change.revision)
            if change.is_marker:
                self._complete = True
                continue
            before = self._kept.pop(change.key, None)
            if change.value is not None:
                self._kept[change.key] = Kept(self._keeps(change.value), change.revision)
            elif before is None:
                self.gone_unseen = max(self.gone_unseen, change.revision)
                continue
            if self._complete:
                self._told(before.value if before else None, change.value)
