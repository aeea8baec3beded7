"""A repository comes into being exactly once, opens with its password and lists its snapshots."""

import threading

import msgspec
import pytest

from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
)
from appshield.objectstore import MemoryObjectStore, ObjectStore
from appshield.repository import Repository, SealedSnapshot, check, seal_snapshot
from appshield.repository.config import CLAIM
from failing_store import FailingStore, PausingStore, StoreLostError, names_in
from repository_content import PASSWORD, back_up, document


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


def assert_is_one_repository(store: ObjectStore) -> None:
    assert len(names_in(store, "keys")) == 1
    assert names_in(store, "") == sorted([*names_in(store, "keys"), "config"])
    Repository.open(store, PASSWORD)


def test_creating_twice_opens_the_first(store: MemoryObjectStore) -> None:
    """The second creation changes nothing."""
    first = Repository.create(store, PASSWORD)
    second = Repository.create(store, PASSWORD)
    assert first.config == second.config
    assert_is_one_repository(store)


def test_many_creators_at_once_make_one_repository(store: MemoryObjectStore) -> None:
    """All get the same key and the same config."""
    repositories: list[Repository] = []
    start = threading.Barrier(6)

    def create() -> None:
        start.wait()
        repositories.append(Repository.create(store, PASSWORD))

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({repository.config.id for repository in repositories}) == 1
    assert len({repository.key.encrypt for repository in repositories}) == 1
    assert_is_one_repository(store)


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
def test_a_creator_may_die_at_any_step(
    store: MemoryObjectStore, fail_at: int, *, after_effect: bool
) -> None:
    """Whoever comes next completes the creation, with one key."""
    with pytest.raises(StoreLostError):
        Repository.create(FailingStore(store, fail_at, after_effect=after_effect), PASSWORD)
    Repository.create(store, PASSWORD)
    assert_is_one_repository(store)


@pytest.mark.parametrize("at", [CLAIM, "keys/", "config"])
def test_a_creator_that_is_overtaken_adds_no_key(store: MemoryObjectStore, at: str) -> None:
    """However late it goes on, the other's repository stays as it is."""
    overtaken: list[Repository] = []

    def overtake(name: str) -> None:
        if name.startswith(at) and not overtaken:
            overtaken.append(Repository.create(store, PASSWORD))

    late = Repository.create(PausingStore(store, overtake), PASSWORD)
    assert late.config == overtaken[0].config
    assert_is_one_repository(store)


def test_a_creator_with_another_password_is_denied(store: MemoryObjectStore) -> None:
    """Before the repository is there as well as after."""
    with pytest.raises(StoreLostError):
        Repository.create(FailingStore(store, 2), PASSWORD)
    with pytest.raises(DeniedError, match="another password"):
        Repository.create(store, "another")
    Repository.create(store, PASSWORD)
    with pytest.raises(DeniedError):
        Repository.create(store, "another")
    assert_is_one_repository(store)


def test_a_wrong_password_is_denied(store: MemoryObjectStore) -> None:
    """One clear error, which does not repeat the password."""
    Repository.create(store, PASSWORD)
    with pytest.raises(DeniedError) as caught:
        Repository.open(store, "not this one")
    assert "not this one" not in str(caught.value)


def test_an_empty_place_is_no_repository(store: MemoryObjectStore) -> None:
    """Opening never creates."""
    with pytest.raises(NotFoundError):
        Repository.open(store, PASSWORD)
    assert names_in(store, "") == []


@pytest.mark.parametrize("version", [1, 3])
def test_another_version_is_refused(store: MemoryObjectStore, version: int) -> None:
    """We neither write into an older format nor guess a newer one."""
    repository = Repository.create(store, PASSWORD)
    other = msgspec.structs.replace(repository.config, version=version)
    store.put("config", bytes(repository.key.seal(msgspec.json.encode(other))))
    with pytest.raises(InvalidInputError, match=f"version {version}"):
        Repository.open(store, PASSWORD)


def test_a_stray_key_does_not_keep_the_right_one_from_opening(store: MemoryObjectStore) -> None:
    """A key file that opens with the password and not the config is passed over."""
    stray = MemoryObjectStore()
    Repository.create(stray, PASSWORD)
    Repository.create(store, PASSWORD)
    (name,) = names_in(stray, "keys")
    store.put(name, stray.get(name))
    Repository.open(store, PASSWORD)


