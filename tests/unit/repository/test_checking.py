"""Damage of any file is found, and named with the file, the version and the path."""

import datetime as dt

import msgspec
import pytest

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository, check, seal_snapshot
from appshield.repository.blobs import blob_id
from appshield.repository.check_data import Sample
from appshield.repository.index import IndexDocument, index_document
from appshield.repository.packs import PackEntry
from appshield.repository.references import TreeReader
from appshield.repository.retiring import Retirement, retire
from failing_store import names_in
from repository_content import (
    PASSWORD,
    back_up,
    directory_node,
    document,
    file_node,
    noise,
    writing,
)

KEPT = {b"kept": b"stays well" * 1000}
LOST = {b"lost": noise(50_000, 9)}


class Damaged:
    """A repository of two versions, and what a test needs to hurt it."""

    def __init__(self) -> None:
        self.store = MemoryObjectStore()
        self.kept = back_up(self.store, KEPT, "kept")
        self.lost = back_up(self.store, LOST, "lost")
        self.repository = Repository.open(self.store, PASSWORD)
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


def test_a_large_directory_is_walked_entry_by_entry(damaged: Damaged) -> None:
    """Names that look like JSON, lists of any length, and a loss at its end that is named."""
    names = [b"%06d" % number for number in range(5000)]
    hostile = [b'},{"name":"x","type":"file"', b"a},{", b'},{"name":"', b"\xff\n\\", b"]}"]
    lost = b"\1" * 32
    with writing(damaged.repository) as writer:
        some = writer.add_data(b"some")
        nodes = [file_node(name, (some,) * 4, 16) for name in names + hostile]
        nodes.append(file_node(b"zz", (some,) * 2500 + (lost,), 10_004))
        tree = writer.add_tree(nodes)
    snapshot = seal_snapshot(damaged.repository, document(tree))
    damaged.repository.publish_snapshot(snapshot)
    report = check(damaged.repository, read_data=False)
    assert [str(finding) for finding in report.errors] == [
        f"snapshot {snapshot.snapshot_id}, zz: data blob {lost.hex()} is in no index"
    ]
    index = damaged.repository.read_index()
    found = list(TreeReader(damaged.repository, index).references(tree))
    assert [reference.raw_name for reference in found] == sorted([*names, *hostile, b"zz"])
    (longest,) = [reference for reference in found if reference.name == "zz"]
    assert list(longest.blob_ids()) == [some] * 2500 + [lost]


def test_a_second_copy_of_a_blob_makes_good_for_the_first(damaged: Damaged) -> None:
    """The pack is an error, and no version has lost anything."""
    identity = blob_id(LOST[b"lost"])
    name = damaged.pack_of("data", identity)
    indexes = {index: damaged.store.get(index) for index in names_in(damaged.store, "index")}
    for index in indexes:
        damaged.store.delete(index)
    with writing(Repository.open(damaged.store, PASSWORD)) as writer:  # knows of nothing
        writer.add_data(LOST[b"lost"])
    for index, sealed in indexes.items():
        damaged.store.put(index, sealed)
    stored = damaged.store.get(name)
    for missing in (False, True):
        damaged.store.put(name, stored)
        if missing:
            damaged.store.delete(name)
        else:
            damaged.change(name)
        report = check(Repository.open(damaged.store, PASSWORD), read_data=True)
        assert {finding.file for finding in report.errors} == {name}


def test_what_is_left_in_a_pack_that_was_cut_off_is_not_called_lost(damaged: Damaged) -> None:
    """When the data is read, only the blobs behind the cut are."""
    with writing(damaged.repository) as writer:
        ids = [writer.add_data(noise(1000, seed)) for seed in range(20, 30)]
        tree = writer.add_tree(
            [file_node(b"%d" % number, (one,), 1000) for number, one in enumerate(ids)]
        )
    damaged.repository.publish_snapshot(seal_snapshot(damaged.repository, document(tree)))
    name = damaged.pack_of("data", ids[0])
    damaged.store.put(name, damaged.store.get(name)[:3500])
    by_size = check(Repository.open(damaged.store, PASSWORD), read_data=False)
    assert len({finding.path for finding in by_size.errors if finding.path}) == 10
    by_reading = check(Repository.open(damaged.store, PASSWORD), read_data=True)
    assert len({finding.path for finding in by_reading.errors if finding.path}) == 7


