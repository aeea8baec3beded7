"""A repository survives the loss of its config and of its key files, and gets them back."""

import msgspec
import pytest

from appshield.errors import DamagedError, DeniedError, InvalidInputError, NotFoundError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository, check
from appshield.repository.recovering import Recovery, mend
from failing_store import StoreAround, names_in
from repository_content import PASSWORD, back_up, noise

FILES = {b"one": noise(50_000, 1)}
DAMAGES = ["flipped", "cut off", "missing"]


class Place:
    """A repository with a version, and what was kept beside it."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore()
        self.tree = back_up(self.store, FILES)
        repository = Repository.open(self.store, PASSWORD)
        self.config = repository.config
        self.kept = msgspec.json.encode(Recovery.of(repository))

    def hurt(self, name: str, damage: str) -> None:
        stored = bytearray(self.store.get(name))
        self.store.delete(name)
        if damage == "flipped":
            stored[len(stored) // 2] ^= 1
            self.store.put(name, bytes(stored))
        elif damage == "cut off":
            self.store.put(name, bytes(stored[: len(stored) // 2]))

    @property
    def key_files(self) -> list[str]:
        return names_in(self.store, "keys")

    def recovered(self) -> Repository:
        return msgspec.json.decode(self.kept, type=Recovery).open(self.store)

    def assert_whole(self) -> None:
        """It opens with its password as the same repository, and a check finds nothing."""
        repository = Repository.open(self.store, PASSWORD)
        assert repository.config == self.config
        report = check(repository, read_data=True)
        assert (report.errors, report.warnings) == ((), ())
        reader = Reader(repository)
        assert b"".join(reader.iter_file(reader.find(self.tree, b"one"))) == FILES[b"one"]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("lost", [("config",), ("keys",), ("config", "keys")], ids=" and ".join)
def test_what_is_lost_is_found_by_name_and_comes_back(
    place: Place, lost: tuple[str, ...], damage: str
) -> None:
    """The key and the config are those of before, so all versions can be read."""
    (key_file,) = place.key_files
    hurt = {key_file if name == "keys" else name for name in lost}
    for name in hurt:
        place.hurt(name, damage)
    with pytest.raises((DamagedError, DeniedError, NotFoundError)):
        Repository.open(place.store, PASSWORD)

    repository = place.recovered()
    named = {finding.file for finding in check(repository).errors}
    assert named == {"keys" if name == key_file and damage == "missing" else name for name in hurt}
    changed = mend(repository, PASSWORD)

    removed = hurt - {"config"} if damage != "missing" else set()
    written = set(place.key_files) - {key_file}
    assert set(changed) == removed | written | hurt & {"config"}
    assert len(place.key_files) == 1
    place.assert_whole()
    assert mend(repository, PASSWORD) == ()


def test_key_files_of_other_passwords_stay(place: Place) -> None:
    """Only what is damaged goes."""
    (ours,) = place.key_files
    mend(place.recovered(), "another password")
    (other,) = set(place.key_files) - {ours}
    place.hurt(ours, "flipped")
    mend(place.recovered(), PASSWORD)
    assert other in place.key_files
    assert ours not in place.key_files
    place.assert_whole()
    Repository.open(place.store, "another password")


def test_who_may_not_delete_mends_all_the_same(place: Place) -> None:
    """A damaged key file is then left, and the next check names it."""

    class WriteOnly(StoreAround):
        def delete(self, name: str) -> None:
            raise DeniedError(f"{name} cannot be deleted with these credentials")

    (ours,) = place.key_files
    place.hurt(ours, "cut off")
    repository = place.recovered()
    (written,) = mend(repository.again(WriteOnly(place.store)), PASSWORD)
    assert sorted(place.key_files) == sorted([ours, written])
    assert [found.file for found in check(Repository.open(place.store, PASSWORD)).errors] == [ours]


def test_a_config_of_another_version_is_not_replaced(place: Place) -> None:
    """It is not damaged: somebody has gone on to another format."""
    repository = place.recovered()
    other = msgspec.structs.replace(repository.config, version=3)
    sealed = bytes(repository.key.seal(msgspec.json.encode(other)))
    place.store.put("config", sealed)
    with pytest.raises(InvalidInputError, match="version 3"):
        mend(repository, PASSWORD)
    assert place.store.get("config") == sealed


def test_what_is_kept_tells_no_secret_by_its_representation(place: Place) -> None:
    """It may come into a log or a traceback."""
    recovery = msgspec.json.decode(place.kept, type=Recovery)
    secrets = (recovery.key.encrypt, recovery.key.mac_k, recovery.key.mac_r)
    assert not [part for part in secrets if repr(part)[2:-1] in repr(recovery)]


def test_creating_again_where_the_config_is_lost_keeps_the_key(place: Place) -> None:
    """Another key would hide every version for good."""
    place.store.delete("config")
    before = place.recovered().key.encrypt
    repository = Repository.create(place.store, PASSWORD)
    assert repository.key.encrypt == before
    assert len(repository.snapshots()) == len(place.key_files) == 1
    assert check(repository, read_data=True).is_sound


@pytest.mark.parametrize("damage", ["flipped", "cut off"])
def test_nothing_is_created_over_keys_that_do_not_open(place: Place, damage: str) -> None:
    """Whatever is sealed by them could never be read again."""
    (key_file,) = place.key_files
    place.hurt(key_file, damage)
    place.store.delete("config")
    for password in (PASSWORD, "another password"):
        with pytest.raises(DeniedError, match="lost its config") as caught:
            Repository.create(place.store, password)
        assert key_file in str(caught.value)
    assert names_in(place.store, "keys") == [key_file]
    assert place.store.size("config") is None
