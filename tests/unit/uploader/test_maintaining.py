"""Forget, prune, check, repair and pin as the uploader does them, in a repository in memory."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.capture.layout import version_tag
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import (
    CheckRepository,
    ForgetVersions,
    NamedVersion,
    PinVersion,
    PruneProgress,
    PruneRepository,
    RepairRepository,
    RepositoryChecked,
    RepositoryPruned,
    RepositoryRepaired,
    VersionsForgotten,
)
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import RUNS
from appshield.custody import Custody
from appshield.errors import NotFoundError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import (
    Repository,
    RepositoryLock,
    RepositoryLockedError,
    Writer,
    check,
    seal_snapshot,
)
from appshield.uploader.checking import Checking
from appshield.uploader.forgetting import Forgetting
from appshield.uploader.pinning import Pinning
from appshield.uploader.pruning import Pruning
from appshield.uploader.repairing import Repairing
from appshield.vault import Vault
from failing_store import names_in
from memory_bus import MemoryBus
from repository_content import SWIFT, document, noise, store_files
from wanted_step import WantedStep

APP = AppRef(cluster="test", namespace="shop", name="shop")
ORDER: dict[str, Any] = {
    "app": APP,
    "run": "run",
    "step": "step",
    "attempt": 1,
    "epoch": 1,
    "app_id": "a-1",
    "vault": "main",
}
PACKS = "applications/a-1/repository/data"
INDEXES = "applications/a-1/repository/index"


class Place:
    """One application in one Vault."""

    def __init__(self) -> None:
        self.bus = MemoryBus("uploader")
        self.store = MemoryObjectStore()
        self.vault = Vault(self.store, bytes(32), "main")
        self.vault.initialize()
        self.restart()
        self.versions: dict[int, NamedVersion] = {}

    def restart(self) -> None:
        """Go on as a worker that has opened nothing yet."""
        self.custody = Custody(bus=self.bus, vaults=self, worker="w")

    async def open(self, name: str) -> Vault:
        return self.vault

    @property
    def shelf(self) -> Any:
        return self.vault.application("a-1")

    def repository(self) -> Repository:
        return Repository.create(self.shelf.repository_store, self.shelf.repository_password())

    def back_up(self, number: int) -> None:
        """Make a version with a file of its own and one that all share."""
        repository = self.repository()
        files = {b"own": noise(40_000, number), b"same": noise(40_000, 99)}
        with RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock:
            with Writer(repository, lock) as writer:
                tree = store_files(writer, files)
            sealed = seal_snapshot(repository, document(tree, version_tag(number)))
            repository.publish_snapshot(sealed, lock=lock)
        self.versions[number] = NamedVersion(number=number, snapshot_id=sealed.snapshot_id)

    def place_of(self, number: int) -> tuple[str, int]:
        """Find the pack that holds the version's own file, and where in it."""
        repository = self.repository()
        index = repository.load_index()
        from appshield.repository import Reader

        found = dict(repository.snapshots())[self.versions[number].snapshot_id]
        node = Reader(repository, index=index).find(found.tree_id, b"own")
        place = index.lookup("data", (node.content or ())[0])
        assert place is not None
        return f"{PACKS}/{place.pack_id[:2]}/{place.pack_id}", place.entry.offset

    def damage(self, number: int) -> None:
        """Flip a bit in the pack that holds the version's own file."""
        name, offset = self.place_of(number)
        stored = bytearray(self.store.get(name))
        stored[offset + 20] ^= 1
        self.store.put(name, bytes(stored))

    async def forget(self, *numbers: int, even_last: bool = False) -> VersionsForgotten:
        named = tuple(self.versions[number] for number in numbers)
        order = ForgetVersions(**ORDER, versions=named, even_last=even_last)
        return await Forgetting(self.custody).forget(order, WantedStep())

    async def check(self, part: int = 0, parts: int = 0) -> RepositoryChecked:
        order = CheckRepository(**ORDER, part=part, parts=parts)
        return await Checking(self.custody).check(order, WantedStep())

    async def prune(self, grace_s: float = 0) -> RepositoryPruned:
        order = PruneRepository(**ORDER, grace_s=grace_s)
        return await Pruning(bus=self.bus, custody=self.custody).prune(order, WantedStep())

    async def repair(self) -> RepositoryRepaired:
        order = RepairRepository(**ORDER)
        return await Repairing(self.custody).repair(order, WantedStep())

    async def pin(self, number: int, *, pinned: bool = True) -> None:
        order = PinVersion(**ORDER, version=self.versions[number], pinned=pinned, actor="me")
        await Pinning(self.custody).pin(order, WantedStep())

    async def ask_to_give_way(self) -> None:
        """Let the run say that a backup waits."""
        now = datetime.now(UTC)
        run = Run(
            id="run",
            kind="prune",
            app=APP,
            app_id="a-1",
            vault="main",
            trigger=Trigger(kind="upkeep", identity="one"),
            state="running",
            epoch=1,
            requested_at=now,
            prune=PruneProgress(gives_way=True),
        )
        await self.bus.bucket(RUNS, Run).put("run", run)

    def snapshots(self) -> list[str]:
        return [identity for identity, _ in self.repository().snapshots()]

    def pack_bytes(self) -> int:
        return sum(one.size_bytes for one in self.store.list(PACKS))


