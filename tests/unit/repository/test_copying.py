"""Copying a version between repositories: only what is missing, verified, and valid at any time."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore, ObjectStore
from appshield.repository import (
    LockLostError,
    PackSettings,
    Reader,
    Repository,
    RepositoryLock,
    check,
    copy_tree,
    seal_snapshot,
)
from failing_store import FailingStore, PausingStore, StoreLostError, copy_of, names_in
from repository_content import PASSWORD, SWIFT, back_up, document, noise

THEIRS = "the target's own password"
SMALL = PackSettings(pack_bytes=20_000)
FILES = {b"%d" % seed: noise(9000, seed) for seed in range(12)} | {b"text": b"words " * 5000}


def opened(store: ObjectStore, source: Repository) -> Repository:
    """Open the target, made like the source at the first time."""
    return Repository.create(store, THEIRS, like=source)


def copied(source: Repository, target: Repository, tree: bytes, *tags: str) -> int:
    """Copy a version as a worker does it; return how many blobs had to be sent."""
    with RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock:
        report = copy_tree(source, target, lock, tree, settings=SMALL)
        target.publish_snapshot(seal_snapshot(target, document(tree, *tags)), lock=lock)
    return report.blobs


def holds(target: Repository, tree: bytes, files: dict[bytes, bytes]) -> None:
    """Make sure that everything reads back and that nothing is wrong in the repository."""
    assert check(target, read_data=True).errors == ()
    reader = Reader(target, index=target.read_index())
    for name, data in files.items():
        for path in (name, b"sub/" + name):
            assert b"".join(reader.iter_file(reader.find(tree, path))) == data


def place(source: Repository, name: bytes, tree: bytes) -> tuple[str, int]:
    """Return the pack of a file's content, and where in it that is."""
    node = Reader(source).find(tree, name)
    assert node.content is not None
    found = source.index.lookup("data", node.content[0])
    assert found is not None
    return f"data/{found.pack_id[:2]}/{found.pack_id}", found.entry.offset


def test_a_copy_reads_back_under_another_password_and_is_sent_once() -> None:
    """The second version sends what is new of it, a version that is there sends nothing."""
    store = MemoryObjectStore()
    first = back_up(store, FILES, "v1", pack_bytes=20_000)
    source = Repository.open(store, PASSWORD)
    target = opened(MemoryObjectStore(), source)
    assert copied(source, target, first, "v1") == len(FILES) + 2
    more = {**FILES, b"new": noise(9000, 99)}
    second = back_up(store, more, "v2")
    assert copied(source, target, second, "v2") == 3
    assert copied(source, target, second, "v2") == 0
    holds(target, first, FILES)
    holds(target, second, more)
    assert target.config.chunker_polynomial == source.config.chunker_polynomial
    assert target.config.id != source.config.id


@pytest.mark.parametrize("after_effect", [False, True])
def test_killed_at_any_write_the_target_is_valid_and_the_next_copy_goes_on(
    after_effect: bool,
) -> None:
    """What was uploaded before the kill is found, in an index or not, and not sent again."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    empty = MemoryObjectStore()
    opened(empty, source)
    everything = copied(source, opened(copy_of(empty), source), tree, "v1")
    resumed = set()
    for at in range(1, 100):  # how many writes there are is up to how the packs fill
        left = copy_of(empty)
        failing = FailingStore(left, at, after_effect=after_effect)
        with contextlib.suppress(StoreLostError):
            copied(source, opened(failing, source), tree)
        if failing.writes < at:
            break
        target = opened(left, source)
        assert check(target, read_data=True).errors == ()
        for lock in names_in(left, "locks"):
            left.delete(lock)
        packs = len(names_in(left, "data"))
        sent = copied(source, target, tree, "v1")
        holds(target, tree, FILES)
        assert (sent < everything) == (packs > 0)
        resumed.add(sent)
    assert at > 8
    assert min(resumed) == 0
    assert len(resumed) > 3


def test_damage_is_not_carried_on_and_its_path_is_named() -> None:
    """Nothing of a version with an unreadable file becomes a snapshot; what is right was sent."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    name, offset = place(source, b"7", tree)
    damaged = bytearray(store.get(name))
    damaged[offset + 50] ^= 1
    store.put(name, bytes(damaged))
    target = opened(MemoryObjectStore(), source)
    with pytest.raises(DamagedError, match=r"7: data blob \w+ cannot be read"):
        copied(source, target, tree, "v1")
    assert target.snapshots() == []
    assert check(target, read_data=True).errors == ()


