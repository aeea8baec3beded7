"""What is saved comes back equal."""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.repository.files.sparse import HOLE_FLOOR_BYTES
from file_trees import Entry, bring_back, describe, make_hostile_tree, make_sparse, save
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


class Drawn(NamedTuple):
    """A random entry; each kind uses what it needs."""

    kind: str
    content: bytes
    number: int
    linktarget: bytes
    below: "dict[bytes, Drawn]"
    attributes: dict[str, bytes]
    mode: int
    owner: tuple[int, int]
    time_ns: int


names = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in {b".", b"..", b"lost+found"} and not {0, 0x2F} & set(name)
)
contents = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.integers(1, 40_000).map(bytes),
        st.integers(1, 9).map(lambda count: os.urandom(4096 * count)),
    ),
    max_size=4,
).map(b"".join)
attributes = st.dictionaries(
    st.text("abcdefäö.-", min_size=1, max_size=8).map(lambda name: f"user.{name}"),
    st.binary(max_size=40),
    max_size=2,
)


def entries(
    kinds: list[str], below: st.SearchStrategy[dict[bytes, Drawn]]
) -> st.SearchStrategy[Drawn]:
    return st.builds(
        Drawn,
        kind=st.sampled_from(kinds),
        content=contents,
        number=st.integers(0, 3 << 20),
        linktarget=names,
        below=below,
        attributes=attributes,
        mode=st.integers(0, 0o7777),
        owner=st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)),
        time_ns=st.integers(-(1 << 31) * 10**9, (1 << 33) * 10**9),
    )


trees = st.recursive(
    entries(["file", "hole", "link", "fifo", "hard link"], st.just({})),
    lambda inner: entries(["directory"], st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tree=st.dictionaries(names, trees, max_size=5), other=st.dictionaries(names, trees, max_size=5)
)
def test_any_tree_comes_back_equal(tree: dict[bytes, Drawn], other: dict[bytes, Drawn]) -> None:
    """Random trees are restored as they were, onto nothing and onto one another."""
    with tempfile.TemporaryDirectory() as folder:
        source, second, target = (Path(folder, name) for name in ("source", "second", "target"))
        for path, drawn in ((source, tree), (second, other)):
            path.mkdir()
            _make(path, drawn, [])
        blobs = MemoryBlobs(chunk_bytes=8192)
        for path in (source, second, source):
            stored = save(path, blobs)

            bring_back(target, stored.tree_id, blobs, root_node=stored.root_node, delete_extra=True)

            assert _without_allocation(describe(target)) == _without_allocation(describe(path))


def _without_allocation(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """A run of zeros that was written comes back as a hole: equal in all but the space it takes."""
    return {path: entry._replace(allocated=False) for path, entry in tree.items()}


def _make(folder: Path, tree: dict[bytes, Drawn], files: list[Path]) -> None:
    """Make a random tree; metadata last, so that it is what was drawn."""
    for name, entry in tree.items():
        path = folder / os.fsdecode(name)
        if entry.kind == "directory":
            path.mkdir()
            _make(path, entry.below, files)
        elif entry.kind == "hard link" and files:
            os.link(files[entry.number % len(files)], path)
            continue
        elif entry.kind == "link":
            path.symlink_to(os.fsdecode(entry.linktarget))
        elif entry.kind == "fifo":
            os.mkfifo(path)
        else:
            path.write_bytes(b"" if entry.kind == "hole" else entry.content)
            os.truncate(path, entry.number if entry.kind == "hole" else len(entry.content))
            files.append(path)
        _finish(path, entry)


def _finish(path: Path, entry: Drawn) -> None:
    os.chown(path, *entry.owner, follow_symlinks=False)
    if entry.kind in {"file", "hole", "directory"}:
        for name, value in entry.attributes.items():
            os.setxattr(path, name, value)
    if entry.kind != "link":
        path.chmod(entry.mode)
    os.utime(path, ns=(entry.time_ns, entry.time_ns), follow_symlinks=False)