@pytest.fixture
def place() -> Place:
    made = Place()
    for number in (1, 2, 3):
        made.back_up(number)
    return made


async def test_forgotten_versions_are_gone_and_forgetting_again_changes_nothing(
    place: Place,
) -> None:
    """The others stay as they are."""
    for _ in range(2):
        done = await place.forget(1, 2)
        assert done.versions == (place.versions[1], place.versions[2])
        assert place.snapshots() == [place.versions[3].snapshot_id]
    assert check(place.repository(), read_data=True).is_sound


async def test_a_pinned_version_stays_whoever_orders_otherwise(place: Place) -> None:
    """The pin is looked at while nobody else holds the repository."""
    await place.pin(1)
    done = await place.forget(1, 2, even_last=True)
    assert done.versions == (place.versions[2],)
    assert done.kept == ("version 1: it is pinned",)
    await place.pin(1, pinned=False)
    assert (await place.forget(1)).kept == ()


async def test_the_last_good_version_stays_unless_even_that_is_to_go(place: Place) -> None:
    """What counts as good is what the last check left."""
    place.damage(3)
    await place.check(parts=1)
    done = await place.forget(1, 2)
    assert done.kept == ("version 2: it is the last good one",)
    assert done.versions == (place.versions[1],)
    assert (await place.forget(2, 3, even_last=True)).kept == ()
    assert place.snapshots() == []


async def test_a_version_that_is_gone_cannot_be_pinned(place: Place) -> None:
    """Nothing is believed to be kept that is not."""
    await place.forget(1)
    with pytest.raises(NotFoundError):
        await place.pin(1)
    assert place.shelf.pins() == frozenset()


async def test_a_check_names_the_version_and_the_path_and_the_record_outlives_it(
    place: Place,
) -> None:
    """A check that does not read that data again keeps what is known; a whole one decides."""
    assert (await place.check(parts=1)).verified == (1, 2, 3)
    place.damage(2)
    found = await place.check(parts=1)
    assert [(one.number, one.snapshot_id) for one in found.damage] == [
        (2, place.versions[2].snapshot_id)
    ]
    assert found.damage[0].paths == ("own", "sub/own")
    assert found.verified == (1, 3)
    assert found.problems_total > 0
    assert (await place.check()).damage == found.damage
    place.damage(2)  # the bit is turned back
    assert (await place.check()).damage == found.damage
    assert (await place.check(parts=1)).damage == ()
    assert (await place.check()).damage == ()


async def test_samples_of_all_parts_find_any_damage(place: Place) -> None:
    """Each pack is read by one of them."""
    place.damage(2)
    found = [await place.check(part, parts=5) for part in range(1, 6)]
    assert [one.number for one in found[-1].damage] == [2]
    assert sum(one.bytes_read for one in found) >= place.pack_bytes()


async def test_pruning_frees_what_only_forgotten_versions_had(place: Place) -> None:
    """Without grace at once; what is left is whole."""
    before = place.pack_bytes()
    await place.forget(1, 2)
    done = await place.prune()
    assert not done.gave_way
    assert place.pack_bytes() < before - 70_000
    assert done.bytes_freed > 70_000
    assert check(place.repository(), read_data=True).is_sound
    assert names_in(place.store, "applications/a-1/repository/locks") == []


async def test_pruning_removes_what_was_staged_for_a_run_that_has_ended(place: Place) -> None:
    """A worker that was stopped until then staged it, and nobody will ask for it."""
    shelf = place.vault.application("a-1")
    shelf.stage("b-long-gone", b"content")
    await place.prune()
    assert shelf.staging() == []


async def test_within_its_grace_nothing_is_deleted(place: Place) -> None:
    """It is told how much waits, so that the next prune is planned."""
    before = place.pack_bytes()
    await place.forget(1, 2)
    done = await place.prune(grace_s=3600)
    assert place.pack_bytes() >= before
    assert done.bytes_waiting > 0
    again = await place.prune()
    assert again.bytes_waiting == 0
    assert place.pack_bytes() < before
    assert check(place.repository(), read_data=True).is_sound


async def test_a_prune_that_is_asked_to_give_way_stops_and_the_next_one_goes_on(
    place: Place,
) -> None:
    """Whatever it left is valid."""
    await place.forget(1, 2)
    await place.ask_to_give_way()
    done = await place.prune()
    assert done.gave_way
    assert check(place.repository(), read_data=True).is_sound
    await place.bus.bucket(RUNS, Run).delete("run")
    assert not (await place.prune()).gave_way