@pytest.mark.parametrize("what", ["keys", "config"])
def test_damage_is_told_apart_from_a_wrong_password(store: MemoryObjectStore, what: str) -> None:
    """A damaged key file or config is damage, and the message names the file."""
    Repository.create(store, PASSWORD)
    (name,) = names_in(store, "keys") if what == "keys" else ["config"]
    stored = bytearray(store.get(name))
    stored[len(stored) // 2] ^= 1
    store.put(name, bytes(stored))
    with pytest.raises(DamagedError, match="keys/"):
        Repository.open(store, PASSWORD)


def test_a_snapshot_is_published_once_however_often(store: MemoryObjectStore) -> None:
    """The same bytes have the same name."""
    repository = Repository.create(store, PASSWORD)
    sealed = seal_snapshot(repository, document(b"\1" * 32, "appshield:run=7"))
    assert repository.snapshots() == []
    repository.publish_snapshot(sealed)
    repository.publish_snapshot(sealed)
    ((identity, found),) = repository.snapshots_with_tag("appshield:run=7")
    assert identity == sealed.snapshot_id
    assert found.tree_id == b"\1" * 32
    assert repository.snapshots_with_tag("appshield:run=8") == []


def test_sealed_bytes_of_another_repository_are_not_published(store: MemoryObjectStore) -> None:
    """Bytes that nobody here could read must not become a version."""
    repository = Repository.create(store, PASSWORD)
    other = Repository.create(MemoryObjectStore(), PASSWORD)
    sealed = seal_snapshot(other, document(b"\1" * 32))
    with pytest.raises(DamagedError):
        repository.publish_snapshot(sealed)
    with pytest.raises(DamagedError):
        repository.publish_snapshot(SealedSnapshot("0" * 64, sealed.sealed))
    assert names_in(store, "snapshots") == []


def test_an_unreadable_snapshot_is_named_and_hides_no_other(store: MemoryObjectStore) -> None:
    """The others are listed, the damaged one is told apart."""
    back_up(store, {b"a": b"1"}, "good")
    repository = Repository.open(store, PASSWORD)
    store.put("snapshots/" + "ab" * 32, b"nonsense")
    store.put("snapshots/README", b"a foreign file")
    listing = repository.list_snapshots()
    assert [found.tags for _, found in listing.readable] == [("good",)]
    assert [found.snapshot_id for found in listing.unreadable] == ["ab" * 32]


def test_snapshots_are_listed_oldest_first(store: MemoryObjectStore) -> None:
    """By their time, not by their name."""
    repository = Repository.create(store, PASSWORD)
    for number in range(5):
        snapshot = document(bytes([number]) * 32, str(number))
        repository.publish_snapshot(seal_snapshot(repository, snapshot))
    assert [found.tags for _, found in repository.snapshots()] == [(str(n),) for n in range(5)]


def test_documents_of_snapshots_are_read_once_but_by_who_lists_what_is_there(
    store: MemoryObjectStore,
) -> None:
    """Their names say what is in them; a check wants to see it all the same."""
    for number in (b"1", b"2"):
        back_up(store, {b"a": number})
    repository = Repository.open(store, PASSWORD)
    first, second = [identity for identity, _ in repository.snapshots()]
    name = f"snapshots/{first}"
    stored = store.get(name)
    store.put(name, stored[:-1] + bytes([stored[-1] ^ 1]))
    for known in (repository, repository.anew(), repository.again(store)):
        assert [identity for identity, _ in known.snapshots()] == [first, second]
        assert [found.snapshot_id for found in known.list_snapshots().unreadable] == [first]
    store.delete(name)
    assert [identity for identity, _ in repository.snapshots()] == [second]
    store.put(name, stored)
    assert [identity for identity, _ in repository.anew().snapshots()] == [first, second]


def test_errors_of_the_store_are_not_taken_for_a_wrong_password(store: MemoryObjectStore) -> None:
    """Who may not read the bucket learns just that."""
    Repository.create(store, PASSWORD)

    class Refusing(FailingStore):
        def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
            if name.startswith("keys/"):
                raise DeniedError("these credentials may not read keys")
            return super().get(name, offset=offset, length=length)

    with pytest.raises(AppShieldError, match="credentials"):
        Repository.open(Refusing(store, 1), PASSWORD)


def test_a_new_repository_is_sound(store: MemoryObjectStore) -> None:
    """Nothing is missing in an empty one."""
    report = check(Repository.create(store, PASSWORD), read_data=True)
    assert (report.is_sound, report.warnings, report.snapshots) == (True, (), 0)
