"""What a shelf keeps, alone and when several use it at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from appshield.errors import DamagedError, DeniedError, InvalidInputError, NotFoundError
from appshield.objectstore import MemoryObjectStore, ObjectMissingError
from appshield.vault import ApplicationIdentity, ApplicationShelf, Vault
from failing_store import StoreAround

ROOT_KEY = bytes(range(32))
IDENTITY = ApplicationIdentity(
    "a-1", "cluster", "shop", "web", "uid-1", datetime(2026, 11, 1, tzinfo=UTC)
)


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def shelf(store: MemoryObjectStore) -> ApplicationShelf:
    vault = Vault(store, ROOT_KEY, "main")
    vault.initialize()
    return vault.application("a-1")


def same_shelf(store: MemoryObjectStore) -> ApplicationShelf:
    """As another process sees it."""
    return Vault(store, ROOT_KEY, "main").application("a-1")


def test_an_identity_is_kept_and_found_again(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """Writing it again changes nothing."""
    assert shelf.identity() is None
    shelf.write_identity(IDENTITY)
    sealed = store.get("applications/a-1/identity")
    shelf.write_identity(IDENTITY)
    assert same_shelf(store).identity() == IDENTITY
    assert store.get("applications/a-1/identity") == sealed


def test_an_identity_stands_on_its_own_shelf_only(shelf: ApplicationShelf) -> None:
    """A mix-up of applications is refused."""
    with pytest.raises(InvalidInputError, match="a-2"):
        shelf.write_identity(
            ApplicationIdentity("a-2", "c", "n", "x", "u", datetime(2026, 1, 1, tzinfo=UTC))
        )


def test_an_identity_moved_to_another_shelf_does_not_open(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """Whoever can write the bucket cannot pass one application off as another."""
    shelf.write_identity(IDENTITY)
    store.put("applications/a-2/identity", store.get("applications/a-1/identity"))
    with pytest.raises(DamagedError, match="applications/a-2/identity"):
        Vault(store, ROOT_KEY, "main").application("a-2").identity()


def test_all_who_ask_first_get_the_same_password(store: MemoryObjectStore) -> None:
    """It is made once, strong, and is nowhere in the store in clear."""
    Vault(store, ROOT_KEY, "main").initialize()
    with ThreadPoolExecutor(8) as workers:
        passwords = set(workers.map(lambda _: same_shelf(store).repository_password(), range(16)))
    (password,) = passwords
    assert len(password) >= 40
    assert same_shelf(store).repository_password() == password
    assert not [f for f in store.list("") if password.encode() in store.get(f.name)]


def test_a_lost_password_is_not_replaced_while_the_repository_needs_it(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """A new one would hide the damage and open nothing."""
    shelf.repository_password()
    shelf.repository_store.put("config", b"sealed by restic")
    store.delete("applications/a-1/key")
    with pytest.raises(DamagedError, match="applications/a-1/key"):
        shelf.repository_password()


def test_the_highest_version_only_grows(shelf: ApplicationShelf, store: MemoryObjectStore) -> None:
    """Lower numbers change nothing, and one object remains."""
    assert shelf.highest_version() == 0
    for number in (1, 2, 10, 9, 3):
        shelf.raise_highest_version(number)
    assert same_shelf(store).highest_version() == 10
    assert [f.name for f in store.list("applications/a-1/highest")] == [
        "applications/a-1/highest/10"
    ]


def test_all_who_raise_at_once_leave_the_highest(store: MemoryObjectStore) -> None:
    """Whatever the order in which they come."""
    Vault(store, ROOT_KEY, "main").initialize()
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda n: same_shelf(store).raise_highest_version(n), range(1, 65)))
    assert same_shelf(store).highest_version() == 64


def test_whoever_may_not_delete_can_still_raise() -> None:
    """Credentials without the right to delete leave the lower numbers where they are."""

    class NoDeletes(StoreAround):
        def delete(self, name: str) -> None:
            raise DeniedError(f"{name} may not be deleted")

    store = NoDeletes(MemoryObjectStore())
    vault = Vault(store, ROOT_KEY, "main")
    vault.initialize()
    vault.application("a-1").raise_highest_version(1)
    vault.application("a-1").raise_highest_version(2)
    assert vault.application("a-1").highest_version() == 2


def test_a_highest_version_that_was_planted_is_found(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """A copy under a higher number does not open."""
    shelf.raise_highest_version(5)
    store.put("applications/a-1/highest/999", store.get("applications/a-1/highest/5"))
    with pytest.raises(DamagedError, match="highest/999"):
        shelf.highest_version()


def test_versions_are_pinned_and_unpinned(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """Each any number of times."""
    assert shelf.pins() == frozenset()
    for number in (3, 12, 3):
        shelf.pin(number, by="somebody")
    assert same_shelf(store).pins() == {3, 12}
    shelf.unpin(3)
    shelf.unpin(3)
    assert same_shelf(store).pins() == {12}


def test_staged_content_is_found_by_its_digest_until_the_run_ends(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """Several contents of a run do not touch each other, nor those of another run."""
    first, second = shelf.stage("b-1", b"first secret"), shelf.stage("b-1", b"second")
    other = shelf.stage("b-2", b"first secret")
    assert first == other
    assert same_shelf(store).staged("b-1", first) == b"first secret"
    assert same_shelf(store).staged("b-1", second) == b"second"
    names = " ".join(found.name for found in store.list(""))
    assert first not in names
    shelf.unstage("b-1")
    shelf.unstage("b-1")
    for digest in (first, second):
        with pytest.raises(ObjectMissingError):
            shelf.staged("b-1", digest)
    assert shelf.staged("b-2", other) == b"first secret"


def test_the_repository_lies_beside_the_rest(
    shelf: ApplicationShelf, store: MemoryObjectStore
) -> None:
    """In a folder of its own, unsealed by us: its format is restic's."""
    shelf.repository_store.put("data/ab/pack", b"x")
    assert store.get("applications/a-1/repository/data/ab/pack") == b"x"


@pytest.mark.parametrize("app_id", ["", "a/b", "..", ".x"])
def test_an_id_that_could_leave_its_shelf_is_refused(app_id: str) -> None:
    """Before anything is read or written."""
    with pytest.raises(InvalidInputError):
        Vault(MemoryObjectStore(), ROOT_KEY, "main").application(app_id)


def test_nothing_is_written_into_a_vault_that_was_not_set_up() -> None:
    """Every call says so, and leaves no object."""
    store = MemoryObjectStore()
    shelf = Vault(store, ROOT_KEY, "main").application("a-1")
    for ask in (
        shelf.repository_password,
        shelf.highest_version,
        shelf.pins,
        lambda: shelf.pin(1, by="x"),
        lambda: shelf.stage("run", b"x"),
        lambda: shelf.raise_highest_version(3),
    ):
        with pytest.raises(NotFoundError, match="Vault main is not set up"):
            ask()
    assert list(store.list("")) == []
