"""Locks of ours are on record before they are written, and no other lock is ever touched."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from appshield.contracts.agents import Agent, LockRecord
from appshield.contracts.streams import AGENTS, REPOSITORY_LOCKS
from appshield.custody import Custody, opening
from appshield.errors import NotFoundError, UnavailableError
from appshield.objectstore import Content, MemoryObjectStore, ObjectStore
from appshield.repository import Repository, RepositoryLock, SnapshotDocument
from appshield.repository.known_files import KnownFiles
from appshield.repository.locks import RepositoryLockedError
from appshield.vault import Vault
from failing_store import StoreAround, names_in
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from waiting import wait_until

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER_S = AGENTS.live_s * 2
SNAPSHOT = SnapshotDocument(time=NOW, tree="00" * 32, paths=("/app",))
FOLDER = "applications/a-1/repository/locks"


class Away(StoreAround):
    """A store that can refuse to delete."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.away = False

    def delete(self, name: str) -> None:
        if self.away:
            raise UnavailableError("the store is away")
        super().delete(name)


class Place:
    """A Vault, a bus, and workers that hold its repositories."""

    def __init__(self) -> None:
        self.bus = MemoryBus("uploader")
        self.store = Away(MemoryObjectStore())
        self.vault = Vault(self.store, bytes(32), "main")
        self.vault.initialize()
        self.clock = FixedClock(NOW)
        self.broken: set[str] = set()

    async def open(self, name: str) -> Vault:
        if name in self.broken:
            raise NotFoundError(f"Vault {name} does not exist")
        return self.vault

    def worker(self, name: str, *, kept_s: float = 600) -> Custody:
        return Custody(bus=self.bus, vaults=self, worker=name, clock=self.clock, kept_s=kept_s)

    async def announce(self, name: str) -> None:
        agent = Agent(service="uploader", cluster="test", worker=name, seen_at=NOW)
        await self.bus.bucket(AGENTS, Agent).put(f"uploader.test.{name}", agent)

    async def record(self, lock_id: str, *, worker: str, vault: str = "main") -> None:
        entry = LockRecord(
            app_id="a-1", vault=vault, lock_id=lock_id, worker=worker, written_at=NOW
        )
        await self.bus.bucket(REPOSITORY_LOCKS, LockRecord).put(f"a-1.{lock_id}", entry)

    async def records(self) -> list[str]:
        bucket = self.bus.bucket(REPOSITORY_LOCKS, LockRecord)
        return [entry.value.lock_id async for entry in bucket.items()]

    def locks(self) -> list[str]:
        return [name.rpartition("/")[2] for name in names_in(self.store, FOLDER)]

    def pass_time(self) -> None:
        self.clock.at = NOW + timedelta(seconds=LATER_S)


@pytest.fixture
async def place() -> Place:
    made = Place()
    async with made.worker("first").held("main", "a-1", create=True):
        pass
    return made


async def test_a_repository_that_is_held_is_locked_on_record_and_free_afterwards(
    place: Place,
) -> None:
    """The record names the very lock that is in the repository."""
    async with place.worker("w").held("main", "a-1") as held:
        assert place.locks() == await place.records() == [held.lock.lock_id]
    assert place.locks() == await place.records() == []


