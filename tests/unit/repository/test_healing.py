"""What is damaged in one repository comes back from another one that holds the same content."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.errors import RefusedError
from appshield.objectstore import MemoryObjectStore, ObjectStore
from appshield.repository import (
    HealReport,
    PackSettings,
    Reader,
    Repository,
    RepositoryLock,
    check,
    copy_tree,
    heal,
    prune,
    repair_index,
    seal_snapshot,
)
from failing_store import FailingStore, StoreLostError, copy_of, names_in
from repository_content import PASSWORD, SWIFT, back_up, document, noise

THEIRS = "the password of the other one"
SMALL = PackSettings(pack_bytes=20_000)
SAME = {b"%d" % seed: noise(9000, seed) for seed in range(8)}
FILES = {"v1": {**SAME, b"old": noise(9000, 50)}, "v2": {**SAME, b"text": b"words " * 5000}}


def vaults() -> tuple[MemoryObjectStore, MemoryObjectStore, dict[str, bytes]]:
    """Return a repository with two versions, its copy under another key, and their trees."""
    store, kept = MemoryObjectStore(), MemoryObjectStore()
    trees = {tag: back_up(store, files, tag, pack_bytes=20_000) for tag, files in FILES.items()}
    source = Repository.open(store, PASSWORD)
    target = Repository.create(kept, THEIRS, like=source)
    with RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock:
        for tag, tree in trees.items():
            copy_tree(source, target, lock, tree, settings=SMALL)
            target.publish_snapshot(seal_snapshot(target, document(tree, tag)), lock=lock)
    return store, kept, trees


def healed(store: ObjectStore, *others: Repository) -> HealReport:
    """Repair and heal as a worker does."""
    repository = Repository.open(store, PASSWORD)
    with RepositoryLock.acquire(repository, exclusive=True, owner="fix", timing=SWIFT) as lock:
        repair_index(repository, lock)
        return heal(repository, lock, others, settings=SMALL)


def holds(store: ObjectStore, trees: dict[str, bytes]) -> None:
    """Make sure that nothing is wrong and every file reads back."""
    repository = Repository.open(store, PASSWORD)
    report = check(repository, read_data=True)
    assert (report.errors, report.warnings) == ((), ())
    reader = Reader(repository)
    for tag, tree in trees.items():
        for name, data in FILES[tag].items():
            for path in (name, b"sub/" + name):
                assert b"".join(reader.iter_file(reader.find(tree, path))) == data


def pack_of(store: ObjectStore, tree: bytes, name: bytes = b"") -> tuple[str, int]:
    """Return the pack of a file's content, or of the tree itself, and where in it that is."""
    repository = Repository.open(store, PASSWORD)
    index = repository.index
    if name:
        node = Reader(repository).find(tree, name)
        assert node.content is not None
        found = index.lookup("data", node.content[0])
    else:
        found = index.lookup("tree", tree)
    assert found is not None
    return f"data/{found.pack_id[:2]}/{found.pack_id}", found.entry.offset


def flip(store: ObjectStore, name: str, at: int) -> None:
    content = bytearray(store.get(name))
    content[at] ^= 1
    store.put(name, bytes(content))


def flip_data(store: ObjectStore, trees: dict[str, bytes]) -> None:
    name, offset = pack_of(store, trees["v1"], b"3")
    flip(store, name, offset + 50)


def flip_tree(store: ObjectStore, trees: dict[str, bytes]) -> None:
    name, offset = pack_of(store, trees["v2"])
    flip(store, name, offset + 20)


def flip_header(store: ObjectStore, trees: dict[str, bytes]) -> None:
    name, _ = pack_of(store, trees["v1"], b"3")
    flip(store, name, -10)


def cut_data(store: ObjectStore, trees: dict[str, bytes]) -> None:
    name, offset = pack_of(store, trees["v1"], b"3")
    store.put(name, store.get(name)[: offset + 100])


def remove_data(store: ObjectStore, trees: dict[str, bytes]) -> None:
    store.delete(pack_of(store, trees["v2"], b"text")[0])


def remove_trees(store: ObjectStore, trees: dict[str, bytes]) -> None:
    for name in {pack_of(store, tree)[0] for tree in trees.values()}:
        store.delete(name)


def swap(store: ObjectStore, trees: dict[str, bytes]) -> None:
    one, _ = pack_of(store, trees["v1"], b"old")
    packs = {pack_of(store, trees["v1"], name)[0] for name in SAME}  # one of them may be its own
    store.put(one, store.get(min(packs - {one})))


def remove_all_but_snapshots(store: ObjectStore, _: dict[str, bytes]) -> None:
    for name in [*names_in(store, "data"), *names_in(store, "index")]:
        store.delete(name)


def damage_index_and_pack(store: ObjectStore, trees: dict[str, bytes]) -> None:
    flip_data(store, trees)
    flip_header(store, trees)
    for name in names_in(store, "index"):
        flip(store, name, 40)


