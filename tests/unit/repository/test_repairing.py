"""The index can be made again from the packs, which describe themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from appshield.errors import RefusedError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import (
    LockLostError,
    Reader,
    RepairReport,
    Repository,
    RepositoryLock,
    adopt_unnamed_packs,
    check,
    prune,
    remove_lock,
    repair_index,
)
from appshield.repository.index import IndexDocument
from failing_store import FailingStore, StoreAround, StoreLostError, copy_of, names_in
from repository_content import PASSWORD, SWIFT, back_up, noise, writing

FIRST = {b"%d" % seed: noise(20_000, seed) for seed in range(3)}
SECOND = {b"%d" % seed: noise(20_000, seed) for seed in range(2, 6)}


@pytest.fixture
def store() -> MemoryObjectStore:
    store = MemoryObjectStore()
    back_up(store, FIRST, "first")
    back_up(store, SECOND, "second")
    return store


@contextmanager
def alone(repository: Repository) -> Iterator[RepositoryLock]:
    with RepositoryLock.acquire(repository, exclusive=True, owner="fix", timing=SWIFT) as lock:
        yield lock


def assert_whole(store: MemoryObjectStore) -> None:
    repository = Repository.open(store, PASSWORD)
    report = check(repository, read_data=True)
    assert (report.errors, report.warnings) == ((), ())
    for tag, files in (("first", FIRST), ("second", SECOND)):
        ((_, document),) = repository.snapshots_with_tag(tag)
        reader = Reader(repository)
        for name, data in files.items():
            assert b"".join(reader.iter_file(reader.find(document.tree_id, name))) == data


def test_a_sound_index_is_left_as_it_is(store: MemoryObjectStore) -> None:
    """And repairing needs the repository alone."""
    repository = Repository.open(store, PASSWORD)
    before = names_in(store, "index")
    with alone(repository) as lock:
        report = repair_index(repository, lock)
    assert report == RepairReport(named=(), dropped=(), unreadable=(), damaged_indexes=())
    assert names_in(store, "index") == before
    with (
        RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as shared,
        pytest.raises(RefusedError, match="exclusive"),
    ):
        repair_index(repository, shared)


@pytest.mark.parametrize("damage", ["delete", "change", "delete all"])
def test_a_lost_index_is_made_again(store: MemoryObjectStore, damage: str) -> None:
    """Removed or damaged, one or all; the damaged file goes."""
    names = names_in(store, "index")
    for name in names if damage == "delete all" else names[:1]:
        if damage == "change":
            store.put(name, store.get(name)[:-1] + b"?")
        else:
            store.delete(name)
    repository = Repository.open(store, PASSWORD)
    with alone(repository) as lock:
        report = repair_index(repository, lock)
    assert report.named
    assert len(report.damaged_indexes) == (damage == "change")
    assert_whole(store)


def test_a_repair_may_die_at_any_effect(store: MemoryObjectStore) -> None:
    """What it has written stays valid, and the next one ends it."""
    first, *_ = names_in(store, "index")
    store.put(first, b"damaged")
    for fail_at in range(1, 8):
        trial = copy_of(store)
        repository = Repository.open(FailingStore(trial, fail_at), PASSWORD)
        try:
            with alone(repository) as lock:
                repair_index(repository, lock)
        except StoreLostError:
            for name in names_in(trial, "locks"):
                trial.delete(name)
        again = Repository.open(trial, PASSWORD)
        with alone(again) as lock:
            repair_index(again, lock)
        assert_whole(trial)


def test_a_missing_pack_leaves_the_index(store: MemoryObjectStore) -> None:
    """Its blobs are lost; then a backup of the same data stores them again, and all is well."""
    repository = Repository.open(store, PASSWORD)
    place = next(repository.index.places("data", _blob_of(repository, "first", b"0")))
    store.delete(f"data/{place.pack_id[:2]}/{place.pack_id}")
    with alone(repository) as lock:
        report = repair_index(repository, lock)
    assert report.dropped == (place.pack_id,)
    errors = check(repository).errors
    assert errors
    assert all("is in no index" in finding.what for finding in errors)
    back_up(store, FIRST, "again")
    assert check(Repository.open(store, PASSWORD), read_data=True).is_sound


def _blob_of(repository: Repository, tag: str, name: bytes) -> bytes:
    ((_, document),) = repository.snapshots_with_tag(tag)
    content = Reader(repository).find(document.tree_id, name).content
    assert content
    return content[0]


def test_what_the_index_says_wrong_of_a_pack_is_corrected(store: MemoryObjectStore) -> None:
    """The header of a pack knows better."""
    repository = Repository.open(store, PASSWORD)
    first, *_ = names_in(store, "index")
    index = repository.read_index_file(first.removeprefix("index/"))
    pack = max(index.packs, key=lambda pack: len(pack.blobs))
    wrong = msgspec.structs.replace(pack, blobs=pack.blobs[:-1])
    packs = [wrong if one is pack else one for one in index.packs]
    store.delete(first)
    repository.sealed_files.put("index", repository.sealed_files.seal(IndexDocument(packs)))
    assert any("instead of" in finding.what for finding in check(repository).errors)
    with alone(repository) as lock:
        report = repair_index(repository, lock)
    assert report.named == (pack.id,)
    assert_whole(store)


def test_a_pack_that_cannot_be_read_is_told_and_left(store: MemoryObjectStore) -> None:
    """What is in front of the cut may still be restored."""
    repository = Repository.open(store, PASSWORD)
    place = next(repository.index.places("data", _blob_of(repository, "second", b"5")))
    name = f"data/{place.pack_id[:2]}/{place.pack_id}"
    store.put(name, store.get(name)[:-100])
    stray = f"data/ab/{'ab' * 32}"
    store.put(stray, b"no pack")
    with alone(repository) as lock:
        report = repair_index(repository, lock)
    assert {pack for pack, _ in report.unreadable} == {place.pack_id, "ab" * 32}
    assert store.size(stray) == 7
    assert Reader(Repository.open(store, PASSWORD)).read_blob(place.entry.blob_id)


class Counting(StoreAround):
    """Counts the calls that read."""

    reads = 0

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        self.reads += 1
        return super().get(name, offset=offset, length=length)


def test_adopting_nothing_reads_nothing(store: MemoryObjectStore) -> None:
    """One listing, no index written."""
    counting = Counting(store)
    repository = Repository.open(counting, PASSWORD)
    index = repository.load_index()
    before = names_in(store, "index")
    with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
        counting.reads = 0
        adopted = adopt_unnamed_packs(repository, lock, index=index)
        assert counting.reads == 0
    assert (adopted.packs, adopted.blobs, adopted.size_bytes) == ((), 0, 0)
    assert names_in(store, "index") == before


@pytest.mark.parametrize("tail_bytes", [40, 64 << 10])
def test_what_a_killed_backup_has_sent_is_not_sent_again(
    store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch, tail_bytes: int
) -> None:
    """Its packs are found by their headers, however long, and named; a retired pack is not."""
    monkeypatch.setattr("appshield.repository.naming.TAIL_BYTES", tail_bytes)
    with alone(Repository.open(store, PASSWORD)) as lock:
        repository = Repository.open(store, PASSWORD)
        for found, _ in repository.snapshots_with_tag("first"):
            store.delete(f"snapshots/{found}")
        retired = prune(repository, lock).packs_waiting
    assert retired
    killed = copy_of(store)
    with writing(Repository.open(killed, PASSWORD)) as writer:
        ids = [writer.add_data(noise(10_000, seed)) for seed in range(50, 60)]
    for name in set(names_in(killed, "data")) - set(names_in(store, "data")):
        store.put(name, killed.get(name))
    repository = Repository.open(store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
        adopted = adopt_unnamed_packs(repository, lock)
        assert (len(adopted.packs), adopted.blobs, adopted.unreadable) == (1, 10, ())
        assert adopted.size_bytes > 100_000
        assert all(repository.index.has("data", identity) for identity in ids)
        assert adopt_unnamed_packs(repository, lock).packs == ()
    before = len(names_in(store, "data"))
    with writing(Repository.open(store, PASSWORD)) as writer:
        assert [writer.add_data(noise(10_000, seed)) for seed in range(50, 60)] == ids
    assert len(names_in(store, "data")) == before
    assert check(Repository.open(store, PASSWORD), read_data=True).warnings == ()


def test_nothing_is_adopted_without_the_lock(store: MemoryObjectStore) -> None:
    """The index is not written."""
    for name in names_in(store, "index"):
        store.delete(name)
    repository = Repository.open(store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
        remove_lock(store, lock.lock_id)
        with pytest.raises(LockLostError):
            adopt_unnamed_packs(repository, lock)
    assert names_in(store, "index") == []
