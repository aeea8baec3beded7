"""Damage of any file is found, and named with the file, the version and the path."""

import msgspec
import pytest

from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository, check, seal_snapshot
from appshield.repository.blobs import blob_id
from appshield.repository.index import IndexDocument, index_document
from appshield.repository.packs import PackEntry
from failing_store import names_in
from repository_content import PASSWORD, back_up, directory_node, document, noise, writing

KEPT = {b"kept": b"stays well" * 1000}
LOST = {b"lost": noise(50_000, 9)}


class Damaged:
    """A repository of two versions, and what a test needs to hurt it."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore()
        self.kept = back_up(self.store, KEPT, "kept")
        self.lost = back_up(self.store, LOST, "lost")
        self.repository = Repository.open(self.store, PASSWORD)
        ((self.kept_id, _),) = self.repository.snapshots_with_tag("kept")
        ((self.lost_id, _),) = self.repository.snapshots_with_tag("lost")

    def pack_of(self, kind: str, identity: bytes) -> str:
        place = self.repository.index.lookup(kind, identity)  # type: ignore[arg-type]  # a kind
        assert place is not None
        return f"data/{place.pack_id[:2]}/{place.pack_id}"

    def change(self, name: str, position: int = 40) -> None:
        stored = bytearray(self.store.get(name))
        stored[position] ^= 0x10
        self.store.put(name, bytes(stored))

    def assert_only_lost(self, *, read_data: bool) -> list[str]:
        """Check, and return the errors as text; the other version must not be among them."""
        report = check(Repository.open(self.store, PASSWORD), read_data=read_data)
        assert not report.is_sound
        assert {finding.snapshot_id for finding in report.errors} <= {"", self.lost_id}
        reader = Reader(Repository.open(self.store, PASSWORD))
        assert b"".join(reader.iter_file(reader.find(self.kept, "kept"))) == KEPT[b"kept"]
        return [str(finding) for finding in report.errors]


@pytest.fixture
def damaged() -> Damaged:
    return Damaged()


def test_a_sound_repository_has_no_findings(damaged: Damaged) -> None:
    """And the report counts what was looked at."""
    report = check(damaged.repository, read_data=True)
    assert (report.errors, report.warnings, report.snapshots) == ((), (), 2)
    assert (report.packs, report.blobs) == (4, 6)
    assert report.bytes_read == sum(found.size_bytes for found in damaged.store.list("data"))
    assert check(damaged.repository, read_data=False).bytes_read == 0


def test_a_flipped_bit_in_data_is_found_by_reading_everything(damaged: Damaged) -> None:
    """Pack, blob, version and both paths are named; the metadata alone cannot show it."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.change(name)
    assert check(damaged.repository, read_data=False).is_sound
    errors = damaged.assert_only_lost(read_data=True)
    assert any(error.startswith(f"{name}: its bytes do not match") for error in errors)
    for path in ("lost", "sub/lost"):
        assert any(
            error.startswith(f"snapshot {damaged.lost_id}, {path}: data blob") for error in errors
        )


def test_damaged_data_is_never_read_as_if_it_were_well(damaged: Damaged) -> None:
    """The error names blob and pack."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.change(name)
    reader = Reader(Repository.open(damaged.store, PASSWORD))
    with pytest.raises(DamagedError, match=name.rpartition("/")[2]):
        reader.read_blob(blob_id(LOST[b"lost"]))


@pytest.mark.parametrize("read_data", [False, True])
def test_a_missing_pack_is_found(damaged: Damaged, *, read_data: bool) -> None:
    """Without reading any data."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.store.delete(name)
    errors = damaged.assert_only_lost(read_data=read_data)
    assert any(error.startswith(f"{name}: ") and "is missing" in error for error in errors)
    assert any(error.startswith(f"snapshot {damaged.lost_id}, sub/lost: ") for error in errors)
    with pytest.raises(DamagedError, match="is missing"):
        Reader(Repository.open(damaged.store, PASSWORD)).read_blob(blob_id(LOST[b"lost"]))


@pytest.mark.parametrize("read_data", [False, True])
def test_a_pack_that_was_cut_off_is_found(damaged: Damaged, *, read_data: bool) -> None:
    """By its size."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.store.put(name, damaged.store.get(name)[:1000])
    errors = damaged.assert_only_lost(read_data=read_data)
    assert any("has 1000 bytes instead of" in error for error in errors)
    with pytest.raises(DamagedError, match="cut off"):
        Reader(Repository.open(damaged.store, PASSWORD)).read_blob(blob_id(LOST[b"lost"]))


def test_a_swapped_pack_is_found(damaged: Damaged) -> None:
    """The bytes of another pack under its name."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.store.put(name, damaged.store.get(damaged.pack_of("data", blob_id(KEPT[b"kept"]))))
    assert damaged.assert_only_lost(read_data=True)