@pytest.mark.parametrize("work", ["forget", "prune", "repair"])
async def test_who_removes_holds_the_repository_alone(place: Place, work: str) -> None:
    """A backup that runs, or a stock client, is never pulled the ground from under."""
    repository = place.repository()
    lock = await asyncio.to_thread(
        RepositoryLock.acquire, repository, owner="another", timing=SWIFT
    )
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "forget": lambda: place.forget(1),
        "prune": place.prune,
        "repair": place.repair,
    }
    with pytest.raises(RepositoryLockedError):
        await works[work]()
    await asyncio.to_thread(lock.release)
    assert len(place.snapshots()) == 3


async def test_a_check_goes_together_with_a_backup(place: Place) -> None:
    """It holds the repository as a reader does."""
    repository = place.repository()
    lock = await asyncio.to_thread(
        RepositoryLock.acquire, repository, owner="another", timing=SWIFT
    )
    assert (await place.check()).damage == ()
    await asyncio.to_thread(lock.release)


async def test_a_damaged_document_of_a_version_is_its_damage(place: Place) -> None:
    """It has no number any more, but its name is known to the catalog."""
    name = f"applications/a-1/repository/snapshots/{place.versions[2].snapshot_id}"
    place.store.put(name, place.store.get(name)[:-1])
    found = await place.check()
    assert [(one.number, one.snapshot_id) for one in found.damage] == [
        (0, place.versions[2].snapshot_id)
    ]
    assert replace(found.damage[0], paths=()).paths_total == 1


async def test_lost_and_damaged_index_files_are_made_anew_from_the_packs(place: Place) -> None:
    """Every version is whole again; once more, and there is nothing to do."""
    first, second, *_ = place.store.list(INDEXES)
    place.store.delete(first.name)
    place.store.put(second.name, place.store.get(second.name)[:-1])
    assert not check(place.repository(), read_data=True).is_sound
    done = await place.repair()
    assert done.named_total > 0
    assert done.damaged_indexes == (second.name.rpartition("/")[2],)
    assert (done.dropped_total, done.unreadable_total) == (0, 0)
    assert check(place.repository(), read_data=True).is_sound
    again = await place.repair()
    assert (again.named_total, again.damaged_indexes_total) == (0, 0)


async def test_what_a_lost_pack_held_stays_lost_and_a_check_says_of_which_version(
    place: Place,
) -> None:
    """The index no longer promises it; the other versions are whole."""
    place.store.delete(place.place_of(2)[0])
    done = await place.repair()
    assert done.dropped_total == 1
    assert [one.number for one in (await place.check(parts=1)).damage] == [2]


@pytest.mark.parametrize("lost", ["config", "keys", "config and keys"])
async def test_a_repository_without_config_and_keys_is_checked_and_repaired(
    place: Place, lost: str
) -> None:
    """What is kept beside it opens it: the check names what is lost, and nothing of a version."""
    async with place.custody.held("main", "a-1", create=True):
        pass
    folder = "applications/a-1/repository"
    for found in list(place.store.list(folder)):
        name = found.name.removeprefix(f"{folder}/")
        if name.partition("/")[0] in lost:
            place.store.delete(found.name)
    place.restart()
    checked = await place.check(parts=1)
    assert checked.verified == (1, 2, 3)
    assert {problem.partition(":")[0] for problem in checked.problems} == set(lost.split(" and "))
    done = await place.repair()
    kinds = {name.partition("/")[0] for name in done.opening}
    assert kinds == set(lost.split(" and "))
    assert check(place.repository(), read_data=True).is_sound
    assert (await place.repair()).opening == ()


async def test_a_backup_mends_what_opens_the_repository(place: Place) -> None:
    """The next one to come with the password alone reads every version."""
    async with place.custody.held("main", "a-1", create=True):
        pass
    place.store.delete("applications/a-1/repository/config")
    place.restart()
    async with place.custody.held("main", "a-1", create=True) as held:
        key = held.repository.key.encrypt
    opened = Repository.open(place.shelf.repository_store, place.shelf.repository_password())
    assert opened.key.encrypt == key
    assert len(opened.snapshots()) == len(place.versions)


async def test_what_is_kept_for_recovery_is_sealed_and_made_anew_when_damaged(
    place: Place,
) -> None:
    """Whoever reads the bucket cannot open a repository with it."""
    async with place.custody.held("main", "a-1", create=True) as held:
        key = held.repository.key.encrypt
    name = "applications/a-1/recovery"
    kept = place.shelf.recovery()
    assert base64.b64encode(key) in kept
    assert key not in place.store.get(name)
    place.store.put(name, b"damaged")
    place.restart()
    async with place.custody.held("main", "a-1", create=True):
        pass
    assert place.shelf.recovery() == kept