DAMAGES = [
    flip_data,
    flip_tree,
    flip_header,
    cut_data,
    remove_data,
    remove_trees,
    swap,
    remove_all_but_snapshots,
    damage_index_and_pack,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_comes_back_from_the_second_copy(
    damage: Callable[[ObjectStore, dict[str, bytes]], None],
) -> None:
    """The check is clean afterwards, and every file is as it was; the other is as before."""
    store, kept, trees = vaults()
    damage(store, trees)
    assert check(Repository.open(store, PASSWORD), read_data=True).errors
    before = {name: kept.get(name) for name in names_in(kept, "")}
    report = healed(store, Repository.open(kept, THEIRS))
    assert report.lost == ()
    if damage is not damage_index_and_pack:  # that leaves a pack without header or index: a warning
        holds(store, trees)
    assert check(Repository.open(store, PASSWORD), read_data=True).errors == ()
    assert {name: kept.get(name) for name in names_in(kept, "")} == before


def test_only_what_is_damaged_is_sent() -> None:
    """One blob comes from the other repository; its neighbours are taken from the bad pack."""
    store, kept, trees = vaults()
    flip_data(store, trees)
    report = healed(store, Repository.open(kept, THEIRS))
    assert (report.brought, len(report.replaced)) == (1, 1)
    again = healed(store, Repository.open(kept, THEIRS))
    assert (again.brought, again.replaced, again.left) == (0, (), ())


def test_what_no_other_repository_has_is_named_exactly_and_nothing_else_is_lost() -> None:
    """Damaged in both, it stays where it is: the bad pack is kept, and all that is right reads."""
    store, kept, trees = vaults()
    flip_data(store, trees)
    remove_data(store, trees)
    other = Repository.open(kept, THEIRS)
    node = Reader(other).find(trees["v1"], b"3")
    assert node.content is not None
    there = other.index.lookup("data", node.content[0])
    assert there is not None
    flip(kept, f"data/{there.pack_id[:2]}/{there.pack_id}", there.entry.offset + 50)
    report = healed(store, other)
    assert {one.path for one in report.lost} == {b"3", b"sub/3"}
    assert len({one.snapshot_id for one in report.lost}) == 2
    assert (report.replaced, len(report.left)) == ((), 1)
    found = check(Repository.open(store, PASSWORD), read_data=True).errors
    assert {one.path for one in found if one.snapshot_id} == {b"3", b"sub/3"}


def test_several_others_complete_each_other() -> None:
    """What the first other one has lost, too, comes from the next."""
    store, kept, trees = vaults()
    third = copy_of(kept)
    damaged = Repository.open(kept, THEIRS)
    for name in names_in(kept, "data")[::2]:
        kept.delete(name)
    remove_all_but_snapshots(store, trees)
    assert healed(store, damaged, Repository.open(third, THEIRS)).lost == ()
    holds(store, trees)


def test_a_blob_that_another_version_brought_there_heals_too() -> None:
    """The other repository never held this version, but all of its content."""
    store, kept, trees = vaults()
    other = Repository.open(kept, THEIRS)
    for snapshot_id, found in other.snapshots():
        if "v1" in found.tags:
            kept.delete(f"snapshots/{snapshot_id}")
    flip_data(store, trees)
    assert healed(store, other).lost == ()
    holds(store, trees)


def test_a_version_without_a_readable_document_keeps_its_damaged_packs() -> None:
    """Nobody knows what it needs, so nothing that nobody has elsewhere is thrown away."""
    store, _, trees = vaults()
    flip_data(store, trees)
    for name in names_in(store, "snapshots"):
        flip(store, name, 40)
    report = healed(store)
    assert len(report.left) == 1
    assert len(report.lost) == 2


def test_healing_needs_the_repository_alone() -> None:
    """A shared lock is refused."""
    store, _, _ = vaults()
    repository = Repository.open(store, PASSWORD)
    with (
        RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as shared,
        pytest.raises(RefusedError, match="exclusive"),
    ):
        heal(repository, shared, [])


def test_a_prune_tidies_up_behind_a_healing() -> None:
    """The record of the packs that went goes, too."""
    store, kept, trees = vaults()
    flip_data(store, trees)
    healed(store, Repository.open(kept, THEIRS))
    assert names_in(store, "appshield-retired")
    repository = Repository.open(store, PASSWORD)
    with RepositoryLock.acquire(repository, exclusive=True, owner="p", timing=SWIFT) as lock:
        prune(repository, lock)
    assert names_in(store, "appshield-retired") == []
    holds(store, trees)


def readable(store: ObjectStore, trees: dict[str, bytes]) -> set[tuple[str, bytes]]:
    """Return the files that can be read."""
    reader, found = Reader(Repository.open(store, PASSWORD)), set()
    for tag, tree in trees.items():
        for name, data in FILES[tag].items():
            with contextlib.suppress(Exception):
                if b"".join(reader.iter_file(reader.find(tree, name))) == data:
                    found.add((tag, name))
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    damages=st.lists(st.sampled_from([flip_data, flip_tree, cut_data, swap]), max_size=3),
    at=st.integers(1, 14),
    after_effect=st.booleans(),
)
def test_killed_at_any_write_no_file_is_lost_that_could_be_read_and_the_next_run_heals(
    damages: list[Callable[[ObjectStore, dict[str, bytes]], None]], at: int, *, after_effect: bool
) -> None:
    """Whatever was damaged, and wherever the worker died."""
    store, kept, trees = vaults()
    for damage in damages:
        with contextlib.suppress(Exception):
            damage(store, trees)
    before = readable(store, trees)
    other = Repository.open(kept, THEIRS)
    with contextlib.suppress(StoreLostError):
        healed(FailingStore(store, at, after_effect=after_effect), other)
    assert readable(store, trees) >= before
    for name in names_in(store, "locks"):
        store.delete(name)
    assert healed(store, other).lost == ()
    holds(store, trees)
