"""A writer whose source, store or memory fails: what is there stays sound, the next is told."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import (
    Repository,
    RepositoryLock,
    Writer,
    check,
    missing_blobs,
)
from appshield.repository.blobs import BlobCodec, blob_id
from appshield.repository.settings import PackSettings
from failing_store import FailingStore, PausingStore, StoreLostError, copy_of
from repository_content import (
    PASSWORD,
    SWIFT,
    back_up,
    file_node,
    noise,
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


def test_a_second_attempt_stores_only_what_is_missing(store: MemoryObjectStore) -> None:
    """A block that fails leaves its durable packs indexed."""
    repository = Repository.create(store, PASSWORD)
    chunks = [noise(50_000, number) for number in range(40)]

    def fail_half_way(writer: Writer) -> None:
        for chunk in chunks[:20]:
            writer.add_data(chunk)
        raise ConnectionError("the source is gone")

    with (
        pytest.raises(ConnectionError),
        writing(repository, pack_bytes=PACK_BYTES) as writer,
    ):
        fail_half_way(writer)
    before = sum(found.size_bytes for found in store.list("data"))
    assert before > PACK_BYTES
    with writing(Repository.open(store, PASSWORD), pack_bytes=PACK_BYTES) as writer:
        for chunk in chunks:
            writer.add_data(chunk)
    after = sum(found.size_bytes for found in store.list("data"))
    assert after < 40 * 50_000 + 10_000
    assert check(Repository.open(store, PASSWORD), read_data=True).warnings == ()


async def test_a_slow_store_holds_back_the_source(store: MemoryObjectStore) -> None:
    """Memory is bounded: some chunks and packs under way, then `add_data` waits."""
    gate = threading.Event()

    def wait_for_gate(name: str) -> None:
        if name.startswith("data/"):
            gate.wait()

    repository = Repository.create(PausingStore(store, wait_for_gate), PASSWORD)
    taken: list[int] = []

    def work() -> None:
        with writing(repository, pack_bytes=100_000) as writer:
            for number in range(200):
                writer.add_data(noise(100_000, number))
                taken.append(number)

    worker = threading.Thread(target=work)
    worker.start()
    await wait_until(lambda: len(taken) >= 5, deadline_s=10, what="the first packs are full")
    worker.join(timeout=0.5)
    assert len(taken) < 20
    gate.set()
    worker.join()
    assert len(taken) == 200
    assert check(Repository.open(store, PASSWORD), read_data=True).is_sound


ADDING: dict[str, Callable[[Writer, bytes], object]] = {
    "data": lambda writer, content: writer.add_data(content),
    "small": lambda writer, content: writer.add_small([content[:5000], content[5000:9000]]),
    "tree": lambda writer, content: writer.add_tree([file_node(b"x", (blob_id(content),), 1)]),
    "file": lambda writer, content: writer.add_file(stream(content)),
}


@pytest.mark.parametrize("kind", ADDING)
def test_nothing_leaves_that_changed_while_it_was_encoded(
    repository: Repository, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when a pack is full nor at the end; what has left before is right."""
    bits = itertools.cycle([0] * 9 + [1])
    pack, pack_each = BlobCodec.pack, BlobCodec.pack_each

    def hurt(packed: bytes | memoryview) -> bytes:
        return bytes(packed[:-1]) + bytes([packed[-1] ^ next(bits)])

    def pack_badly(*arguments: Any) -> tuple[bytes, int]:
        packed, compressed_from = pack(*arguments)
        return hurt(packed), compressed_from

    def pack_each_badly(*arguments: Any) -> list[tuple[bytes, int]]:
        return [(hurt(packed), plain_bytes) for packed, plain_bytes in pack_each(*arguments)]

    monkeypatch.setattr(BlobCodec, "pack", pack_badly)
    monkeypatch.setattr(BlobCodec, "pack_each", pack_each_badly)
    lock = RepositoryLock.acquire(repository, owner="x", timing=SWIFT)
    writer = Writer(repository, lock, settings=SMALL_PACKS)

    def add_many() -> None:
        for number in range(20):
            ADDING[kind](writer, noise(100_000, number))
        writer.flush()

    for work in (add_many, writer.flush):
        with pytest.raises(DamagedError, match="changed while it was encoded"):
            work()
    writer.close()
    report = check(Repository.open(repository.store, PASSWORD), read_data=True)
    assert report.is_sound
    assert report.blobs < 20


@pytest.mark.parametrize("step", ["add_data", "flush"])
def test_a_failed_upload_is_raised_by_the_next_call(store: MemoryObjectStore, step: str) -> None:
    """As the original error, however often one asks."""
    Repository.create(store, PASSWORD)
    repository = Repository.open(FailingStore(store, 2), PASSWORD)  # the lock is the first write
    lock = RepositoryLock.acquire(repository, owner="x", timing=SWIFT)
    writer = Writer(repository, lock, settings=PackSettings(pack_bytes=10_000))

    def add_until_told() -> None:
        for number in range(1000):
            writer.add_data(noise(20_000, number))

    def add_and_flush() -> None:
        writer.add_data(b"data")
        writer.flush()

    work: Callable[[], None] = add_until_told if step == "add_data" else add_and_flush
    with pytest.raises(StoreLostError, match="write 2") as first:
        work()
    for again in (writer.flush, lambda: writer.add_data(b"more")):
        with pytest.raises(StoreLostError) as next_one:
            again()
        assert next_one.value is first.value
    writer.close()


FILES = {b"a": noise(400_000, 1), b"b": b"text" * 50_000, b"c": noise(600_000, 2), b"d": b""}


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_repository_is_sound_after_every_write_that_could_be_the_last(
    store: MemoryObjectStore, *, after_effect: bool
) -> None:
    """Cut off at the n-th write, for every n, and completed by a second attempt."""
    back_up(store, {b"before": b"an earlier version"}, "before")
    fail_at = 1
    while True:
        attempt = copy_of(store)
        try:
            failing = FailingStore(attempt, fail_at, after_effect=after_effect)
            back_up(failing, FILES, "new", pack_bytes=PACK_BYTES)
        except StoreLostError:
            completed = False
        else:
            completed = failing.writes < fail_at
        repository = Repository.open(attempt, PASSWORD)
        assert check(repository, read_data=True).errors == ()
        assert len(repository.snapshots_with_tag("before")) == 1
        tree = back_up(attempt, FILES, "again", pack_bytes=PACK_BYTES)
        assert check(repository, read_data=True).errors == ()
        assert missing_blobs(repository, tree) == []
        if completed:
            break
        fail_at += 1
    assert fail_at > 8
