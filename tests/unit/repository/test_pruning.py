"""Pruning gives back space and never a version, wherever it dies and whoever sleeps meanwhile."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from appshield.errors import DamagedError, RefusedError
from appshield.objectstore import MemoryObjectStore, ObjectRetainedError, ObjectStore
from appshield.repository import (
    LockLostError,
    PruneReport,
    PruneSettings,
    Reader,
    Repository,
    RepositoryLock,
    adopt_unnamed_packs,
    check,
    forget,
    prune,
    remove_lock,
    seal_snapshot,
)
from appshield.repository.retiring import RETIRED
from failing_store import FailingStore, PausingStore, StoreAround, StoreLostError, copy_of, names_in
from repository_content import PASSWORD, SWIFT, back_up, document, noise, writing

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
DAY_S = 86_400.0
TIDY = PruneSettings(most_unused=0.0, pack_bytes=1)
"""Leaves nothing unused; each blob that is moved gets a pack of its own, so nothing is chance."""


def files(*seeds: int) -> dict[bytes, bytes]:
    return {b"%d" % seed: noise(20_000, seed) for seed in seeds}


@contextmanager
def alone(repository: Repository) -> Iterator[RepositoryLock]:
    with RepositoryLock.acquire(repository, exclusive=True, owner="prune", timing=SWIFT) as lock:
        yield lock


def pruned(
    store: ObjectStore,
    *,
    days: float = 0.0,
    grace_s: float = DAY_S,
    settings: PruneSettings = TIDY,
    give_way: Callable[[], bool] = lambda: False,
) -> PruneReport:
    """Prune, so many days after `NOW`."""
    repository = Repository.open(store, PASSWORD)
    with alone(repository) as lock:
        return prune(
            repository,
            lock,
            grace_s=grace_s,
            settings=settings,
            give_way=give_way,
            now=NOW + dt.timedelta(days=days),
        )


def forgotten(store: ObjectStore, *tags: str) -> None:
    repository = Repository.open(store, PASSWORD)
    ids = [found for tag in tags for found, _ in repository.snapshots_with_tag(tag)]
    assert ids
    with alone(repository) as lock:
        forget(repository, lock, ids)


def assert_kept(store: ObjectStore, *kept: tuple[bytes, dict[bytes, bytes]]) -> None:
    """Read every byte of these versions, and check everything."""
    repository = Repository.open(store, PASSWORD)
    report = check(repository, read_data=True)
    assert report.errors == ()
    reader = Reader(repository)
    for tree, content in kept:
        for name, data in content.items():
            assert b"".join(reader.iter_file(reader.find(tree, name))) == data


def data_bytes(store: ObjectStore) -> int:
    return sum(found.size_bytes for found in store.list("data"))


class Kept:
    """A repository of which one version was forgotten and two are kept."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore()
        back_up(self.store, files(1, 2, 3, 4, 5), "old")
        self.kept = [
            (back_up(self.store, files(*seeds), "kept"), files(*seeds))
            for seeds in ((4, 5, 6), (6, 7, 8))
        ]
        forgotten(self.store, "old")

    def assert_kept(self, store: ObjectStore | None = None) -> None:
        assert_kept(store or self.store, *self.kept)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_forgetting_needs_the_repository_alone(kept: Kept) -> None:
    """And so does pruning: others may read what would go."""
    repository = Repository.open(kept.store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
        with pytest.raises(RefusedError, match="exclusive"):
            forget(repository, lock, [])
        with pytest.raises(RefusedError, match="exclusive"):
            prune(repository, lock)


def test_what_was_forgotten_is_forgotten_again_without_a_word(kept: Kept) -> None:
    """A repeated step does no harm; a lost lock stops it."""
    repository = Repository.open(kept.store, PASSWORD)
    ((first, _), (second, _)) = repository.snapshots_with_tag("kept")
    with alone(repository) as lock:
        forget(repository, lock, [first])
        forget(repository, lock, [first])
        assert [found for found, _ in repository.snapshots()] == [second]
        remove_lock(kept.store, lock.lock_id)
        with pytest.raises(LockLostError):
            forget(repository, lock, [second])
    assert [found for found, _ in repository.snapshots()] == [second]


def test_unused_packs_leave_the_index_first_and_the_store_after_the_grace(kept: Kept) -> None:
    """Two phases; then nothing is left to do, and no record of it."""
    before = data_bytes(kept.store)
    first = pruned(kept.store)
    assert (first.packs_deleted, first.gave_way) == (0, False)
    assert first.packs_waiting > 0
    assert first.bytes_waiting > 60_000
    assert data_bytes(kept.store) > before
    kept.assert_kept()
    again = pruned(kept.store, days=0.9)
    assert (again.packs_deleted, again.packs_rewritten) == (0, 0)
    assert again.bytes_waiting == first.bytes_waiting
    last = pruned(kept.store, days=1.0)
    assert (last.packs_deleted, last.bytes_freed) == (first.packs_waiting, first.bytes_waiting)
    assert (last.packs_waiting, last.bytes_waiting) == (0, 0)
    assert data_bytes(kept.store) < before - 50_000
    assert names_in(kept.store, RETIRED) == []
    kept.assert_kept()
    assert check(Repository.open(kept.store, PASSWORD)).warnings == ()


def test_packs_that_wait_are_no_warning(kept: Kept) -> None:
    """They are known."""
    pruned(kept.store)
    report = check(Repository.open(kept.store, PASSWORD))
    assert (report.errors, report.warnings) == ((), ())


def test_without_grace_they_go_at_once(kept: Kept) -> None:
    """As restic does it."""
    report = pruned(kept.store, grace_s=0)
    assert report.packs_deleted > 0
    assert report.packs_waiting == 0
    assert names_in(kept.store, RETIRED) == []
    kept.assert_kept()
    index = Repository.open(kept.store, PASSWORD).read_index()
    assert sum(size for _, size in index.packs()) == data_bytes(kept.store)
    repeated = pruned(kept.store, grace_s=0)
    assert (repeated.packs_deleted, repeated.packs_rewritten) == (0, 0)


def test_a_little_that_is_unused_is_not_worth_rewriting(kept: Kept) -> None:
    """Up to the tolerated share; whole packs go in any case."""
    tolerant = PruneSettings(most_unused=0.9, pack_bytes=1)
    assert pruned(kept.store, settings=tolerant).packs_rewritten == 0
    half = PruneSettings(most_unused=0.0, pack_bytes=1)
    assert pruned(kept.store, settings=half).packs_rewritten > 0
    kept.assert_kept()


def test_small_packs_become_one_when_they_fill_it_or_are_many() -> None:
    """Else each prune would write the same few again."""
    store = MemoryObjectStore()
    versions = [(back_up(store, files(seed), "kept"), files(seed)) for seed in range(4)]
    assert pruned(store, settings=PruneSettings(pack_bytes=200_000)).packs_rewritten == 0
    assert pruned(store, settings=PruneSettings(pack_bytes=60_000)).packs_rewritten == 4
    versions += [(back_up(store, files(seed), "kept"), files(seed)) for seed in range(4, 20)]
    assert pruned(store, settings=PruneSettings(pack_bytes=1 << 20)).packs_rewritten >= 16
    assert pruned(store, settings=PruneSettings(pack_bytes=1 << 20)).packs_rewritten == 0
    assert_kept(store, *versions)


def test_many_small_index_files_become_one() -> None:
    """Each backup leaves one."""
    store = MemoryObjectStore()
    versions = [(back_up(store, files(seed), "kept"), files(seed)) for seed in range(9)]
    assert len(names_in(store, "index")) == 9
    pruned(store, settings=PruneSettings(pack_bytes=1))
    assert len(names_in(store, "index")) == 1
    assert_kept(store, *versions)


def effects_of_a_prune(store: MemoryObjectStore, *, grace_s: float, days: float) -> int:
    counting = FailingStore(copy_of(store), 1_000_000)
    pruned(counting, grace_s=grace_s, days=days)
    return counting.writes


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("grace_s", [0.0, DAY_S])
def test_a_prune_may_die_at_any_effect(kept: Kept, grace_s: float, *, after_effect: bool) -> None:
    """Every version restores, and the next prunes bring it to its end."""
    effects = effects_of_a_prune(kept.store, grace_s=grace_s, days=0)
    assert effects > 5
    for fail_at in range(1, effects + 1):
        store = copy_of(kept.store)
        with pytest.raises(StoreLostError):
            pruned(FailingStore(store, fail_at, after_effect=after_effect), grace_s=grace_s)
        for name in names_in(store, "locks"):
            store.delete(name)
        kept.assert_kept(store)
        pruned(store, days=1, grace_s=grace_s)
        kept.assert_kept(store)
        pruned(store, days=3, grace_s=grace_s)
        kept.assert_kept(store)
        repository = Repository.open(store, PASSWORD)
        assert check(repository).warnings == ()
        assert names_in(store, RETIRED) == []
        assert data_bytes(store) < 130_000


def test_the_second_phase_may_die_at_any_effect(kept: Kept) -> None:
    """What is left of it is done by the next."""
    pruned(kept.store)
    for fail_at in range(1, effects_of_a_prune(kept.store, grace_s=DAY_S, days=2) + 1):
        store = copy_of(kept.store)
        with pytest.raises(StoreLostError):
            pruned(FailingStore(store, fail_at), days=2)
        for name in names_in(store, "locks"):
            store.delete(name)
        kept.assert_kept(store)
        assert pruned(store, days=2).packs_waiting == 0
        kept.assert_kept(store)
        assert names_in(store, RETIRED) == []


def test_a_version_of_a_worker_that_slept_brings_its_packs_back(kept: Kept) -> None:
    """It refers to what was dropped meanwhile: that is what the grace is for."""
    repository = Repository.open(kept.store, PASSWORD)
    old = back_up(kept.store, files(1, 2, 3, 4, 5), "sleeper")
    ((sleeper, _),) = repository.snapshots_with_tag("sleeper")
    snapshot = kept.store.get(f"snapshots/{sleeper}")
    forgotten(kept.store, "sleeper")
    pruned(kept.store)
    kept.store.put(f"snapshots/{sleeper}", snapshot)
    assert not check(repository).is_sound
    pruned(kept.store, days=2)
    assert_kept(kept.store, (old, files(1, 2, 3, 4, 5)), *kept.kept)


def test_a_retired_pack_that_is_named_again_stays(kept: Kept) -> None:
    """As after a repair of the index by restic; dropped anew, its grace begins anew."""
    pruned(kept.store)
    (record,) = names_in(kept.store, RETIRED)
    waiting = len(check(Repository.open(kept.store, PASSWORD)).warnings)
    kept.store.delete(record)
    repository = Repository.open(kept.store, PASSWORD)
    with alone(repository) as lock:
        named = adopt_unnamed_packs(repository, lock)
    assert named.packs
    kept.store.put(record, b"cannot be read")
    report = pruned(kept.store, days=2)
    assert (report.packs_deleted, report.packs_waiting) == (0, len(named.packs))
    assert waiting == 0
    assert pruned(kept.store, days=3).packs_deleted == len(named.packs)
    kept.assert_kept()


def test_what_a_killed_backup_left_goes_after_the_grace(kept: Kept) -> None:
    """Packs without an index are retired like others."""
    stray = copy_of(kept.store)
    with writing(Repository.open(stray, PASSWORD)) as writer:
        writer.add_data(noise(5000, 99))
    (name,) = set(names_in(stray, "data")) - set(names_in(kept.store, "data"))
    kept.store.put(name, stray.get(name))
    pruned(kept.store)
    assert kept.store.size(name) is not None
    pruned(kept.store, days=1)
    assert kept.store.size(name) is None
    kept.assert_kept()


def packs_of(store: ObjectStore, tree: bytes) -> dict[str, str]:
    repository = Repository.open(store, PASSWORD)
    content = Reader(repository).find(tree, "6").content
    assert content
    places = {
        "tree": repository.index.lookup("tree", tree),
        "data": repository.index.lookup("data", content[0]),
    }
    return {
        kind: f"data/{place.pack_id[:2]}/{place.pack_id}" for kind, place in places.items() if place
    }


@pytest.mark.parametrize("kind", ["tree", "data"])
@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_nothing_is_pruned_while_something_used_is_missing(
    kept: Kept, kind: str, damage: str
) -> None:
    """What is left of it may be needed to heal it; the error says which pack."""
    name = packs_of(kept.store, kept.kept[0][0])[kind]
    stored = kept.store.get(name)
    kept.store.delete(name)
    if damage == "cut off":
        kept.store.put(name, stored[:-1])
    before = {found.name for found in kept.store.list("")}
    with pytest.raises(DamagedError, match=name.rpartition("/")[2]):
        pruned(kept.store, grace_s=0)
    assert {found.name for found in kept.store.list("")} == before


def test_nothing_is_pruned_while_a_used_blob_is_in_no_index(kept: Kept) -> None:
    """The versions that use it are named; a lost index is made again, and then it works."""
    pruned(kept.store, settings=PruneSettings(pack_bytes=1), grace_s=0)
    for name in names_in(kept.store, "index"):
        kept.store.delete(name)
    stored = copy_of(kept.store)
    for name in names_in(kept.store, "data"):
        kept.store.delete(name)
    with pytest.raises(DamagedError, match=r"snapshot \w{64}, root: tree blob .* in no index"):
        pruned(kept.store)
    for name in names_in(stored, "data"):
        kept.store.put(name, stored.get(name))
    pruned(kept.store)
    kept.assert_kept()


def test_nothing_is_pruned_while_a_snapshot_cannot_be_read(kept: Kept) -> None:
    """Nobody knows what it uses."""
    name = f"snapshots/{'ab' * 32}"
    kept.store.put(name, b"damaged")
    with pytest.raises(DamagedError, match="ab" * 32):
        pruned(kept.store)


def test_damage_is_not_carried_into_new_packs(kept: Kept) -> None:
    """A pack that has to be repacked is proved first; its bytes stay for whoever heals it."""
    name = packs_of(kept.store, kept.kept[0][0])["data"]
    repository = Repository.open(kept.store, PASSWORD)
    place = next(
        repository.index.place("data", row)
        for row in range(repository.index.count("data"))
        if name.endswith(repository.index.place("data", row).pack_id)
    )
    stored = bytearray(kept.store.get(name))
    for at in range(20, len(stored) - 500, 1000):
        stored[at] ^= 1
    kept.store.put(name, bytes(stored))
    everything = PruneSettings(most_unused=0, pack_bytes=1 << 20)
    for seed in range(20, 40):
        back_up(kept.store, files(seed), "more")
    with pytest.raises(DamagedError, match=place.pack_id):
        pruned(kept.store, settings=everything, grace_s=0)
    assert kept.store.get(name) == bytes(stored)


def test_of_two_copies_of_a_blob_one_stays(kept: Kept) -> None:
    """Even where the other one is in a pack that is missing."""
    store = kept.store
    indexes = {name: store.get(name) for name in names_in(store, "index")}
    for name in indexes:
        store.delete(name)
    tree = back_up(store, files(4, 5, 6, 7, 8), "copies")
    for name, sealed in indexes.items():
        store.put(name, sealed)
    name = packs_of(store, kept.kept[0][0])["data"]
    for gone in (False, True):
        trial = copy_of(store)
        if gone:
            trial.delete(name)
        pruned(trial, grace_s=0)
        assert_kept(trial, (tree, files(4, 5, 6, 7, 8)), *kept.kept)
        assert data_bytes(trial) < 5 * 20_000 + 20_000


def test_it_gives_way_at_any_safe_point_and_says_so(kept: Kept) -> None:
    """Valid at each; the next one goes on."""
    for asked in range(60):
        store = copy_of(kept.store)
        answers = itertools.chain([False] * asked, itertools.repeat(object=True))
        report = pruned(store, grace_s=0, give_way=answers.__next__)
        kept.assert_kept(store)
        if not report.gave_way:
            assert asked > 10
            return
        assert not pruned(store, grace_s=0).gave_way
        kept.assert_kept(store)
    raise AssertionError("it gave way after it was done")


def test_a_lost_lock_stops_it(kept: Kept) -> None:
    """No index is written or deleted after that."""

    def lose(name: str) -> None:
        if name.startswith("data/"):
            for lock in names_in(kept.store, "locks"):
                kept.store.delete(lock)

    before = names_in(kept.store, "index")
    with pytest.raises(LockLostError):
        pruned(PausingStore(kept.store, lose), grace_s=0)
    assert names_in(kept.store, "index") == before
    kept.assert_kept()


class RetainingDeletes(StoreAround):
    """Keeps some folders from being deleted."""

    def __init__(self, inner: ObjectStore, folders: Iterable[str]) -> None:
        super().__init__(inner)
        self.folders_kept = tuple(folders)

    def delete(self, name: str) -> None:
        if name.startswith(self.folders_kept):
            raise ObjectRetainedError(name, until=NOW)
        super().delete(name)


def test_what_the_store_retains_waits(kept: Kept) -> None:
    """Packs stay while an index that cannot be deleted names them, and while they are kept."""
    store = RetainingDeletes(kept.store, ["data/", "index/"])
    first = pruned(store, grace_s=0)
    assert first.packs_deleted == 0
    assert first.packs_waiting > 0
    indexes = len(names_in(store, "index"))
    pruned(store, grace_s=0)
    assert len(names_in(store, "index")) == indexes
    kept.assert_kept()
    store.folders_kept = ("data/",)
    assert pruned(store, grace_s=0).packs_waiting > 0
    store.folders_kept = ()
    pruned(store, grace_s=0)
    assert pruned(store, grace_s=0).packs_waiting == 0
    assert data_bytes(store) < 130_000
    kept.assert_kept()


def test_an_empty_repository_can_be_pruned() -> None:
    """Of all its versions, or of a new one."""
    store = MemoryObjectStore()
    back_up(store, files(1), "only")
    forgotten(store, "only")
    pruned(store, grace_s=0)
    assert names_in(store, "data") == names_in(store, "index") == []
    assert not pruned(store).gave_way


def test_two_kinds_of_blob_with_the_same_bytes_are_told_apart() -> None:
    """A file that holds the text of a directory keeps its data when the directory goes."""
    store = MemoryObjectStore()
    repository = Repository.create(store, PASSWORD)
    with writing(repository) as writer:
        empty = writer.add_tree([])
    text = b'{"nodes":[]}\n'
    repository.publish_snapshot(seal_snapshot(repository, document(empty, "gone")))
    tree = back_up(store, {b"text": text}, "kept")
    forgotten(store, "gone")
    pruned(store, grace_s=0)
    assert_kept(store, (tree, {b"text": text}))
