"""A writer stores each blob once, bounded, indexed in time, and stops at the first failure."""

import itertools
import threading

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import MemoryObjectStore, ObjectMissingError
from appshield.repository import (
    Node,
    Reader,
    Repository,
    RepositoryLock,
    Writer,
    check,
    join_trees,
    missing_blobs,
    seal_snapshot,
)
from appshield.repository.blobs import LARGEST_BLOB_BYTES, blob_id
from appshield.repository.packs import read_header
from appshield.repository.settings import PackSettings
from failing_store import copy_of, names_in
from repository_content import (
    PASSWORD,
    SWIFT,
    directory_node,
    document,
    file_node,
    noise,
    store_files,
    stream,
    writing,
)
from waiting import wait_until

PACK_BYTES = 300_000
"""Small packs, so that little data gives many of them."""

SMALL_PACKS = PackSettings(pack_bytes=PACK_BYTES)


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def repository(store: MemoryObjectStore) -> Repository:
    return Repository.create(store, PASSWORD)


def test_what_was_written_can_be_read(repository: Repository) -> None:
    """Small files, an empty one and one of many chunks."""
    files = {b"empty": b"", b"small": b"text" * 100, b"large": noise(9_000_000)}
    with writing(repository) as writer:
        tree = store_files(writer, files)
        assert writer.bytes_read > 9_000_000
    reader = Reader(Repository.open(repository.store, PASSWORD))
    for name, data in files.items():
        node = reader.find(tree, b"sub/" + name)
        assert b"".join(reader.iter_file(node)) == data
        assert sum(map(reader.blob_size, node.content or ())) == len(data) == node.size_bytes


def test_many_small_files_are_read_together(repository: Repository) -> None:
    """In order, with few requests; one that is not right spoils no other."""
    files = {f"{number:03}".encode(): noise(100, seed=number) for number in range(50)}
    with writing(repository) as writer:
        tree = store_files(writer, files | {b"empty": b""})
    reader = Reader(Repository.open(repository.store, PASSWORD))
    sub = reader.find(tree, b"sub").subtree
    assert sub
    nodes = list(reader.read_tree(sub))
    broken = msgspec.structs.replace(nodes[7], content=(b"\0" * 32,))
    read = list(reader.read_files([*nodes[:7], broken, *nodes[8:]]))
    wanted = {**files, b"empty": b""}
    assert isinstance(read[7], DamagedError)
    assert [one for at, one in enumerate(read) if at != 7] == [
        wanted[node.name] for at, node in enumerate(nodes) if at != 7
    ]


def test_a_blob_is_stored_once(repository: Repository) -> None:
    """Within a backup, and from one to the next."""
    with writing(repository) as writer:
        first = [writer.add_data(b"the same") for _ in range(5)]
    stored = names_in(repository.store, "data")
    with writing(Repository.open(repository.store, PASSWORD)) as writer:
        assert {writer.add_data(b"the same")} == set(first)
    assert names_in(repository.store, "data") == stored
    assert len(names_in(repository.store, "index")) == 1


def test_data_that_looks_like_a_directory_is_kept_apart(repository: Repository) -> None:
    """The same bytes as chunk and as directory are two blobs, in packs of their own."""
    with writing(repository) as writer:
        empty = writer.add_tree([])
        assert writer.add_data(b'{"nodes":[]}\n') == empty
    report = check(repository, read_data=True)
    assert (report.packs, report.blobs, report.is_sound, report.warnings) == (2, 2, True, ())
    reader = Reader(repository)
    assert reader.read_tree(empty) == ()
    assert reader.read_blob(empty) == b'{"nodes":[]}\n'


def test_data_and_trees_never_share_a_pack_and_packs_have_their_size(
    repository: Repository,
) -> None:
    """Each pack is closed soon after it is full, and holds one kind."""
    with writing(repository, pack_bytes=PACK_BYTES) as writer:
        for number in range(60):
            writer.add_data(noise(50_000, number))
            writer.add_tree([file_node(b"%d" % number, (), 0)])
    kinds = []
    sizes = []
    for name in names_in(repository.store, "data"):
        stored = repository.store.get(name)
        kinds.append({entry.kind for entry in read_header(stored, repository.key)})
        sizes.append(len(stored))
    assert kinds.count({"tree"}) == 1
    assert kinds.count({"data"}) == len(kinds) - 1
    assert max(sizes) < PACK_BYTES + 60_000
    assert len(kinds) >= 8