def test_a_damaged_directory_is_found_without_reading_data(damaged: Damaged) -> None:
    """The walk reads every directory."""
    name = damaged.pack_of("tree", damaged.lost)
    damaged.change(name)
    errors = damaged.assert_only_lost(read_data=False)
    assert any(damaged.lost_id in error and name.rpartition("/")[2] in error for error in errors)


def test_a_damaged_header_is_found(damaged: Damaged) -> None:
    """The blobs are well, and the error says what is not."""
    name = damaged.pack_of("data", blob_id(LOST[b"lost"]))
    damaged.change(name, position=-10)
    errors = damaged.assert_only_lost(read_data=True)
    assert any("header is damaged" in error for error in errors)
    assert not any(damaged.lost_id in error for error in errors)


def test_a_damaged_index_is_found(damaged: Damaged) -> None:
    """The index itself and every version that now misses blobs."""
    for name in names_in(damaged.store, "index"):
        index = damaged.repository.read_index_file(name.removeprefix("index/"))
        ids = {blob.id for pack in index.packs for blob in pack.blobs}
        if damaged.lost.hex() in ids:
            damaged.change(name)
            break
    report = check(damaged.repository, read_data=False)
    assert any(str(finding).startswith(f"{name}: ") for finding in report.errors)
    assert {finding.snapshot_id for finding in report.errors} == {"", damaged.lost_id}
    with pytest.raises(DamagedError, match=name):
        Repository.open(damaged.store, PASSWORD).load_index()


def test_a_damaged_snapshot_is_found(damaged: Damaged) -> None:
    """By its name, and the other is still listed."""
    damaged.change(f"snapshots/{damaged.lost_id}")
    errors = damaged.assert_only_lost(read_data=True)
    assert len(errors) == 1
    assert errors[0].startswith(f"snapshots/{damaged.lost_id}: ")


def test_a_damaged_key_file_is_found(damaged: Damaged) -> None:
    """While the repository is open."""
    (name,) = names_in(damaged.store, "keys")
    damaged.change(name)
    report = check(damaged.repository, read_data=False)
    assert [finding.file for finding in report.errors] == [name]


def test_a_pack_that_no_index_names_is_a_warning(damaged: Damaged) -> None:
    """Left by a killed backup: harmless."""
    name = f"data/ab/{'ab' * 32}"
    damaged.store.put(name, b"left over")
    report = check(damaged.repository, read_data=True)
    assert report.is_sound
    assert [finding.file for finding in report.warnings] == [name]


def put_index(damaged: Damaged, index: IndexDocument) -> None:
    sealed = damaged.repository.sealed_files
    sealed.put("index", sealed.seal(index))


def test_two_indexes_for_one_pack_are_a_warning_unless_they_disagree(damaged: Damaged) -> None:
    """A split pack is damage, as it is for restic."""
    (first, *_) = names_in(damaged.store, "index")
    index = damaged.repository.read_index_file(first.removeprefix("index/"))
    put_index(damaged, index)
    report = check(damaged.repository, read_data=True)
    assert report.is_sound
    assert any("two index files" in finding.what for finding in report.warnings)
    pack = index.packs[0]
    put_index(damaged, IndexDocument([msgspec.structs.replace(pack, blobs=[])]))
    errors = check(damaged.repository, read_data=False).errors
    assert any("disagree" in finding.what for finding in errors)


def test_an_index_with_gaps_is_damage(damaged: Damaged) -> None:
    """Blobs lie one behind the other from the start of the pack."""
    put_index(damaged, index_document([("ab" * 32, [PackEntry(b"\1" * 32, "data", 7, 100, 0)])]))
    errors = check(damaged.repository, read_data=False).errors
    assert any("gaps" in finding.what for finding in errors)
    assert any("is missing" in finding.what for finding in errors)


def test_directories_of_any_depth_are_walked(damaged: Damaged) -> None:
    """Deeper than Python's stack."""
    with writing(damaged.repository) as writer:
        tree = writer.add_tree([])
        for _ in range(3000):
            tree = writer.add_tree([directory_node(b"d", tree)])
    damaged.repository.publish_snapshot(seal_snapshot(damaged.repository, document(tree)))
    assert check(damaged.repository, read_data=False).is_sound
