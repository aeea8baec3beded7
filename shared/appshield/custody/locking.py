"""Locks on record: each is written on the bus before it is written into its repository.

So the lock of a worker that has died is found and removed by whoever looks at the records, and so
is one that an agent of a node has let go and may not delete.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future

import msgspec
import structlog
from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.agents import Agent, LockRecord
from appshield.contracts.streams import AGENTS, REPOSITORY_LOCKS
from appshield.custody.opening import Place
from appshield.errors import AppShieldError, UnavailableError
from appshield.objectstore import ObjectStore
from appshield.repository import Repository, RepositoryLock, remove_lock
from appshield.repository.layout import is_id
from appshield.service import Clock

_RECORD_TIMEOUT_S = 10.0
_DEAD_AFTER_S = AGENTS.live_s * 1.5


class RecordedLock(msgspec.Struct, frozen=True):
    """A lock that is held, with all that was put on record for it: one entry for each renewal."""

    lock: RepositoryLock
    written: list[LockRecord]


class RecordedLocks:
    """The locks of one worker; `agent` is what the keys of an agent's records begin with."""

    def __init__(self, *, bus: Bus, worker: str, clock: Clock, agent: str = "") -> None:
        self._records = bus.bucket(REPOSITORY_LOCKS, LockRecord)
        self._agents = bus.bucket(AGENTS, Agent)
        self._worker = worker
        self._agent = agent
        self._clock = clock
        self._let_go: set[str] = set()
        """Keys of own locks that nobody holds any more and that may still be there."""

    async def acquire(
        self,
        repository: Repository,
        *,
        vault: str,
        app_id: str,
        exclusive: bool = False,
        settle_later: bool = False,
    ) -> RecordedLock:
        """Lock a repository; an acquisition that fails or is cancelled leaves no lock behind.

        With `settle_later` the lock is given before it has settled: whatever is written asks for
        that, and waits.

        Raises:
            RepositoryLockedError: somebody holds it who does not go together with us.
            UnavailableError: the lock could not be put on record.
        """
        loop = asyncio.get_running_loop()
        written: list[LockRecord] = []

        def record(lock_id: str) -> None:
            entry = LockRecord(
                app_id=app_id,
                vault=vault,
                lock_id=lock_id,
                worker=self._worker,
                written_at=self._clock.now(),
                agent=self._agent,
            )
            written.append(entry)  # first: an answer that is lost may have been a success
            put = asyncio.run_coroutine_threadsafe(self._records.put(entry.key(), entry), loop)
            _until_on_record(put)

        acquiring = asyncio.ensure_future(
            asyncio.to_thread(
                RepositoryLock.acquire,
                repository,
                exclusive=exclusive,
                owner=self._worker,
                record=record,
                settle_later=settle_later,
            )
        )
        try:
            return RecordedLock(await asyncio.shield(acquiring), written)
        except BaseException:
            await asyncio.shield(self._give_up(acquiring, written))
            raise

    async def release(self, held: RecordedLock) -> None:
        """Let go of a lock; what fails now is done by the next sweep, and fails nothing here."""
        self._let_go.update(record.key() for record in held.written)
        try:
            await asyncio.to_thread(held.lock.release)
            for record in held.written:
                await self.forget(record)
        except AppShieldError as error:
            await self._leave(held.written, str(error))

    async def abandoned(self) -> list[LockRecord]:
        """Return every lock on record that nobody holds any more.

        Its worker is not alive, or is this one and has let go of it while the store was away.
        """
        alive = {entry.value.worker async for entry in self._agents.items()}
        records = [
            entry.value
            async for entry in self._records.items()
            if _is_its_own(entry.key, entry.value)
        ]
        return [record for record in records if self._is_abandoned(record, alive)]

    async def let_go(self, place: Place) -> list[LockRecord]:
        """Return the locks on a repository that agents have let go and may not delete."""
        return [
            entry.value
            async for entry in self._records.items("agents.")
            if _is_let_go(entry.key, entry.value)
            and (entry.value.vault, entry.value.app_id) == place
        ]

    async def being_let_go(self, stopping: asyncio.Event) -> AsyncIterator[LockRecord]:
        """Give every lock that an agent lets go and may not delete, as soon as it does."""
        async for change in self._records.watch("agents.", stopping=stopping):
            if change.value is not None and _is_let_go(change.key, change.value):
                yield change.value

    async def remove(self, record: LockRecord, store: ObjectStore) -> None:
        """Remove a lock that nobody holds, and then its record."""
        await asyncio.to_thread(remove_lock, store, record.lock_id)
        await self.forget(record)
        structlog.get_logger().info(
            "removed a lock that nobody holds", app_id=record.app_id, worker=record.worker
        )

    async def forget(self, record: LockRecord) -> None:
        """Remove the record of a lock that is gone."""
        await self._records.delete(record.key())
        self._let_go.discard(record.key())

    def _is_abandoned(self, record: LockRecord, alive: set[str]) -> bool:
        if record.let_go:
            return True
        if record.worker == self._worker:
            return record.key() in self._let_go
        age_s = (self._clock.now() - record.written_at).total_seconds()
        return record.worker not in alive and age_s >= _DEAD_AFTER_S

    async def _give_up(
        self, acquiring: "asyncio.Future[RepositoryLock]", written: list[LockRecord]
    ) -> None:
        await asyncio.wait({acquiring})
        if (error := acquiring.exception()) is None:
            await self.release(RecordedLock(acquiring.result(), written))
        elif written:
            await self._leave(written, str(error))

    async def _leave(self, written: list[LockRecord], problem: str) -> None:
        """Leave locks that may still be there to a sweep: one of ours, or of who may delete."""
        if not self._agent:
            structlog.get_logger().warning("lock not released yet", problem=problem)
        self._let_go.update(record.key() for record in written)
        if self._agent:
            with contextlib.suppress(AppShieldError):  # else they go when this worker does
                for record in written:
                    await self._records.put(record.key(), replace(record, let_go=True))
            self._let_go.difference_update(record.key() for record in written)


def _is_let_go(key: str, record: LockRecord) -> bool:
    return record.let_go and _is_its_own(key, record)


def _is_its_own(key: str, record: LockRecord) -> bool:
    """Whether a record stands where it says: who may write some keys speaks for those alone."""
    return key == record.key() and is_id(record.lock_id)


def _until_on_record(put: Future[int]) -> None:
    """Wait, in a thread, until a lock is on record.

    Raises:
        UnavailableError: it is not, or nobody knows.
    """
    try:
        put.result(_RECORD_TIMEOUT_S)
    except TimeoutError as error:
        raise UnavailableError(
            "a repository lock could not be put on record",
            why=f"the bus did not answer within {_RECORD_TIMEOUT_S:g} s",
            next_step="Check that NATS runs; the step is tried again.",
        ) from error
    except CancelledError as error:
        raise UnavailableError(
            "a repository lock could not be put on record",
            why="this worker is being stopped",
            next_step="Whoever takes over tries the step again.",
        ) from error