def test_a_missing_directory_is_named_before_anything_is_sent() -> None:
    """Packs of trees that are gone are told as damage of the source."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    found = source.index.lookup("tree", tree)
    assert found is not None
    store.delete(f"data/{found.pack_id[:2]}/{found.pack_id}")
    kept = MemoryObjectStore()
    with pytest.raises(DamagedError, match="it cannot be read"):
        copied(source, opened(kept, source), tree, "v1")
    assert names_in(kept, "data") == []


def test_a_second_place_serves_where_the_first_is_damaged() -> None:
    """A blob that two packs of the source hold is copied from the one that is right."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    others = copy_of(store)
    for name in [*names_in(others, "data"), *names_in(others, "index")]:
        others.delete(name)
    back_up(others, FILES, "v1")
    for name in [*names_in(others, "data"), *names_in(others, "index")]:
        store.put(name, others.get(name))
    source = Repository.open(store, PASSWORD)
    name, offset = place(source, b"7", tree)
    damaged = bytearray(store.get(name))
    damaged[offset + 50] ^= 1
    store.put(name, bytes(damaged))
    target = opened(MemoryObjectStore(), source)
    copied(source, target, tree, "v1")
    holds(target, tree, FILES)


@pytest.mark.parametrize("how", ["missing", "cut off"])
def test_a_copy_sends_again_what_the_target_has_lost(how: str) -> None:
    """A pack that is gone or short in the target counts as not there, whatever its index says."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    kept = MemoryObjectStore()
    target = opened(kept, source)
    copied(source, target, tree, "v1")
    pack = names_in(kept, "data")[0]
    content = kept.get(pack)
    kept.delete(pack)
    if how == "cut off":
        kept.put(pack, content[:-1])
    assert copied(source, target, tree, "again") > 0
    reader = Reader(target, index=target.read_index())
    for name, data in FILES.items():
        assert b"".join(reader.iter_file(reader.find(tree, name))) == data


def test_no_snapshot_of_what_vanished_meanwhile() -> None:
    """A pack that another client removes while it is copied to is found missing at the end."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    kept = MemoryObjectStore()
    copied(source, opened(kept, source), tree, "v1")
    gone = max(kept.list("data"), key=lambda pack: pack.size_bytes).name  # none of directories
    second = back_up(store, {**FILES, b"new": noise(9000, 99)}, "v2")

    def remove(name: str) -> None:
        if name.startswith("data/"):
            kept.delete(gone)

    target = opened(PausingStore(kept, remove), source)
    with pytest.raises(DamagedError, match="the copy is not whole"):
        copied(Repository.open(store, PASSWORD), target, second, "v2")


def test_nothing_is_sent_once_the_lock_is_lost() -> None:
    """A worker that slept over the removal of its lock writes nothing more."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    kept = MemoryObjectStore()
    target = opened(kept, source)
    with RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock:
        kept.delete(names_in(kept, "locks")[0])
        with pytest.raises(LockLostError):
            copy_tree(source, target, lock, tree)
    assert names_in(kept, "index") == []


def test_whoever_is_asked_to_go_on_may_stop_it() -> None:
    """A stop in the middle leaves a valid target."""
    store = MemoryObjectStore()
    tree = back_up(store, FILES, "v1")
    source = Repository.open(store, PASSWORD)
    target = opened(MemoryObjectStore(), source)

    class StoppedError(Exception):
        pass

    def go_on(_: int, total: int) -> None:
        if total:
            raise StoppedError

    with (
        RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock,
        pytest.raises(StoppedError),
    ):
        copy_tree(source, target, lock, tree, go_on=go_on)
    assert check(target, read_data=True).errors == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    versions=st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=4),
    crashes=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=4),
    pack_bytes=st.sampled_from([1, 8000, 1 << 20]),
)
def test_every_version_arrives_whole_whatever_crashes(
    versions: list[set[int]], crashes: list[tuple[int, bool]], pack_bytes: int
) -> None:
    """Histories of any shape, with kills between and in the middle of their copies."""
    store, kept = MemoryObjectStore(), MemoryObjectStore()
    contents = [{b"%d" % seed: noise(3000, seed) for seed in seeds} for seeds in versions]
    trees = [
        back_up(store, files, f"v{number}", pack_bytes=pack_bytes)
        for number, files in enumerate(contents)
    ]
    source = Repository.open(store, PASSWORD)
    opened(kept, source)
    waiting = list(crashes)
    for number, (tree, files) in enumerate(zip(trees, contents, strict=True)):
        if waiting:
            at, after = waiting.pop()
            try:
                copied(source, opened(FailingStore(kept, at, after_effect=after), source), tree)
            except StoreLostError:
                for lock in names_in(kept, "locks"):
                    kept.delete(lock)
        target = opened(kept, source)
        copied(source, target, tree, f"v{number}")
        holds(target, tree, files)


def test_a_copy_is_not_larger_than_what_it_copies() -> None:
    """Compressed blobs stay as they are compressed."""
    store = MemoryObjectStore()
    tree = back_up(store, {b"text": b"words " * 500_000}, "v1")
    source = Repository.open(store, PASSWORD)
    kept = MemoryObjectStore()
    copied(source, opened(kept, source), tree, "v1")
    sizes = [sum(one.size_bytes for one in place.list("data")) for place in (store, kept)]
    assert sizes[0] == sizes[1]