def test_turns_of_a_sample_read_every_pack_once(damaged: Damaged) -> None:
    """By share and by size; the report says how much."""
    for seed in range(30):
        with writing(damaged.repository) as writer:
            writer.add_data(noise(5000, seed))
    total = check(damaged.repository, read_data=True)
    assert total.packs_read == total.packs == 34
    by_share = [
        check(damaged.repository, read_data=Sample(share=0.2, turn=turn)) for turn in range(7, 12)
    ]
    size_bytes = total.bytes_read // 6
    by_size = [
        check(damaged.repository, read_data=Sample(size_bytes=size_bytes, turn=turn))
        for turn in range(7)
    ]
    for reports in (by_share, by_size):
        assert sum(report.packs_read for report in reports) == total.packs
        assert sum(report.bytes_read for report in reports) == total.bytes_read
        assert sum(report.packs_read > 0 for report in reports) >= 4


@pytest.mark.parametrize(
    "wrong", [{}, {"share": 0.5, "size_bytes": 1}, {"share": 0}, {"size_bytes": 0}]
)
def test_a_sample_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """With the next step in the message."""
    with pytest.raises(InvalidInputError, match="Give a share"):
        Sample(turn=0, **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_large_pack_is_read_in_parts(damaged: Damaged, monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to one blob at a time, with the same findings."""
    with writing(damaged.repository) as writer:
        ids = [writer.add_data(noise(1000, seed)) for seed in range(20, 30)]
    monkeypatch.setattr("appshield.repository.check_data.PART_BYTES", 2500)
    assert check(damaged.repository, read_data=True).is_sound
    name = damaged.pack_of("data", ids[7])
    place = damaged.repository.load_index().lookup("data", ids[7])
    assert place is not None
    damaged.change(name, position=place.entry.offset + 20)
    report = check(damaged.repository, read_data=True)
    assert sorted(finding.what.split(" is damaged")[0] for finding in report.errors) == [
        f"data blob {ids[7].hex()} in pack {place.pack_id}",
        "its bytes do not match its name",
    ]


def test_a_foreign_object_is_named_and_left_alone(damaged: Damaged) -> None:
    """Wherever it lies; what is AppShield's own is not foreign."""
    foreign = ["notes.txt", "data/readme", f"data/00/{'ab' * 32}", "index/old/x", "snapshots/x"]
    for name in [*foreign, "appshield-creating"]:
        damaged.store.put(name, b"not ours")
    retire(damaged.repository, Retirement(dt.datetime.now(dt.UTC), ("ab" * 32,)))
    report = check(damaged.repository, read_data=True)
    assert report.is_sound
    assert sorted(finding.file for finding in report.warnings) == sorted(foreign)
    assert all("foreign" in finding.what for finding in report.warnings)
    assert all(damaged.store.size(name) is not None for name in foreign)


@pytest.mark.parametrize("hurt", ["change", "delete"])
def test_a_damaged_config_is_found(damaged: Damaged, hurt: str) -> None:
    """While the repository is open."""
    if hurt == "change":
        damaged.change("config")
    else:
        damaged.store.delete("config")
    report = check(damaged.repository, read_data=False)
    assert [finding.file for finding in report.errors] == ["config"]


def test_many_losses_are_named_up_to_a_limit_and_counted(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report must fit into memory, whatever was lost."""
    monkeypatch.setattr("appshield.repository.walking.MOST_PROBLEMS", 5)
    with writing(damaged.repository) as writer:
        nodes = [file_node(b"%02d" % number, (b"\1" * 32,), 1) for number in range(20)]
        subtree = writer.add_tree(nodes)
        tree = writer.add_tree([directory_node(b"sub", subtree)])
    damaged.repository.publish_snapshot(seal_snapshot(damaged.repository, document(tree)))
    errors = check(damaged.repository, read_data=False).errors
    assert len(errors) == 6
    assert any("15 more" in finding.what for finding in errors)
