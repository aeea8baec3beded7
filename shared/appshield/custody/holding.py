"""Hold a repository: its shelf in the Vault, opened, under a lock that is on record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
import structlog
from appshield.vault import ApplicationShelf, Vault

from appshield.bus import Bus
from appshield.contracts.agents import Agent, LockRecord
from appshield.contracts.streams import AGENTS, REPOSITORY_LOCKS
from appshield.errors import AppShieldError, NotFoundError
from appshield.repository import Repository, RepositoryLock, remove_lock
from appshield.service import SystemClock, pause

_RECORD_TIMEOUT_S = 10.0
_DEAD_AFTER_S = AGENTS.live_s * 1.5
_SWEEP_EVERY_S = 10.0


class Vaults(Protocol):
    """Finds a Vault by its name."""

    async def open(self, name: str) -> Vault:
        """Open a Vault with the credentials and the key that its object names."""
        ...


class HeldRepository(msgspec.Struct, frozen=True):
    """A repository that is open and locked (shared), with the shelf that it stands on."""

    shelf: ApplicationShelf
    repository: Repository
    lock: RepositoryLock


class Custody:
    """Opens and locks repositories for one worker."""

    def __init__(self, *, bus: Bus, vaults: Vaults, worker: str) -> None:
        self._records = bus.bucket(REPOSITORY_LOCKS, LockRecord)
        self._agents = bus.bucket(AGENTS, Agent)
        self._vaults = vaults
        self._worker = worker
        self._clock = SystemClock()

    async def vault(self, name: str) -> Vault:
        """Open a Vault."""
        return await self._vaults.open(name)

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        """Find the shelf of an application."""
        return (await self._vaults.open(vault)).application(app_id)

    @asynccontextmanager
    async def held(
        self, vault: str, app_id: str, *, create: bool = False
    ) -> AsyncIterator[HeldRepository]:
        """Hold an application's repository while the block runs; `create` makes a missing one."""
        shelf = await self.shelf(vault, app_id)
        repository = await asyncio.to_thread(_open, shelf, create=create)
        loop = asyncio.get_running_loop()
        written: list[str] = []

        def record(lock_id: str) -> None:
            entry = LockRecord(
                app_id=app_id,
                vault=vault,
                lock_id=lock_id,
                worker=self._worker,
                written_at=self._clock.now(),
            )
            put = asyncio.run_coroutine_threadsafe(
                self._records.put(_key(app_id, lock_id), entry), loop
            )
            put.result(_RECORD_TIMEOUT_S)
            written.append(lock_id)

        lock = await asyncio.to_thread(
            RepositoryLock.acquire, repository, owner=self._worker, record=record
        )
        try:
            yield HeldRepository(shelf=shelf, repository=repository, lock=lock)
        finally:
            await asyncio.shield(self._let_go(app_id, lock, written))

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        """Remove locks of dead workers again and again, until told to stop."""
        while not stopping.is_set():
            try:
                await self.sweep()
            except AppShieldError as error:
                structlog.get_logger().warning("locks not swept", problem=str(error))
            await pause(stopping, _SWEEP_EVERY_S)

    async def sweep(self) -> int:
        """Remove every lock on record whose worker is not alive; return how many."""
        alive = {entry.value.worker async for entry in self._agents.items()}
        removed = 0
        async for entry in self._records.items():
            age_s = (self._clock.now() - entry.value.written_at).total_seconds()
            if entry.value.worker in alive or age_s < _DEAD_AFTER_S:
                continue
            await self._remove(entry.value)
            removed += 1
        return removed

    async def _remove(self, record: LockRecord) -> None:
        shelf = await self.shelf(record.vault, record.app_id)
        await asyncio.to_thread(remove_lock, shelf.repository_store, record.lock_id)
        await self._records.delete(_key(record.app_id, record.lock_id))
        structlog.get_logger().info(
            "removed the lock of a dead worker", app_id=record.app_id, worker=record.worker
        )

    async def _let_go(self, app_id: str, lock: RepositoryLock, written: list[str]) -> None:
        await asyncio.to_thread(lock.release)
        for lock_id in written:
            await self._records.delete(_key(app_id, lock_id))


def _open(shelf: ApplicationShelf, *, create: bool) -> Repository:
    password = shelf.repository_password()
    try:
        return Repository.open(shelf.repository_store, password)
    except NotFoundError:
        if not create:
            raise
    return Repository.create(shelf.repository_store, password)


def _key(app_id: str, lock_id: str) -> str:
    return f"{app_id}.{lock_id}"