async def test_a_renewal_that_is_cut_short_as_the_worker_ends_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever renews in a thread gets an error that it knows, not the end of the thread."""
    async with place.worker("w").held("main", "a-1") as held:
        going: list[asyncio.Future[None]] = []

        async def never(*_: object) -> None:
            going.append(asyncio.get_running_loop().create_future())
            await going[0]

        with monkeypatch.context() as patched:
            patched.setattr(type(place.bus.bucket(REPOSITORY_LOCKS, LockRecord)), "put", never)
            renewing = asyncio.ensure_future(asyncio.to_thread(held.lock.renew))
            await wait_until(lambda: going, deadline_s=30, what="it is put on record")
            going[0].cancel()
            with pytest.raises(UnavailableError, match="this worker is being stopped"):
                await renewing


async def test_a_lock_is_on_record_before_it_is_written(place: Place) -> None:
    """Killed in between, a worker leaves a record and no lock, never a lock and no record."""
    seen: list[bool] = []
    written = place.store.put

    def put(
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        if "/locks/" in name:
            on_record = asyncio.run_coroutine_threadsafe(place.records(), loop).result(10)
            seen.append(name.rpartition("/")[2] in on_record)
        written(name, data, only_if_absent=only_if_absent, sha256=sha256)

    loop = asyncio.get_running_loop()
    place.store.put = put  # type: ignore[method-assign] # looked at in passing
    async with place.worker("w").held("main", "a-1"):
        assert seen == [True]


async def test_an_unknown_repository_is_made_only_when_that_is_asked_for(place: Place) -> None:
    """A restore from nothing is an error, not an empty repository."""
    with pytest.raises(NotFoundError):
        async with place.worker("w").held("main", "a-2"):
            raise AssertionError("it was made")


async def test_the_lock_of_a_dead_worker_is_removed(place: Place) -> None:
    """Its successor looks at who is alive; a moment is given to one that was just announced."""
    await leave_locked(place, "dead")
    successor = place.worker("successor")
    assert await successor.sweep() == 0, "it may only be late with its first announcement"
    place.pass_time()
    assert await successor.sweep() == 1
    assert place.locks() == await place.records() == []


async def leave_locked(place: Place, worker: str) -> str:
    """Let a worker die with the repository in hand."""
    shelf = place.vault.application("a-1")
    repository = Repository.open(shelf.repository_store, shelf.repository_password())
    lock = await asyncio.to_thread(RepositoryLock.acquire, repository, owner=worker)
    await place.record(lock.lock_id, worker=worker)
    lock._released.set()  # its thread dies with it
    return lock.lock_id


async def test_the_lock_of_a_live_worker_stays(place: Place) -> None:
    """However old it is."""
    lock_id = await leave_locked(place, "alive")
    await place.announce("alive")
    place.pass_time()
    assert await place.worker("other").sweep() == 0
    assert place.locks() == [lock_id]


async def test_a_lock_that_is_not_on_record_is_never_touched(place: Place) -> None:
    """A person's own restic, or another installation on the same bucket."""
    shelf = place.vault.application("a-1")
    repository = Repository.open(shelf.repository_store, shelf.repository_password())
    foreign = await asyncio.to_thread(RepositoryLock.acquire, repository, owner="a person")
    place.pass_time()
    assert await place.worker("w").sweep() == 0
    assert place.locks() == [foreign.lock_id]
    await asyncio.to_thread(foreign.release)


async def test_a_lock_that_could_not_be_removed_is_removed_when_the_store_is_back(
    place: Place,
) -> None:
    """The work in the block is done and stays done; its own worker cleans up."""
    worker = place.worker("w")
    await place.announce("w")
    async with worker.held("main", "a-1"):
        place.store.away = True
    assert len(place.locks()) == 1
    assert await worker.sweep() == 0
    place.store.away = False
    assert await worker.sweep() == 1
    assert place.locks() == await place.records() == []


async def test_a_lock_that_is_in_use_is_not_swept_by_its_own_worker(place: Place) -> None:
    """Several orders of one worker hold one repository at a time."""
    worker = place.worker("w")
    async with worker.held("main", "a-1") as held:
        place.pass_time()
        assert await worker.sweep() == 0
        assert place.locks() == [held.lock.lock_id]


async def test_a_vault_that_is_gone_does_not_keep_other_locks_from_being_removed(
    place: Place,
) -> None:
    """Each record is looked at by itself."""
    await place.record("0" * 64, worker="dead", vault="gone")
    place.broken.add("gone")
    await leave_locked(place, "dead")
    place.pass_time()
    assert await place.worker("w").sweep() == 1
    assert place.locks() == []
    assert await place.records() == ["0" * 64]


async def test_a_worker_that_is_stopped_while_it_locks_leaves_no_lock(place: Place) -> None:
    """The thread that acquires it is waited for, and what it acquired is released."""
    worker = place.worker("w")

    async def hold() -> None:
        async with worker.held("main", "a-1"):
            raise AssertionError("it was held")

    holding = asyncio.create_task(hold())
    await wait_until(place.records, deadline_s=30, what="locking", every_s=0)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert place.locks() == await place.records() == []


async def test_the_next_step_of_a_run_goes_on_with_what_the_one_before_held(place: Place) -> None:
    """It neither derives the key again nor locks again; the last one leaves nothing."""
    worker = place.worker("w")
    async with worker.held("main", "a-1", more_follows=True) as first:
        pass
    assert place.locks() == await place.records() == [first.lock.lock_id]
    async with worker.held("main", "a-1") as second:
        assert second.lock is first.lock
        assert second.repository.key is first.repository.key
        assert second.repository is not first.repository, "its index is read anew"
    assert place.locks() == await place.records() == []


