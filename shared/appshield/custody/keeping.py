"""Repositories that are open and locked, and are kept for a moment.

To open one may derive a key from a password: a tenth of a second, and 32 MiB. The steps of a run
follow each other; what one of them held is kept for a moment, for the next one of this worker.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import msgspec

from appshield.custody.locking import RecordedLock, RecordedLocks
from appshield.custody.opening import Place, RepositoryKey
from appshield.repository import Repository, RepositoryLock

KEPT_S = 5.0
"""For how long a repository that nobody uses is kept for the next step of the same run."""


class LockedRepository(msgspec.Struct, frozen=True):
    """A repository that is open and locked."""

    repository: Repository
    lock: RepositoryLock


K = TypeVar("K", bound=RepositoryKey)

Opening = Callable[[], Awaitable[tuple[Repository, K]]]
"""Opens a repository; returns it with what it was opened with."""


class _Kept(Generic[K]):
    """An open repository under a shared lock, those who use it, and its end when nobody does."""

    def __init__(self, repository: Repository, key: K, locked: RecordedLock) -> None:
        self.repository = repository
        self.key = key
        self.locked = locked
        self.users = 0
        self.ended = False
        self.ending: asyncio.TimerHandle | None = None

    def is_good(self) -> bool:
        """Whether the lock still counts, as far as is known by now; asks no store."""
        lock = self.locked.lock
        return not lock.is_settled or lock.fresh_for_s() > 0


class KeptRepositories(Generic[K]):
    """Opens and locks repositories for one worker."""

    def __init__(self, locks: RecordedLocks, *, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._locks = locks
        self._kept: dict[Place, _Kept[K]] = {}
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    @asynccontextmanager
    async def locked(
        self,
        place: Place,
        opening: Opening[K],
        *,
        more_follows: bool = False,
        settle_later: bool = False,
    ) -> AsyncIterator[tuple[LockedRepository, K]]:
        """Hold what `opening` opens together with others, while the block runs: `Custody.held`.

        With `settle_later` it is given before its lock has settled: writers wait for that.

        Raises:
            RepositoryLockedError: somebody holds it alone.
        """
        async with self._turn(place):
            kept = await self._use(place, opening, settle_later=settle_later)
        well = False
        try:
            yield LockedRepository(kept.repository.anew(), kept.locked.lock), kept.key
            well = True
        finally:
            kept.users -= 1
            if not kept.users:
                keep = well and more_follows and not self._stopping
                await asyncio.shield(
                    self._let_go(place, kept, after_s=self._kept_s if keep else 0.0)
                )

    @asynccontextmanager
    async def locked_alone(
        self, place: Place, opening: Opening[K]
    ) -> AsyncIterator[tuple[LockedRepository, K]]:
        """Hold a repository with nobody else in it; see `Custody.held_alone`.

        Raises:
            RepositoryLockedError: somebody else holds it.
        """
        async with self._turn(place):
            kept = self._kept.get(place)
            if kept is not None and not kept.users:
                await self._end(place, kept)
            repository, key = await opening()
            locked = await self._locks.acquire(
                repository, vault=place[0], app_id=place[1], exclusive=True
            )
        try:
            yield LockedRepository(repository, locked.lock), key
        finally:
            await asyncio.shield(self._locks.release(locked))

    async def stop(self) -> None:
        """Keep nothing any more."""
        self._stopping = True
        for place, kept in list(self._kept.items()):
            if not kept.users:
                await self._let_go(place, kept, after_s=0.0)
        await asyncio.gather(*self._ending)

    def _turn(self, place: Place) -> asyncio.Lock:
        """Opening and ending of one repository are done one at a time."""
        return self._turns.setdefault(place, asyncio.Lock())

    async def _use(self, place: Place, opening: Opening[K], *, settle_later: bool) -> _Kept[K]:
        kept = self._kept.get(place)
        if kept is None or not kept.is_good():
            if kept is not None and not kept.users:
                await self._end(place, kept)
            repository, key = await opening()
            locked = await self._locks.acquire(
                repository, vault=place[0], app_id=place[1], settle_later=settle_later
            )
            kept = self._kept[place] = _Kept(repository, key, locked)
        if not settle_later:
            await asyncio.to_thread(kept.locked.lock.ensure_settled)
        if kept.ending is not None:
            kept.ending.cancel()
            kept.ending = None
        kept.users += 1
        return kept

    async def _let_go(self, place: Place, kept: _Kept[K], *, after_s: float) -> None:
        """End a repository that nobody uses, now or in a while."""
        if after_s:
            loop = asyncio.get_running_loop()
            kept.ending = loop.call_later(after_s, self._end_later, place, kept)
            return
        async with self._turn(place):
            if not kept.users and not kept.ended:
                await self._end(place, kept)

    def _end_later(self, place: Place, kept: _Kept[K]) -> None:
        task = asyncio.create_task(self._let_go(place, kept, after_s=0.0), name="let go")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, place: Place, kept: _Kept[K]) -> None:
        """Release the lock, once; whoever comes next opens anew."""
        kept.ended = True
        if kept.ending is not None:
            kept.ending.cancel()
        if self._kept.get(place) is kept:
            del self._kept[place]
        await self._locks.release(kept.locked)
