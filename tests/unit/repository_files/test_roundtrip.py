"""What is saved comes back equal."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from appshield.repository.files.sparse import HOLE_FLOOR_BYTES
from file_trees import bring_back, describe, make_hostile_tree, make_sparse, save
from random_trees import Drawn, drawn_trees, make_tree, without_allocation
from repository_fakes import MemoryBlobs


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def test_a_hostile_tree_comes_back_equal(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Every kind, name, owner, mode, time, attribute, ACL, hole and hard link survives."""
    source = tmp_path / "source"
    make_hostile_tree(source)
    expected = describe(source)

    stored = save(source, blobs)
    restored = bring_back(tmp_path / "target", stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(tmp_path / "target") == expected
    assert () == stored.problems == restored.problems
    assert len(expected) - 2 == stored.files == restored.files
    assert 2 == stored.directories == restored.directories
    assert describe(source) == expected


def test_saving_an_equal_tree_gives_an_equal_id(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Nothing of the moment of reading is in a tree."""
    make_hostile_tree(tmp_path / "source")

    first = save(tmp_path / "source", blobs)
    second = save(tmp_path / "source", blobs)

    assert first.tree_id == second.tree_id
    assert first.root_node == second.root_node


def test_a_second_restore_writes_nothing(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """What is there and right stays, to the change time of its inode."""
    make_hostile_tree(tmp_path / "source")
    stored = save(tmp_path / "source", blobs)
    target = tmp_path / "target"
    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)
    before = {path: path.lstat().st_ctime_ns for path in target.rglob("*")}

    again = bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert again.bytes_written == 0
    assert again.bytes_unchanged > 0
    assert {path: path.lstat().st_ctime_ns for path in target.rglob("*")} == before


def test_holes_are_not_read(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """A terabyte of nothing is saved and restored at once, with one chunk of zeros."""
    source = tmp_path / "source"
    source.mkdir()
    make_sparse(source / "sparse", 1 << 40, {500 << 30: b"needle"})

    stored = save(source, blobs)
    restored = bring_back(tmp_path / "target", stored.tree_id, blobs)

    with (tmp_path / "target" / "sparse").open("rb") as file:
        file.seek(500 << 30)
        assert file.read(6) == b"needle"
    status = (tmp_path / "target" / "sparse").stat()
    assert status.st_size == 1 << 40 == stored.bytes_total == restored.bytes_written
    assert status.st_blocks * 512 < 1 << 20
    assert stored.bytes_read < HOLE_FLOOR_BYTES
    assert blobs.data_calls <= 3


def test_a_file_that_is_one_hole_is_known_without_reading(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    """A second restore does not read through the zeros of a sparse file."""
    source = tmp_path / "source"
    source.mkdir()
    make_sparse(source / "sparse", 1 << 36, {})
    stored = save(source, blobs)
    bring_back(tmp_path / "target", stored.tree_id, blobs)

    again = bring_back(tmp_path / "target", stored.tree_id, blobs)

    assert (again.bytes_written, again.bytes_unchanged) == (0, 1 << 36)


def test_zeros_that_were_written_come_back_as_a_hole(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """The content decides where holes are, block by block."""
    source = tmp_path / "source"
    source.mkdir()
    content = b"a" * 5000 + bytes(100_000) + b"b" * 5000 + bytes(50_000)
    (source / "file").write_bytes(content)

    stored = save(source, blobs)
    bring_back(tmp_path / "target", stored.tree_id, blobs)

    assert (tmp_path / "target" / "file").read_bytes() == content
    assert (tmp_path / "target" / "file").stat().st_blocks * 512 < 40_000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=drawn_trees, other=drawn_trees)
def test_any_tree_comes_back_equal(tree: dict[bytes, Drawn], other: dict[bytes, Drawn]) -> None:
    """Random trees are restored as they were, onto nothing and onto one another."""
    with tempfile.TemporaryDirectory() as folder:
        source, second, target = (Path(folder, name) for name in ("source", "second", "target"))
        for path, drawn in ((source, tree), (second, other)):
            path.mkdir()
            make_tree(path, drawn)
        blobs = MemoryBlobs(chunk_bytes=8192)
        for path in (source, second, source):
            stored = save(path, blobs)

            bring_back(target, stored.tree_id, blobs, root_node=stored.root_node, delete_extra=True)

            assert without_allocation(describe(target)) == without_allocation(describe(path))