async def test_what_is_kept_for_a_step_that_does_not_come_is_let_go_after_a_while(
    place: Place,
) -> None:
    """A run that is cancelled, or goes on elsewhere, has no next step here."""
    async with place.worker("w", kept_s=0.01).held("main", "a-1", more_follows=True):
        pass
    await wait_until(lambda: not place.locks(), deadline_s=30, what="it is let go")


async def test_a_step_that_fails_keeps_nothing(place: Place) -> None:
    """Whoever tries again begins with a lock of its own."""
    worker = place.worker("w")
    with pytest.raises(UnavailableError):
        async with worker.held("main", "a-1", more_follows=True):
            raise UnavailableError("the store is away")
    assert place.locks() == await place.records() == []


async def test_a_lock_that_is_lost_is_not_gone_on_with(place: Place) -> None:
    """Nor does the step fail for it: it takes a new one."""
    worker = place.worker("w")
    async with worker.held("main", "a-1", more_follows=True) as first:
        pass
    first.lock._lose("somebody has removed it")
    async with worker.held("main", "a-1") as second:
        assert second.lock is not first.lock
        assert second.lock.lock_id in place.locks()
    assert place.locks() == []


async def test_steps_at_once_share_a_lock_until_the_last_of_them_is_done(place: Place) -> None:
    """Sources of one version are stored beside each other."""
    worker = place.worker("w")
    async with worker.held("main", "a-1") as first:
        async with worker.held("main", "a-1") as second:
            assert second.lock is first.lock
        assert place.locks() == [first.lock.lock_id]
    assert place.locks() == []


async def test_who_wants_to_be_alone_does_not_wait_for_what_is_only_kept(place: Place) -> None:
    """But is refused by what is in use, also by this very worker."""
    worker = place.worker("w")
    async with worker.held("main", "a-1", more_follows=True):
        with pytest.raises(RepositoryLockedError):
            async with worker.held_alone("main", "a-1"):
                raise AssertionError("it was held")
    async with worker.held_alone("main", "a-1") as alone:
        assert place.locks() == [alone.lock.lock_id]
        with pytest.raises(RepositoryLockedError):
            async with worker.held("main", "a-1"):
                raise AssertionError("it was held")
    assert place.locks() == await place.records() == []


async def test_a_worker_that_is_told_to_stop_lets_go_of_what_it_keeps(place: Place) -> None:
    """And keeps nothing any more."""
    worker, stopping = place.worker("w"), asyncio.Event()
    sweeping = asyncio.create_task(worker.keep_swept(stopping))
    async with worker.held("main", "a-1", more_follows=True):
        pass
    stopping.set()
    await sweeping
    assert place.locks() == []
    async with worker.held("main", "a-1", more_follows=True):
        pass
    assert place.locks() == await place.records() == []


async def test_the_key_of_a_repository_is_derived_once(place: Place) -> None:
    """For as long as it is the one that opens it: one that was made anew has another."""
    worker = place.worker("w")
    async with worker.held("main", "a-1") as held:
        key = held.repository.key
    async with worker.held("main", "a-1") as held:
        assert held.repository.key is key
    for found in list(place.store.list("applications/a-1/repository")):
        place.store.delete(found.name)
    with pytest.raises(NotFoundError):
        async with worker.held("main", "a-1"):
            raise AssertionError("it was held")
    async with worker.held("main", "a-1", create=True) as held:
        assert held.repository.key is not key
    async with worker.held_alone("main", "a-1") as held:
        assert held.repository.snapshots() == []


async def test_files_of_repositories_are_known_up_to_a_bound(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that were used longest ago they are forgotten first."""
    monkeypatch.setattr(opening, "KNOWN_FILES_MAX", 2)
    worker = place.worker("w")
    known: list[KnownFiles] = []
    for app_id in ("a-1", "a-2", "a-1", "a-3"):
        async with worker.held("main", app_id, create=True) as held:
            held.repository.known.documents["s"] = SNAPSHOT
            known.append(held.repository.known)
    assert [bool(one.documents) for one in known] == [True, False, True, True]
