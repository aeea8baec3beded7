"""Healing one Vault from another as the uploader does it, in memory: content and documents."""

import pytest
from msgspec.structs import replace

from appshield.capture.layout import run_tag, version_tag
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import (
    KnownVersion,
    RepairRepository,
    RepositoryRepaired,
)
from appshield.custody import Custody
from appshield.errors import UnavailableError
from appshield.repository import (
    Reader,
    Repository,
    RepositoryLock,
    SnapshotDocument,
    check,
    copy_tree,
    seal_snapshot,
)
from appshield.uploader.findings import THE_DOCUMENT, known_damage
from appshield.uploader.repairing import Repairing
from appshield.vault import Vault
from failing_store import names_in
from repository_content import SWIFT, noise
from two_vaults import APP_ID, TwoVaults
from wanted_step import WantedStep

APP = AppRef(cluster="test", namespace="shop", name="shop")
OWN = "volumes/data/own"


class Places(TwoVaults):
    """An application with two versions in the Vault `main`, and copies of both in `other`."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[int, KnownVersion] = {}
        self.away: set[str] = set()
        for number in (1, 2):
            self._back_up(number)
        self._copy()

    async def open(self, name: str) -> Vault:
        if name in self.away:
            raise UnavailableError(f"Vault {name} does not answer")
        return self.vault(name)

    async def repair(self) -> RepositoryRepaired:
        order = RepairRepository(
            app=APP,
            run="repair-1",
            step="repair",
            attempt=1,
            epoch=1,
            app_id=APP_ID,
            vault="main",
            others=("other",),
            versions=tuple(self.versions.values()),
        )
        custody = Custody(bus=self.bus, vaults=self, worker="w")
        return await Repairing(custody).repair(order, WantedStep())

    def damage_own(self, number: int, name: str = "main") -> None:
        """Flip a bit of a version's own file."""
        repository = self.repository(name)
        document = self._document(repository, number)
        node = Reader(repository).find(document.tree_id, OWN)
        place = repository.index.lookup("data", (node.content or ())[0])
        assert place is not None
        store = self.shelf(name).repository_store
        pack = f"data/{place.pack_id[:2]}/{place.pack_id}"
        stored = bytearray(store.get(pack))
        stored[place.entry.offset + 20] ^= 1
        store.put(pack, bytes(stored))

    def damage_document(self, number: int) -> None:
        store = self.shelf().repository_store
        name = f"snapshots/{self.versions[number].snapshot_id}"
        stored = bytearray(store.get(name))
        stored[40] ^= 1
        store.put(name, bytes(stored))

    def holds_all(self) -> None:
        """Make sure that nothing is wrong and both versions read back."""
        repository = self.repository()
        assert check(repository, read_data=True).errors == ()
        for number in (1, 2):
            reader = Reader(repository)
            node = reader.find(self._document(repository, number).tree_id, OWN)
            assert b"".join(reader.iter_file(node)) == noise(40_000, number)

    def _document(self, repository: Repository, number: int) -> SnapshotDocument:
        [(_, document)] = repository.snapshots_with_tag(version_tag(number))
        return document

    def _back_up(self, number: int) -> None:
        files = {OWN: noise(40_000, number), "volumes/data/same": noise(40_000, 99)}
        snapshot_id = self.publish(files, version_tag(number), run_tag(f"b-{number}"))
        self.versions[number] = KnownVersion(
            number=number, snapshot_id=snapshot_id, run=f"b-{number}"
        )

    def _copy(self) -> None:
        source, target = self.repository(), self.repository("other")
        with RepositoryLock.acquire(target, owner="copy", timing=SWIFT) as lock:
            for snapshot_id, document in source.snapshots():
                copy_tree(source, target, lock, document.tree_id)
                copied = replace(document, original=snapshot_id)
                target.publish_snapshot(seal_snapshot(target, copied), lock=lock)


@pytest.fixture
def places() -> Places:
    return Places()


async def test_damaged_content_is_brought_and_the_record_of_damage_is_taken_back(
    places: Places,
) -> None:
    """All was read for it, so both versions count as verified."""
    places.damage_own(1)
    done = await places.repair()
    assert done.healed is not None
    assert (done.healed.sources, done.healed.unused) == (("other",), ())
    assert (done.healed.brought, done.healed.replaced) == (1, 1)
    assert (done.healed.damage, done.healed.verified) == ((), (1, 2))
    assert known_damage(places.shelf()) == ()
    places.holds_all()


@pytest.mark.parametrize("how", ["damaged", "gone"])
async def test_a_lost_document_is_written_again_with_all_that_it_needs(
    places: Places, how: str
) -> None:
    """It says what it was called; the damaged one is gone; another repair finds nothing to do."""
    before = places.versions[2]
    places.damage_own(2)
    if how == "damaged":
        places.damage_document(2)
    else:
        places.shelf().repository_store.delete(f"snapshots/{before.snapshot_id}")
    done = await places.repair()
    assert done.healed is not None
    [named] = done.healed.documents
    assert (named.number, named.snapshot_id != before.snapshot_id) == (2, True)
    [(name, document)] = places.repository().snapshots_with_tag(version_tag(2))
    assert (name, document.original) == (named.snapshot_id, before.snapshot_id)
    assert len(names_in(places.shelf().repository_store, "snapshots")) == 2
    places.holds_all()
    again = await places.repair()  # as after a kill: the catalog knows the old name still
    assert again.healed is not None
    assert (again.healed.documents, again.healed.brought) == ((named,), 0)


async def test_what_is_damaged_in_both_is_named_and_recorded(places: Places) -> None:
    """By version and path; the other version is verified."""
    for name in ("main", "other"):
        places.damage_own(1, name)
    done = await places.repair()
    assert done.healed is not None
    [damage] = done.healed.damage
    assert (damage.number, damage.paths) == (1, (OWN,))
    assert done.healed.verified == (2,)
    assert known_damage(places.shelf()) == done.healed.damage


async def test_a_document_whose_other_copy_is_not_whole_stays_damaged(places: Places) -> None:
    """A version comes back as a whole or not at all."""
    places.damage_document(1)
    places.damage_own(1, "other")
    for name in names_in(places.shelf().repository_store, "data"):
        places.shelf().repository_store.delete(name)
    done = await places.repair()
    assert done.healed is not None
    assert done.healed.documents == ()
    [damage] = done.healed.damage
    assert (damage.snapshot_id, damage.paths) == (places.versions[1].snapshot_id, (THE_DOCUMENT,))


async def test_a_vault_that_is_away_is_told_and_damage_is_named_all_the_same(
    places: Places,
) -> None:
    """The index is repaired, and what was found is recorded."""
    places.damage_own(1)
    places.away.add("other")
    done = await places.repair()
    assert done.healed is not None
    assert done.healed.unused == ("other: Vault other does not answer",)
    assert [one.number for one in done.healed.damage] == [1]


async def test_no_lock_is_left_in_either_vault(places: Places) -> None:
    """Both repositories were held."""
    places.damage_own(1)
    await places.repair()
    folder = f"applications/{APP_ID}/repository/locks"
    assert [name for store in places.stores.values() for name in names_in(store, folder)] == []
