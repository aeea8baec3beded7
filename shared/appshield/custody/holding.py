"""Hold a repository: its shelf in the Vault, opened, under a lock that is on record.

To open one derives a key from a password and waits for the locks of others to show: half a second,
and 32 MiB. The steps of a run follow each other; what one of them held is kept for a moment, for
the next one of this worker to go on with.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec
import structlog

from appshield.bus import Bus
from appshield.custody.locking import RecordedLock, RecordedLocks
from appshield.custody.opening import Place, Repositories
from appshield.errors import AppShieldError
from appshield.repository import Repository, RepositoryLock
from appshield.service import Clock, SystemClock, pause
from appshield.vault import ApplicationShelf, Vault

KEPT_S = 5.0
"""For how long a repository that nobody uses is kept for the next step of the same run."""

_SWEEP_EVERY_S = 10.0


class Vaults(Protocol):
    """Finds a Vault by its name."""

    async def open(self, name: str) -> Vault:
        """Open a Vault with the credentials and the key that its object names."""
        ...


class HeldRepository(msgspec.Struct, frozen=True):
    """A repository that is open and locked, with the shelf that it stands on."""

    shelf: ApplicationShelf
    repository: Repository
    lock: RepositoryLock


class _Kept:
    """An open repository under a shared lock, those who use it, and its end when nobody does."""

    def __init__(self, repository: Repository, locked: RecordedLock) -> None:
        self.repository = repository
        self.locked = locked
        self.users = 0
        self.ended = False
        self.ending: asyncio.TimerHandle | None = None

    def is_good(self) -> bool:
        """Whether the lock still counts, as far as is known by now; asks no store."""
        lock = self.locked.lock
        return not lock.is_settled or lock.fresh_for_s() > 0


class Custody:
    """Opens and locks repositories for one worker."""

    def __init__(
        self,
        *,
        bus: Bus,
        vaults: Vaults,
        worker: str,
        clock: Clock | None = None,
        kept_s: float = KEPT_S,
    ) -> None:
        self._kept_s = kept_s
        self._locks = RecordedLocks(bus=bus, worker=worker, clock=clock or SystemClock())
        self._vaults = vaults
        self._kept: dict[Place, _Kept] = {}
        self._repositories = Repositories()
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._ending: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def vault(self, name: str) -> Vault:
        """Open a Vault."""
        return await self._vaults.open(name)

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        """Find the shelf of an application."""
        return (await self._vaults.open(vault)).application(app_id)

    @asynccontextmanager
    async def held(
        self,
        vault: str,
        app_id: str,
        *,
        create: bool = False,
        like: Repository | None = None,
        more_follows: bool = False,
    ) -> AsyncIterator[HeldRepository]:
        """Hold an application's repository while the block runs.

        Others may hold it too, but nobody who removes from it. When `more_follows`, and the block
        did well, it is kept for the next step of the run, which is then spared half a second.

        `create` makes a missing one; with `like` that one cuts files as another one does. A step
        that creates and of which `more_follows` does not wait until the lock has settled: those
        that write do.

        A lock that cannot be removed afterwards is no failure of the block: sweeping removes it.

        Raises:
            RepositoryLockedError: somebody holds it alone.
        """
        place = (vault, app_id)
        shelf = await self.shelf(vault, app_id)
        async with self._turn(place):
            opening = partial(self._repositories.open, place, shelf, create=create, like=like)
            kept = await self._use(place, opening, settle_later=create and more_follows)
        well = False
        try:
            yield HeldRepository(
                shelf=shelf, repository=kept.repository.anew(), lock=kept.locked.lock
            )
            well = True
        finally:
            kept.users -= 1
            if not kept.users:
                keep = well and more_follows and not self._stopping
                await asyncio.shield(
                    self._let_go(place, kept, after_s=self._kept_s if keep else 0.0)
                )

    @asynccontextmanager
    async def held_alone(self, vault: str, app_id: str) -> AsyncIterator[HeldRepository]:
        """Hold a repository with nobody else in it, stock clients included; as `held` otherwise.

        Whoever removes from a repository holds it so.

        Raises:
            RepositoryLockedError: somebody else holds it.
        """
        place = (vault, app_id)
        shelf = await self.shelf(vault, app_id)
        async with self._turn(place):
            kept = self._kept.get(place)
            if kept is not None and not kept.users:
                await self._end(place, kept)
            repository = await asyncio.to_thread(self._repositories.open, place, shelf)
            locked = await self._locks.acquire(
                repository, vault=vault, app_id=app_id, exclusive=True
            )
        try:
            yield HeldRepository(shelf=shelf, repository=repository, lock=locked.lock)
        finally:
            await asyncio.shield(self._locks.release(locked))

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        """Remove locks of dead workers again and again; told to stop, keep nothing any more."""
        while not stopping.is_set():
            try:
                await self.sweep()
            except AppShieldError as error:
                structlog.get_logger().warning("locks not swept", problem=str(error))
            await pause(stopping, _SWEEP_EVERY_S)
        self._stopping = True
        for place, kept in list(self._kept.items()):
            if not kept.users:
                await self._let_go(place, kept, after_s=0.0)
        await asyncio.gather(*self._ending)

    async def sweep(self) -> int:
        """Remove every lock on record that nobody holds any more; return how many.

        What cannot be removed now does not keep the others from it.
        """
        removed = 0
        for record in await self._locks.abandoned():
            try:
                shelf = await self.shelf(record.vault, record.app_id)
                await self._locks.remove(record, shelf.repository_store)
                removed += 1
            except AppShieldError as error:
                structlog.get_logger().warning("lock not removed yet", problem=str(error))
        return removed

    def _turn(self, place: Place) -> asyncio.Lock:
        """Opening and ending of one repository are done one at a time."""
        return self._turns.setdefault(place, asyncio.Lock())

    async def _use(
        self, place: Place, opening: Callable[[], Repository], *, settle_later: bool
    ) -> _Kept:
        kept = self._kept.get(place)
        if kept is None or not kept.is_good():
            if kept is not None and not kept.users:
                await self._end(place, kept)
            repository = await asyncio.to_thread(opening)
            locked = await self._locks.acquire(
                repository, vault=place[0], app_id=place[1], settle_later=settle_later
            )
            kept = self._kept[place] = _Kept(repository, locked)
        if not settle_later:
            await asyncio.to_thread(kept.locked.lock.ensure_settled)
        if kept.ending is not None:
            kept.ending.cancel()
            kept.ending = None
        kept.users += 1
        return kept

    async def _let_go(self, place: Place, kept: _Kept, *, after_s: float) -> None:
        """End a repository that nobody uses, now or in a while."""
        if after_s:
            loop = asyncio.get_running_loop()
            kept.ending = loop.call_later(after_s, self._end_later, place, kept)
            return
        async with self._turn(place):
            if not kept.users and not kept.ended:
                await self._end(place, kept)

    def _end_later(self, place: Place, kept: _Kept) -> None:
        task = asyncio.create_task(self._let_go(place, kept, after_s=0.0), name="let go")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, place: Place, kept: _Kept) -> None:
        """Release the lock, once; whoever comes next opens anew."""
        kept.ended = True
        if kept.ending is not None:
            kept.ending.cancel()
        if self._kept.get(place) is kept:
            del self._kept[place]
        await self._locks.release(kept.locked)
