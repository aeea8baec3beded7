"""Locks keep apart what does not go together, and tell their holder when they are lost."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

import msgspec
import pytest

from appshield.errors import DamagedError, RefusedError, UnavailableError
from appshield.objectstore import Content, MemoryObjectStore, ObjectFacts
from appshield.repository import (
    LockLostError,
    LockTiming,
    Repository,
    RepositoryLock,
    RepositoryLockedError,
    Writer,
    remove_lock,
    seal_snapshot,
)
from appshield.repository.locks import LockDocument
from failing_store import FailingStore, PausingStore, StoreAround, names_in
from repository_content import PASSWORD, SWIFT, document
from waiting import wait_until


class LaggingStore(PausingStore):
    """When told to `hide`, its next list shows nothing of what was written."""

    def __init__(self, inner: MemoryObjectStore) -> None:
        super().__init__(inner)
        self.hide = False

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        hidden, self.hide = self.hide, False
        return iter(()) if hidden else super().list(prefix)


class UnevenStore(PausingStore):
    """Its next list of locks shows all of them but one."""

    def __init__(self, inner: MemoryObjectStore) -> None:
        super().__init__(inner)
        self.unseen = ""

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        unseen, self.unseen = self.unseen, ""
        return (found for found in super().list(prefix) if found.name != unseen)


class Turns:
    """Lets two take turns in a given order; when it is over, or one has left, they run freely."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order = list(order)
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def turn(self, who: str) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._order[:1] in ([], [who]))
            yield
            del self._order[:1]
            self._changed.notify_all()

    def leave(self, who: str) -> None:
        with self._changed:
            self._order = [one for one in self._order if one != who]
            self._changed.notify_all()


class StoreInTurns(StoreAround):
    """Looks at locks, and writes them, when it is somebody's turn."""

    def __init__(self, inner: MemoryObjectStore, turns: Turns, who: str) -> None:
        super().__init__(inner)
        self._turns = turns
        self._who = who

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        with self._turns.turn(self._who):
            super().put(name, data, only_if_absent=only_if_absent, sha256=sha256)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        if prefix != "locks":
            return super().list(prefix)
        with self._turns.turn(self._who):
            return iter(tuple(super().list(prefix)))


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def repository(store: MemoryObjectStore) -> Repository:
    return Repository.create(store, PASSWORD)


def acquire(
    repository: Repository,
    *,
    exclusive: bool = False,
    owner: str = "me",
    record: Callable[[str], None] | None = None,
    timing: LockTiming = SWIFT,
) -> RepositoryLock:
    return RepositoryLock.acquire(
        repository, exclusive=exclusive, owner=owner, record=record, timing=timing
    )


def put_lock(repository: Repository, *, exclusive: bool, age_s: float = 0.0) -> str:
    """Write the lock of somebody else."""
    time = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)
    file = repository.sealed_files.seal(
        LockDocument(time=time, exclusive=exclusive, hostname="host", username="ann", pid=7)
    )
    repository.sealed_files.put("locks", file)
    return file.identity


@pytest.mark.parametrize(
    ("held", "wanted", "granted"),
    [(False, False, True), (False, True, False), (True, False, False), (True, True, False)],
)
def test_only_shared_locks_go_together(
    repository: Repository, *, held: bool, wanted: bool, granted: bool
) -> None:
    """An exclusive lock goes with no other; a refusal names the holder and leaves nothing."""
    with acquire(repository, exclusive=held, owner="first") as first:
        if granted:
            acquire(repository, exclusive=wanted).release()
        else:
            with pytest.raises(RepositoryLockedError, match="appshield-first") as caught:
                acquire(repository, exclusive=wanted)
            assert 0 <= caught.value.age_s < 60
        assert names_in(repository.store, "locks") == [f"locks/{first.lock_id}"]
    assert names_in(repository.store, "locks") == []


def test_an_old_foreign_lock_still_counts_and_is_never_removed(repository: Repository) -> None:
    """Its holder may be asleep: only a person can tell, by `restic unlock`."""
    foreign = put_lock(repository, exclusive=True, age_s=7200)
    with pytest.raises(RepositoryLockedError, match="restic unlock"):
        acquire(repository)
    assert names_in(repository.store, "locks") == [f"locks/{foreign}"]


def test_of_two_that_write_at_once_both_see_each_other(store: MemoryObjectStore) -> None:
    """A lock that appears between looking and writing is seen by the second look."""
    repository = Repository.create(store, PASSWORD)
    others: list[str] = []

    def race(name: str) -> None:
        if name.startswith("locks/") and not others:
            others.append(put_lock(repository, exclusive=True))

    with pytest.raises(RepositoryLockedError, match="ann@host"):
        acquire(Repository.open(PausingStore(store, race), PASSWORD))
    assert names_in(store, "locks") == [f"locks/{others[0]}"]


