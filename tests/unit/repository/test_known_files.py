"""What is in a file of a repository is read once; which files there are is asked each time."""

from collections import Counter
from collections.abc import Iterator

import pytest

from appshield.objectstore import MemoryObjectStore, ObjectFacts
from appshield.repository import Repository, known_files, missing_blobs, walking
from appshield.repository.blobs import blob_id
from failing_store import StoreAround, names_in
from repository_content import PASSWORD, noise, store_files, writing


class CountingStore(StoreAround):
    """Counts how often an object is read, and a folder listed."""

    def __init__(self) -> None:
        super().__init__(MemoryObjectStore())
        self.gets: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        self.gets[name.partition("/")[0]] += 1
        return super().get(name, offset=offset, length=length)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        self.lists[prefix] += 1
        return super().list(prefix)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def repository(store: CountingStore) -> Repository:
    return Repository.create(store, PASSWORD)


def write(repository: Repository, content: bytes) -> bytes:
    with writing(repository) as writer:
        return store_files(writer, {b"f": content})


def has(repository: Repository, content: bytes) -> bool:
    return repository.anew().index.has("data", blob_id(content))


def test_an_index_file_is_read_once(repository: Repository, store: CountingStore) -> None:
    """By all that open the repository again, and a new one beside those that are known."""
    other = repository.again(store)
    for number in range(5):
        write(repository, b"content %d" % number)
    assert all(has(other, b"content %d" % number) for number in range(5))
    assert store.gets["index"] == 5
    assert len(other.anew().index) == 5 * 3


def test_an_index_that_was_rewritten_is_read_anew(
    repository: Repository, store: CountingStore
) -> None:
    """What no file names any more is not known, however lately it was."""
    write(repository, b"one")
    (first,) = names_in(store, "index")
    write(repository, b"two")
    assert has(repository, b"one")
    store.delete(first)
    assert not has(repository, b"one")
    assert has(repository, b"two")


def test_what_others_write_is_seen(repository: Repository, store: CountingStore) -> None:
    """A client that shares nothing with this one."""
    write(repository, b"one")
    assert has(repository, b"one")
    write(Repository.open(store, PASSWORD), b"two")
    assert has(repository, b"one")
    assert has(repository, b"two")


def test_a_large_index_is_not_kept(
    repository: Repository, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take more memory than it is worth."""
    monkeypatch.setattr(known_files, "KNOWN_INDEX_BYTES", 100)
    write(repository, b"one")
    for _ in range(2):
        store.gets.clear()
        assert has(repository, b"one")
        assert store.gets["index"] == 1
    assert repository.known.size_bytes == 0


def test_what_was_forgotten_is_read_again(repository: Repository, store: CountingStore) -> None:
    write(repository, b"one")
    assert has(repository, b"one")
    assert repository.known.size_bytes > 0
    repository.known.forget()
    assert repository.known.size_bytes == 0
    store.gets.clear()
    assert has(repository, b"one")
    assert store.gets["index"] == 1


def test_only_the_packs_of_a_small_version_are_looked_at(
    repository: Repository, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one where they are few; all are listed where they are many."""
    with writing(repository, pack_bytes=1 << 20) as writer:
        tree = store_files(writer, {b"f%d" % one: noise(1 << 20, one) for one in range(4)})
    (lost, *_) = names_in(store, "data")
    for few, lists in ((16, 0), (2, 1)):
        monkeypatch.setattr(walking, "FEW_PACKS", few)
        store.lists.clear()
        assert missing_blobs(repository, tree) == []
        assert store.lists["data"] == lists
    held = store.get(lost)
    store.delete(lost)
    for few in (16, 2):
        monkeypatch.setattr(walking, "FEW_PACKS", few)
        assert missing_blobs(repository, tree)
    store.put(lost, held)
    assert missing_blobs(repository, tree) == []
