"""Copying between two Vaults as the uploader does it, in memory: once, whole, with its promises."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from appshield.capture.layout import app_tag, run_tag, version_tag
from appshield.contracts.agents import CommitRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import CopyVersion, NamedVersion, VersionCopied
from appshield.contracts.streams import COMMITS, REPOSITORY_LOCKS
from appshield.custody import Custody
from appshield.errors import DamagedError, NotFoundError, UnavailableError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import (
    Reader,
    RepositoryLock,
    RepositoryLockedError,
    SnapshotDocument,
    check,
)
from appshield.uploader.copying import Copying
from appshield.vault import ApplicationIdentity
from failing_store import names_in
from repository_content import SWIFT, noise
from two_vaults import APP_ID, NOW, TwoVaults
from wanted_step import WantedStep

APP = AppRef(cluster="test", namespace="shop", name="shop")


class Places(TwoVaults):
    """One application in the Vault `main`, which is copied to the Vault `other`."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[int, NamedVersion] = {}

    def back_up(self, number: int) -> VersionFacts:
        """Make a version in the first Vault as a commit does."""
        facts = VersionFacts(
            app=APP,
            app_id=APP_ID,
            uid="uid-1",
            number=number,
            run=f"b-{number}",
            revision="r1",
            consistency="crash-group",
            cut_at=NOW,
            trigger="manual",
        )
        files = {
            "appshield/version.json": msgspec.json.encode(facts),
            "volumes/data/own": noise(40_000, number),
            "volumes/data/same": noise(40_000, 99),
        }
        snapshot_id = self.publish(files, app_tag(APP_ID), version_tag(number), run_tag(facts.run))
        self.versions[number] = NamedVersion(number=number, snapshot_id=snapshot_id)
        self.shelf("main").write_identity(
            ApplicationIdentity(
                app_id=APP_ID,
                cluster="test",
                namespace="shop",
                name="shop",
                uid="uid-1",
                minted_at=NOW,
            )
        )
        return facts

    async def copy(
        self, number: int, *, worker: str = "w", run: str = "copy-1", dies: bool = False
    ) -> VersionCopied:
        """Copy a version as one uploader."""
        order = CopyVersion(
            app=APP,
            run=run,
            step="copy",
            attempt=1,
            epoch=1,
            app_id=APP_ID,
            vault="other",
            source="main",
            version=self.versions[number],
        )
        custody = Custody(bus=self.bus, vaults=self, worker=worker)
        return await Copying(bus=self.bus, custody=custody).copy(order, WantedStep(dies=dies))

    def copies(self) -> list[tuple[str, SnapshotDocument]]:
        """List what is in the second Vault; all of it is whole."""
        repository = self.repository("other")
        assert check(repository, read_data=True).errors == ()
        return repository.snapshots()

    def locks(self) -> list[str]:
        """Name the locks that are left in both."""
        folder = f"applications/{APP_ID}/repository/locks"
        return [name for store in self.stores.values() for name in names_in(store, folder)]


@pytest.fixture
def places() -> Places:
    return Places()


async def test_a_copy_is_the_same_version_under_its_own_name(places: Places) -> None:
    """Tree, time and tags are those of the first; `original` tells whose copy it is."""
    facts = places.back_up(1)
    copied = await places.copy(1)
    [(snapshot_id, document)] = places.copies()
    assert (copied.snapshot_id, copied.facts, copied.vault) == (snapshot_id, facts, "other")
    [(first, original)] = places.repository("main").snapshots()
    assert document.original == first == places.versions[1].snapshot_id
    assert replace(document, original=None) == original
    reader = Reader(places.repository("other"))
    node = reader.find(document.tree_id, "volumes/data/own")
    assert b"".join(reader.iter_file(node)) == noise(40_000, 1)
    assert copied.bytes_copied > 80_000
    assert places.locks() == []


async def test_the_next_version_sends_what_is_new_of_it(places: Places) -> None:
    """What versions share is sent once."""
    places.back_up(1)
    places.back_up(2)
    await places.copy(1)
    second = await places.copy(2, run="copy-2")
    assert 40_000 < second.bytes_copied < 45_000
    assert len(places.copies()) == 2


async def test_what_finds_the_version_again_is_in_the_second_vault_too(places: Places) -> None:
    """Identity, highest number and pin: a lost first Vault takes nothing with it."""
    places.back_up(3)
    places.shelf("main").pin(3, by="a person")
    await places.copy(3)
    shelf = places.shelf("other")
    assert shelf.identity() == places.shelf("main").identity()
    assert shelf.highest_version() == 3
    assert shelf.pins() == {3}
    assert shelf.repository_password() != places.shelf("main").repository_password()
    config = places.repository("other").config
    assert config.chunker_polynomial == places.repository("main").config.chunker_polynomial


