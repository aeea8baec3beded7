"""Hold a repository: its shelf in the Vault, opened, under a lock that is on record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

import structlog

from appshield.bus import Bus
from appshield.contracts.agents import LockRecord
from appshield.custody.keeping import KEPT_S, KeptRepositories, LockedRepository
from appshield.custody.locking import RecordedLocks
from appshield.custody.opening import Place, Repositories
from appshield.errors import AppShieldError
from appshield.repository import Repository
from appshield.service import Clock, SystemClock, pause
from appshield.vault import ApplicationShelf, Vault

_SWEEP_EVERY_S = 10.0


class Vaults(Protocol):
    """Finds a Vault by its name."""

    async def open(self, name: str) -> Vault:
        """Open a Vault with the credentials and the key that its object names."""
        ...


class HeldRepository(LockedRepository, frozen=True):
    """A repository that is open and locked, with the shelf that it stands on."""

    shelf: ApplicationShelf


class Custody:
    """Opens and locks repositories for one worker that may open Vaults."""

    def __init__(
        self,
        *,
        bus: Bus,
        vaults: Vaults,
        worker: str,
        clock: Clock | None = None,
        kept_s: float = KEPT_S,
    ) -> None:
        self._locks = RecordedLocks(bus=bus, worker=worker, clock=clock or SystemClock())
        self._vaults = vaults
        self._kept: KeptRepositories[ApplicationShelf] = KeptRepositories(
            self._locks, kept_s=kept_s
        )
        self._repositories = Repositories()

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
        shelf: ApplicationShelf | None = None,
        more_follows: bool = False,
    ) -> AsyncIterator[HeldRepository]:
        """Hold an application's repository while the block runs.

        Others may hold it too, but nobody who removes from it. When `more_follows`, and the block
        did well, it is kept for the next step of the run, which is then spared opening it.

        `create` makes a missing one; with `like` that one cuts files as another one does. Its
        `shelf` is looked for, unless it is given or the repository is held already. A step that
        creates and of which `more_follows` does not wait until the lock has settled: those that
        write do.

        A lock that cannot be removed afterwards is no failure of the block: sweeping removes it.

        Raises:
            RepositoryLockedError: somebody holds it alone.
        """
        place = (vault, app_id)
        opening = partial(self._opened, place, shelf, create=create, like=like)
        async with self._kept.locked(
            place, opening, more_follows=more_follows, settle_later=create and more_follows
        ) as (held, found):
            yield HeldRepository(repository=held.repository, lock=held.lock, shelf=found)

    @asynccontextmanager
    async def held_alone(self, vault: str, app_id: str) -> AsyncIterator[HeldRepository]:
        """Hold a repository with nobody else in it, stock clients included; as `held` otherwise.

        Whoever removes from a repository holds it so.

        Raises:
            RepositoryLockedError: somebody else holds it.
        """
        place = (vault, app_id)
        for record in await self._locks.let_go(place):
            await self._remove(record)
        opening = partial(self._opened, place, None)
        async with self._kept.locked_alone(place, opening) as (held, shelf):
            yield HeldRepository(repository=held.repository, lock=held.lock, shelf=shelf)

    async def _opened(
        self,
        place: Place,
        shelf: ApplicationShelf | None,
        *,
        create: bool = False,
        like: Repository | None = None,
    ) -> tuple[Repository, ApplicationShelf]:
        shelf = shelf or await self.shelf(*place)
        opening = partial(self._repositories.open, place, shelf, create=create, like=like)
        return await asyncio.to_thread(opening), shelf

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        """Remove locks of dead workers again and again, and at once those that agents let go.

        Told to stop, keep nothing any more.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._remove_let_go(stopping), name="locks of agents")
            while not stopping.is_set():
                try:
                    await self.sweep()
                except AppShieldError as error:
                    structlog.get_logger().warning("locks not swept", problem=str(error))
                await pause(stopping, _SWEEP_EVERY_S)
        await self._kept.stop()

    async def sweep(self) -> int:
        """Remove every lock on record that nobody holds any more; return how many.

        What cannot be removed now does not keep the others from it.
        """
        return sum([await self._remove(record) for record in await self._locks.abandoned()])

    async def _remove_let_go(self, stopping: asyncio.Event) -> None:
        async for record in self._locks.being_let_go(stopping):
            await self._remove(record)

    async def _remove(self, record: LockRecord) -> bool:
        try:
            shelf = await self.shelf(record.vault, record.app_id)
            await self._locks.remove(record, shelf.repository_store)
        except AppShieldError as error:
            structlog.get_logger().warning("lock not removed yet", problem=str(error))
            return False
        return True