def test_of_many_exclusive_racers_at_most_one_wins(repository: Repository) -> None:
    """Whatever the interleaving."""
    for _ in range(10):
        held: list[RepositoryLock] = []
        start = threading.Barrier(4)

        def race(held: list[RepositoryLock] = held, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                held.append(acquire(repository, exclusive=True, timing=LockTiming(settle_s=0.02)))
            except UnavailableError:
                return

        threads = [threading.Thread(target=race) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held) <= 1
        for lock in held:
            lock.release()
        assert names_in(repository.store, "locks") == []


@pytest.mark.parametrize("turns", sorted(set(permutations("sssxxx"))), ids="".join)
def test_a_shared_lock_and_an_exclusive_one_are_never_held_together(turns: tuple[str, ...]) -> None:
    """Whatever the order in which each looks, writes and looks again."""
    store = MemoryObjectStore()
    opened = Repository.create(store, PASSWORD)
    order = Turns(turns)
    held: list[RepositoryLock] = []

    def race(who: str) -> None:
        repository = Repository(StoreInTurns(store, order, who), opened.key, opened.config)
        with contextlib.suppress(UnavailableError):
            held.append(acquire(repository, exclusive=who == "x"))
        order.leave(who)

    threads = [threading.Thread(target=race, args=(who,)) for who in "sx"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({lock.exclusive for lock in held}) <= 1
    for lock in held:
        lock.release()
    assert names_in(store, "locks") == []


def test_who_shares_waits_for_nobody(repository: Repository) -> None:
    """Who wants to be alone and writes a lock later sees that of those who share."""
    never = LockTiming(settle_s=threading.TIMEOUT_MAX)
    acquire(repository, timing=never).release()


def test_a_list_that_lags_behind_is_asked_again(store: MemoryObjectStore) -> None:
    """It does not even show the own lock, so what else it does not show nobody knows."""
    repository = Repository.create(store, PASSWORD)
    lagging = LaggingStore(store)

    def race(_: str) -> None:
        lagging.hide = True
        put_lock(repository, exclusive=True)

    lagging.before_put = race
    with pytest.raises(RepositoryLockedError, match="ann@host"):
        acquire(Repository.open(lagging, PASSWORD))
    assert len(names_in(store, "locks")) == 1


async def test_who_shares_looks_again_when_restic_does(store: MemoryObjectStore) -> None:
    """A list may show the own lock before that of another: work that has begun ends then."""
    repository = Repository.create(store, PASSWORD)
    uneven = UnevenStore(store)

    def race(_: str) -> None:
        if not uneven.unseen:
            uneven.unseen = f"locks/{put_lock(repository, exclusive=True)}"

    uneven.before_put = race
    lock = acquire(Repository.open(uneven, PASSWORD), timing=LockTiming(settle_s=0.05))
    await wait_until(lambda: len(names_in(store, "locks")) == 1, deadline_s=30, what="a look")
    for asked in (lock.ensure_fresh, lock.ensure_held, lock.renew):
        with pytest.raises(UnavailableError, match=r"ann@host|lock of the repository is lost"):
            asked()
    lock.release()


def test_the_id_is_recorded_before_the_lock_is_there(store: MemoryObjectStore) -> None:
    """Whoever dies right after the write leaves a lock that its successor can remove."""
    repository = Repository.create(store, PASSWORD)
    seen: list[tuple[str, list[str]]] = []

    def record(lock_id: str) -> None:
        seen.append((lock_id, names_in(store, "locks")))

    lock = acquire(repository, record=record)
    lock.renew()
    (first, at_first), (second, at_second) = seen
    assert (at_first, at_second) == ([], [f"locks/{first}"])
    assert names_in(store, "locks") == [f"locks/{second}"]
    remove_lock(store, second)
    remove_lock(store, second)
    assert names_in(store, "locks") == []
    lock.release()


def test_no_lock_is_written_when_its_id_cannot_be_recorded(repository: Repository) -> None:
    """A lock that nobody could remove must not come into being."""

    def refuse(lock_id: str) -> None:
        raise RefusedError("the run has moved on")

    with pytest.raises(RefusedError):
        acquire(repository, record=refuse)
    assert names_in(repository.store, "locks") == []


def test_a_lock_that_was_removed_is_lost(repository: Repository) -> None:
    """Before the next write the holder learns it, and a renewal does not bring it back."""
    lock = acquire(repository)
    lock.ensure_held()
    remove_lock(repository.store, lock.lock_id)
    lock.ensure_fresh()
    with pytest.raises(LockLostError, match="removed"):
        lock.renew()
    with pytest.raises(LockLostError):
        lock.ensure_held()
    with pytest.raises(LockLostError):
        lock.ensure_fresh()
    lock.release()
    assert names_in(repository.store, "locks") == []


def test_reading_the_own_lock_finds_its_removal(repository: Repository) -> None:
    """Without any renewal in between."""
    lock = acquire(repository)
    remove_lock(repository.store, lock.lock_id)
    with pytest.raises(LockLostError, match="removed"):
        lock.ensure_held()
    lock.release()


def test_a_lock_that_was_not_renewed_in_time_is_lost(repository: Repository) -> None:
    """A process that was stopped too long neither writes nor renews."""
    lock = acquire(repository, timing=LockTiming(settle_s=0.001, lost_after_s=0.0))
    for step in (lock.ensure_fresh, lock.ensure_held, lock.renew, lock.ensure_fresh):
        with pytest.raises(LockLostError):
            step()
    lock.release()


def test_a_lock_removed_during_its_renewal_is_lost(store: MemoryObjectStore) -> None:
    """The new lock is taken back: somebody may have gone on in between."""
    locks: list[RepositoryLock] = []

    def remove_old(name: str) -> None:
        if locks and name.startswith("locks/"):
            remove_lock(store, locks[0].lock_id)

    Repository.create(store, PASSWORD)
    locks.append(acquire(Repository.open(PausingStore(store, remove_old), PASSWORD)))
    with pytest.raises(LockLostError, match="removed"):
        locks[0].renew()
    assert names_in(store, "locks") == []
    locks[0].release()


async def test_the_lock_is_renewed_by_itself(store: MemoryObjectStore) -> None:
    """New before old: at no moment is there no lock."""
    counts: list[int] = []
    Repository.create(store, PASSWORD)
    watched = PausingStore(store, lambda name: counts.append(len(names_in(store, "locks"))))
    recorded: list[str] = []
    timing = LockTiming(settle_s=0.001, refresh_s=0.01)
    lock = acquire(Repository.open(watched, PASSWORD), record=recorded.append, timing=timing)
    await wait_until(lambda: len(recorded) > 4, deadline_s=10, what="four renewals", every_s=0.01)
    lock.release()
    assert counts[0] == 0
    assert set(counts[1:]) == {1}
    assert names_in(store, "locks") == []


def test_a_renewal_that_fails_is_made_good_later(store: MemoryObjectStore) -> None:
    """Neither the old nor the half-written new lock stays behind."""
    Repository.create(store, PASSWORD)
    failing = FailingStore(store, 3, after_effect=True)
    lock = acquire(Repository.open(failing, PASSWORD))
    with pytest.raises(UnavailableError):
        lock.renew()
    failing.writes = -100
    lock.renew()
    assert names_in(store, "locks") == [f"locks/{lock.lock_id}"]
    lock.release()
    assert names_in(store, "locks") == []


def test_a_lock_that_cannot_be_read_forbids(repository: Repository) -> None:
    """After the waits of the protocol; a lock of no bytes is passed over, as restic does."""
    repository.store.put("locks/" + "a" * 64, b"")
    acquire(repository).release()
    repository.store.put("locks/" + "b" * 64, b"nonsense")
    with pytest.raises(DamagedError, match="b" * 64):
        acquire(repository)


def test_the_lock_is_written_as_restic_writes_it(repository: Repository) -> None:
    """With the names of its fields, and the owner as host."""
    with acquire(repository, owner="run-7", exclusive=True) as lock:
        fields = repository.sealed_files.load("locks", lock.lock_id, dict)
    assert set(fields) == {"time", "exclusive", "hostname", "username", "pid"}
    assert (fields["hostname"], fields["exclusive"]) == ("appshield-run-7", True)


def test_no_index_and_no_snapshot_is_written_without_the_lock(repository: Repository) -> None:
    """A writer whose lock is gone stops before others could be disturbed."""
    lock = acquire(repository)
    writer = Writer(repository, lock)
    writer.add_data(b"data")
    remove_lock(repository.store, lock.lock_id)
    with pytest.raises(LockLostError):
        writer.flush()
    writer.close()
    sealed = seal_snapshot(repository, document(b"\1" * 32))
    with pytest.raises(LockLostError):
        repository.publish_snapshot(sealed, lock=lock)
    assert names_in(repository.store, "index") == names_in(repository.store, "snapshots") == []
    lock.release()


def test_no_pack_is_written_when_the_lock_is_too_old(repository: Repository) -> None:
    """The last defence against a restic that no longer believes in this lock."""
    lock = acquire(repository, timing=LockTiming(settle_s=0.001, lost_after_s=0.0))
    writer = Writer(repository, lock)
    writer.add_data(b"data")
    with pytest.raises(LockLostError):
        writer.flush()
    writer.close()
    assert names_in(repository.store, "data") == []
    lock.release()


def test_documents_of_restic_are_read() -> None:
    """Nanoseconds and zones as Go writes them."""
    text = b'{"time":"2026-11-24T13:57:26.864087123+01:00","exclusive":false,"hostname":"vm",'
    document = msgspec.json.decode(text + b'"username":"root","pid":1,"uid":3}', type=LockDocument)
    assert document.time.astimezone(dt.UTC).isoformat() == "2026-11-24T12:57:26.864087+00:00"