async def test_two_uploaders_that_copy_at_once_make_one_copy(places: Places) -> None:
    """Both answer with the same snapshot."""
    places.back_up(1)
    answers = await asyncio.gather(places.copy(1, worker="a"), places.copy(1, worker="b"))
    assert len({one.snapshot_id for one in answers}) == 1
    assert [snapshot for snapshot, _ in places.copies()] == [answers[0].snapshot_id]


async def test_after_the_record_was_lost_the_copy_is_found_in_the_repository(
    places: Places,
) -> None:
    """The bucket is the truth; also a later run finds it and sends nothing."""
    places.back_up(1)
    first = await places.copy(1)
    commits = places.bus.bucket(COMMITS, CommitRecord)
    for key in await commits.keys():
        await commits.delete(key)
    again = await places.copy(1, run="copy-2")
    assert (again.snapshot_id, again.bytes_copied) == (first.snapshot_id, 0)
    assert len(places.copies()) == 1


async def test_a_later_run_publishes_the_document_that_a_killed_one_sealed(
    places: Places,
) -> None:
    """Its name was promised; a worker that wakes up writes the same bytes."""
    places.back_up(1)
    with pytest.raises(UnavailableError):
        await places.copy(1, dies=True)
    assert places.copies() == []
    [key] = await places.bus.bucket(COMMITS, CommitRecord).keys()
    record = await places.bus.bucket(COMMITS, CommitRecord).get(key)
    assert record is not None
    again = await places.copy(1, run="copy-2")
    assert (again.snapshot_id, again.bytes_copied) == (record.value.snapshot_id, 0)


async def test_a_bucket_that_was_made_anew_is_filled_again(places: Places) -> None:
    """What was sealed for the repository that is gone is sealed anew."""
    places.back_up(1)
    first = await places.copy(1)
    places.stores["other"] = MemoryObjectStore()
    places.vault("other").initialize()
    again = await places.copy(1, run="copy-2")
    assert again.snapshot_id != first.snapshot_id
    assert [snapshot for snapshot, _ in places.copies()] == [again.snapshot_id]


async def test_a_version_that_is_gone_in_the_source_is_told(places: Places) -> None:
    """With what to do."""
    places.back_up(1)
    places.versions[1] = NamedVersion(number=1, snapshot_id="0" * 64)
    with pytest.raises(NotFoundError, match="version 1 of shop/shop is not in Vault main"):
        await places.copy(1)
    assert places.locks() == []


async def test_damage_in_the_source_is_told_with_its_path_and_not_copied(places: Places) -> None:
    """No document of it comes into being."""
    places.back_up(1)
    repository = places.repository("main")
    [(_, document)] = repository.snapshots()
    node = Reader(repository).find(document.tree_id, "volumes/data/own")
    place = repository.index.lookup("data", (node.content or ())[0])
    assert place is not None
    folder = f"applications/{APP_ID}/repository/data"
    name = f"{folder}/{place.pack_id[:2]}/{place.pack_id}"
    stored = bytearray(places.stores["main"].get(name))
    stored[place.entry.offset + 20] ^= 1
    places.stores["main"].put(name, bytes(stored))
    with pytest.raises(DamagedError, match="volumes/data/own: data blob"):
        await places.copy(1)
    assert places.copies() == []
    assert places.locks() == []


async def test_a_copy_waits_for_whoever_holds_a_repository_alone(places: Places) -> None:
    """In either Vault; nothing is written meanwhile, and no lock of ours is left."""
    places.back_up(1)
    await places.copy(1)
    places.back_up(2)
    for name in ("main", "other"):
        repository = places.repository(name)
        with RepositoryLock.acquire(repository, exclusive=True, owner="prune", timing=SWIFT):
            with pytest.raises(RepositoryLockedError):
                await places.copy(2, run="copy-2")
            assert len(places.locks()) == 1
    assert len(places.copies()) == 1


async def test_both_locks_of_a_copy_are_on_record(places: Places) -> None:
    """So that a successor removes them when the worker has died."""
    places.back_up(1)
    written: list[str] = []
    records = places.bus.bucket(REPOSITORY_LOCKS, CommitRecord)
    put = type(records).put

    async def noted(self: Any, key: str, value: Any) -> int:
        vault = getattr(value, "vault", "")
        if vault:
            written.append(vault)
        revision: int = await put(self, key, value)
        return revision

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(type(records), "put", noted)
        await places.copy(1)
    assert set(written) == {"main", "other"}
    assert await records.keys() == []