def test_neighbours_are_spread_over_two_packs(repository: Repository) -> None:
    """The order of sizes in a pack must not give away which file it is."""
    ids = []
    with writing(repository, pack_bytes=PACK_BYTES) as writer:
        ids = [writer.add_data(noise(1000, number)) for number in range(1000)]
    places = [repository.index.lookup("data", identity) for identity in ids]
    changes = sum(
        one is not None and other is not None and one.pack_id != other.pack_id
        for one, other in itertools.pairwise(places)
    )
    assert changes > 200


def test_a_buffer_may_be_reused_at_once(repository: Repository) -> None:
    """What is encoded later is what was given."""
    buffer = bytearray(100_000)
    with writing(repository) as writer:
        ids = []
        for number in range(20):
            buffer[:] = bytes([number]) * len(buffer)
            ids.append(writer.add_data(memoryview(buffer)))
            buffer[:] = b"\xff" * len(buffer)
    reader = Reader(repository)
    assert [reader.read_blob(identity)[0] for identity in ids] == list(range(20))


@pytest.mark.parametrize("data", [b"", bytes(LARGEST_BLOB_BYTES + 1)])
def test_an_impossible_chunk_is_refused(repository: Repository, data: bytes) -> None:
    """Empty chunks are never written, and none is larger than restic's."""
    with writing(repository) as writer, pytest.raises(InvalidInputError):
        writer.add_data(data)


def test_the_progress_is_told_in_totals(repository: Repository) -> None:
    """Bytes taken in and bytes stored, never falling."""
    told: list[tuple[int, int]] = []
    with (
        RepositoryLock.acquire(repository, owner="x", timing=SWIFT) as lock,
        Writer(repository, lock, lambda *totals: told.append(totals)) as writer,
    ):
        writer.add_data(b"1" * 1000)
        writer.add_data(b"1" * 1000)
    sizes = [found.size_bytes for found in repository.store.list("data")]
    assert told[-1] == (2000, sum(sizes))
    assert sorted(told) == told


def test_many_threads_may_write_at_once(repository: Repository) -> None:
    """A writer is one for all threads of a walk."""
    trees: list[bytes] = []
    with writing(repository, pack_bytes=PACK_BYTES) as writer:

        def work(seed: int) -> None:
            files = {b"%d" % n: noise(20_000, n % 30) for n in range(seed, seed + 20)}
            trees.append(store_files(writer, files))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.flush()
        assert [missing_blobs(repository, tree) for tree in trees] == [[]] * 8
    assert check(repository, read_data=True).is_sound


async def test_an_index_is_written_while_the_work_goes_on(store: MemoryObjectStore) -> None:
    """A killed backup finds what it has stored; the wait for the next pack does not matter."""
    repository = Repository.create(store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="x", timing=SWIFT) as lock:
        writer = Writer(repository, lock, settings=SMALL_PACKS, index_every_s=0.05)
        ids = [writer.add_data(noise(60_000, number)) for number in range(30)]
        await wait_until(lambda: names_in(store, "index"), deadline_s=10, what="an index")
        found = Repository.open(copy_of(store), PASSWORD)
        assert any(found.index.has("data", identity) for identity in ids)
        assert check(found, read_data=True).is_sound
        writer.close()


