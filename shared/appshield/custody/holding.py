"""Hold a repository: its shelf in the Vault, opened, under a lock that is on record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
import structlog

from appshield.bus import Bus
from appshield.contracts.agents import Agent, LockRecord
from appshield.contracts.streams import AGENTS, REPOSITORY_LOCKS
from appshield.errors import AppShieldError, NotFoundError, UnavailableError
from appshield.repository import Repository, RepositoryLock, remove_lock
from appshield.service import Clock, SystemClock, pause
from appshield.vault import ApplicationShelf, Vault

_RECORD_TIMEOUT_S = 10.0
_DEAD_AFTER_S = AGENTS.live_s * 1.5
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


class Custody:
    """Opens and locks repositories for one worker."""

    def __init__(
        self, *, bus: Bus, vaults: Vaults, worker: str, clock: Clock | None = None
    ) -> None:
        self._records = bus.bucket(REPOSITORY_LOCKS, LockRecord)
        self._agents = bus.bucket(AGENTS, Agent)
        self._vaults = vaults
        self._worker = worker
        self._clock = clock or SystemClock()
        self._let_go: set[str] = set()
        """Keys of own locks that nobody holds any more and that may still be there."""

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
        exclusive: bool = False,
    ) -> AsyncIterator[HeldRepository]:
        """Hold an application's repository while the block runs; `create` makes a missing one.

        With `like` that one cuts files as another one does.

        With `exclusive` nobody else holds it, stock clients included; who removes from a repository
        holds it so. RepositoryLockedError when somebody holds it who does not go together with us.

        A lock that cannot be removed afterwards is no failure of the block: sweeping removes it.
        """
        shelf = await self.shelf(vault, app_id)
        repository = await asyncio.to_thread(_open, shelf, create=create, like=like)
        loop = asyncio.get_running_loop()
        written: list[LockRecord] = []

        def record(lock_id: str) -> None:
            entry = LockRecord(
                app_id=app_id,
                vault=vault,
                lock_id=lock_id,
                worker=self._worker,
                written_at=self._clock.now(),
            )
            written.append(entry)  # first: an answer that is lost may have been a success
            put = asyncio.run_coroutine_threadsafe(self._records.put(_key(entry), entry), loop)
            try:
                put.result(_RECORD_TIMEOUT_S)
            except TimeoutError as error:
                raise UnavailableError(
                    "a repository lock could not be put on record",
                    why=f"the bus did not answer within {_RECORD_TIMEOUT_S:g} s",
                    next_step="Check that NATS runs; the step is tried again.",
                ) from error

        acquiring = asyncio.ensure_future(
            asyncio.to_thread(
                RepositoryLock.acquire,
                repository,
                exclusive=exclusive,
                owner=self._worker,
                record=record,
            )
        )
        try:
            lock = await asyncio.shield(acquiring)
        except BaseException:
            await asyncio.shield(self._give_up(acquiring, written))
            raise
        try:
            yield HeldRepository(shelf=shelf, repository=repository, lock=lock)
        finally:
            await asyncio.shield(self._release(lock, written))

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        """Remove locks of dead workers again and again, until told to stop."""
        while not stopping.is_set():
            try:
                await self.sweep()
            except AppShieldError as error:
                structlog.get_logger().warning("locks not swept", problem=str(error))
            await pause(stopping, _SWEEP_EVERY_S)

    async def sweep(self) -> int:
        """Remove every lock on record that nobody holds any more; return how many.

        Its worker is not alive, or is this one and has let go of it while the store was away. What
        cannot be removed now does not keep the others from it.
        """
        alive = {entry.value.worker async for entry in self._agents.items()}
        removed = 0
        for record in [entry.value async for entry in self._records.items()]:
            if not self._abandoned(record, alive):
                continue
            try:
                await self._remove(record)
                removed += 1
            except AppShieldError as error:
                structlog.get_logger().warning("lock not removed yet", problem=str(error))
        return removed

    def _abandoned(self, record: LockRecord, alive: set[str]) -> bool:
        if record.worker == self._worker:
            return _key(record) in self._let_go
        age_s = (self._clock.now() - record.written_at).total_seconds()
        return record.worker not in alive and age_s >= _DEAD_AFTER_S

    async def _remove(self, record: LockRecord) -> None:
        shelf = await self.shelf(record.vault, record.app_id)
        await asyncio.to_thread(remove_lock, shelf.repository_store, record.lock_id)
        await self._records.delete(_key(record))
        self._let_go.discard(_key(record))
        structlog.get_logger().info(
            "removed a lock that nobody holds", app_id=record.app_id, worker=record.worker
        )

    async def _give_up(
        self, acquiring: "asyncio.Future[RepositoryLock]", written: list[LockRecord]
    ) -> None:
        """Leave no lock behind of an acquisition that failed or was cancelled."""
        await asyncio.wait({acquiring})
        if acquiring.exception() is None:
            await self._release(acquiring.result(), written)
        else:
            self._let_go.update(map(_key, written))

    async def _release(self, lock: RepositoryLock, written: list[LockRecord]) -> None:
        """Let go of a lock; what fails now is done by the next sweep, and fails no step."""
        self._let_go.update(map(_key, written))
        try:
            await asyncio.to_thread(lock.release)
            for record in written:
                await self._records.delete(_key(record))
                self._let_go.discard(_key(record))
        except AppShieldError as error:
            structlog.get_logger().warning("lock not released yet", problem=str(error))


def _open(shelf: ApplicationShelf, *, create: bool, like: Repository | None) -> Repository:
    password = shelf.repository_password()
    try:
        return Repository.open(shelf.repository_store, password)
    except NotFoundError:
        if not create:
            raise
    return Repository.create(shelf.repository_store, password, like=like)


def _key(record: LockRecord) -> str:
    return f"{record.app_id}.{record.lock_id}"