def test_an_index_is_written_when_enough_is_durable(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By count of blobs and by size, without waiting for the end."""
    monkeypatch.setattr("appshield.repository.durable.MOST_BLOBS", 10)
    with writing(repository, pack_bytes=10_000) as writer:
        for number in range(100):
            writer.add_data(noise(2000, number))
    assert len(names_in(repository.store, "index")) > 3
    assert check(repository, read_data=True).is_sound


def test_trees_are_joined_under_virtual_directories(repository: Repository) -> None:
    """Each at its place, with the owner of its root where that is known."""
    with writing(repository) as writer:
        data = store_files(writer, {b"f": b"1"})
        owned = directory_node(b"ignored", data)
        root = join_trees(
            writer,
            {"volumes/shop/data": data, "volumes/shop/uploads": owned, "manifests": data},
            time_ns=5,
        )
        empty = join_trees(writer, {})
    reader = Reader(repository)
    assert [node.name for node in reader.read_tree(root)] == [b"manifests", b"volumes"]
    assert reader.find(root, "volumes/shop/data").subtree == data
    assert reader.find(root, "volumes/shop").mtime_ns == 5
    uploads: Node = reader.find(root, "volumes/shop/uploads")
    assert (uploads.name, uploads.subtree, uploads.mtime_ns) == (b"uploads", data, 0)
    assert reader.read_tree(empty) == ()


@pytest.mark.parametrize(
    "places", [["a", "a/b"], ["a/b", "a"], ["a//b"], [""], ["/a"], ["a/../b"], ["a/"]]
)
def test_trees_cannot_be_joined_at_impossible_places(
    repository: Repository, places: list[str]
) -> None:
    """A place is not above another one and has no odd parts."""
    with writing(repository) as writer, pytest.raises(InvalidInputError):
        join_trees(writer, dict.fromkeys(places, b"\x01" * 32))


@given(
    streams=st.lists(
        st.tuples(st.integers(0, 2_000_000), st.integers(0, 3)), min_size=1, max_size=5
    )
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_streams_come_back(repository: Repository, streams: list[tuple[int, int]]) -> None:
    """Through chunks, packs and index."""
    with writing(repository, pack_bytes=PACK_BYTES) as writer:
        added = [writer.add_file(stream(noise(size, seed))) for size, seed in streams]
    reader = Reader(repository)
    for (content, total), (size, seed) in zip(added, streams, strict=True):
        assert total == size
        assert b"".join(map(reader.read_blob, content)) == noise(size, seed)


def test_the_id_of_a_blob_is_the_hash_of_its_content(repository: Repository) -> None:
    """So everybody calls it the same."""
    with writing(repository) as writer:
        assert writer.add_data(b"hello") == blob_id(b"hello")
        (content, _) = writer.add_file(stream(b"hello"))
        assert content == (blob_id(b"hello"),)


def test_missing_blobs_are_named_before_a_snapshot_is_published(repository: Repository) -> None:
    """A pack that others removed, one cut short, a tree that was never stored."""
    with writing(repository) as writer:
        tree = store_files(writer, {b"f": b"content"})
    assert missing_blobs(repository, tree) == []
    assert "no index" in missing_blobs(repository, b"\1" * 32)[0]
    place = repository.index.lookup("data", blob_id(b"content"))
    assert place is not None
    name = f"data/{place.pack_id[:2]}/{place.pack_id}"
    stored = repository.store.get(name)
    repository.store.put(name, stored[:-1])
    assert missing_blobs(repository, tree) == [
        f"f: pack {place.pack_id} has {len(stored) - 1} bytes instead of {len(stored)}",
        f"sub/f: pack {place.pack_id} has {len(stored) - 1} bytes instead of {len(stored)}",
    ]
    repository.store.delete(name)
    assert f"sub/f: pack {place.pack_id} is missing" in missing_blobs(repository, tree)
    with pytest.raises(ObjectMissingError):
        repository.store.get(name)


def test_a_lost_index_is_missed_by_a_fresh_look(repository: Repository) -> None:
    """What only this process knows is not durable knowledge."""
    with writing(repository) as writer:
        tree = store_files(writer, {b"f": b"content"})
    (index,) = names_in(repository.store, "index")
    repository.store.delete(index)
    assert "no index" in missing_blobs(repository, tree)[0]


def test_two_snapshots_of_one_run_are_one(store: MemoryObjectStore) -> None:
    """A commit that is repeated publishes the same bytes under the same name."""
    repository = Repository.create(store, PASSWORD)
    with writing(repository) as writer:
        tree = writer.add_tree([])
    sealed = seal_snapshot(repository, document(tree, "appshield:run=1"))
    for worker in (repository, Repository.open(store, PASSWORD)):
        worker.publish_snapshot(sealed)
    assert len(repository.snapshots_with_tag("appshield:run=1")) == 1


def test_small_chunks_are_stored_together(repository: Repository) -> None:
    """Each once, wherever it was met before; packs are closed when they are full."""
    chunks = [noise(2000, number) for number in range(400)]
    with writing(repository, pack_bytes=PACK_BYTES) as writer:
        first = writer.add_data(chunks[0])
        ids = writer.add_small(chunks[:200]) + writer.add_small(chunks[100:])
        assert ids[0] == first
        assert ids == [*map(blob_id, chunks[:200]), *map(blob_id, chunks[100:])]
        assert writer.bytes_read == 2000 * (1 + 200 + 300)
    report = check(repository, read_data=True)
    assert (report.blobs, report.is_sound) == (400, True)
    assert report.packs >= 2
    reader = Reader(Repository.open(repository.store, PASSWORD))
    read = {
        identity: bytes(buffer[start:end])
        for buffer, blobs, _ in reader.read_blobs(ids)
        for identity, start, end in blobs
    }
    assert read == {blob_id(chunk): chunk for chunk in chunks}
    with writing(Repository.open(repository.store, PASSWORD)) as writer:
        writer.add_small(chunks)
    assert check(repository).packs == report.packs


def test_no_empty_chunk_is_stored_among_others(repository: Repository) -> None:
    """The format has none."""
    with writing(repository) as writer, pytest.raises(InvalidInputError):
        writer.add_small([b"1", b""])
