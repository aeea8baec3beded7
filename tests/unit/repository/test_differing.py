"""What differs between two trees, and why; and what each version takes."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.objectstore import MemoryObjectStore
from appshield.repository import Node, Reader, Repository, Writer
from appshield.repository.browsing import walk
from appshield.repository.differing import Change, differences, reasons_of
from appshield.repository.sizing import stored_sizes
from repository_content import PASSWORD, directory_node, file_node, noise, stream, writing
from repository_fakes import MemoryBlobs

Content = Mapping[str, Any]
"""A directory: names with the bytes of a file, or a directory."""

names = st.sampled_from(["a", "b", "c"])
files = st.binary(min_size=1, max_size=3)
directories: st.SearchStrategy[Content] = st.recursive(
    st.dictionaries(names, files, max_size=3),
    lambda inner: st.dictionaries(names, files | inner, max_size=3),
    max_leaves=8,
)


def stored(blobs: MemoryBlobs | Writer, content: Content) -> bytes:
    """Store a directory."""
    nodes: list[Node] = []
    for name, inner in content.items():
        if isinstance(inner, bytes):
            nodes.append(file_node(name.encode(), *blobs.add_file(stream(inner))))
        else:
            nodes.append(directory_node(name.encode(), stored(blobs, inner)))
    return blobs.add_tree(nodes)


class Blobs(MemoryBlobs):
    """A repository in memory that can be looked into."""

    def iter_file(self, node: Node) -> Any:
        return map(self.read_blob, node.content or ())

    def find(self, tree_id: bytes, path: str | bytes) -> Node:
        raise AssertionError("nothing is looked for")


def changes(before: Content, after: Content) -> dict[bytes, Change]:
    blobs = Blobs()
    found = list(differences(blobs, stored(blobs, before), stored(blobs, after)))
    return {change.path: change for change in found}


def test_added_removed_and_changed_are_told_apart_with_the_reason() -> None:
    """A folder that came or went is told with everything in it."""
    before = {"same": b"1", "old": {"x": b"1"}, "turned": b"1", "kind": b"1", "deep": {"a": b"1"}}
    after = {
        "same": b"1",
        "new": {"y": b"1"},
        "turned": b"2",
        "kind": {"z": b"1"},
        "deep": {"a": b"2"},
    }
    told = {path: (one.kind, one.reasons) for path, one in changes(before, after).items()}
    assert told == {
        b"deep/a": ("changed", ("content",)),
        b"kind": ("changed", ("kind",)),
        b"kind/z": ("added", ()),
        b"new": ("added", ()),
        b"new/y": ("added", ()),
        b"old": ("removed", ()),
        b"old/x": ("removed", ()),
        b"turned": ("changed", ("content",)),
    }


def test_metadata_alone_is_a_change_with_its_reason() -> None:
    """But not what a restore does not bring back, nor the time of a folder."""
    node = file_node(b"a", (), 0)
    assert reasons_of(node, replace(node, mode=0o600)) == ("mode",)
    assert reasons_of(node, replace(node, uid=7)) == ("owner",)
    assert reasons_of(node, replace(node, mtime_ns=1)) == ("time",)
    attributes = (("user.a", b"1"),)
    assert reasons_of(node, replace(node, extended_attributes=attributes)) == ("attributes",)
    assert reasons_of(node, replace(node, atime_ns=1, ctime_ns=1, inode=1, links=2)) == ()
    folder = directory_node(b"d", bytes(32))
    assert reasons_of(folder, replace(folder, mtime_ns=1)) == ()


@given(directories, directories)
def test_what_is_told_turns_one_into_the_other(before: Content, after: Content) -> None:
    """Applied to the one side, the changes give the other; nothing is told of equal ones."""
    blobs = Blobs()
    old, new = stored(blobs, before), stored(blobs, after)
    entries = {entry.path: entry.node for entry in walk(blobs, old)}
    for change in differences(blobs, old, new):
        if change.kind == "removed":
            assert entries.pop(change.path) == change.before
        else:
            assert (change.path in entries) == (change.kind == "changed")
            assert change.after is not None
            entries[change.path] = change.after
    wanted = {entry.path: entry.node for entry in walk(blobs, new)}
    assert {path: (node.kind, node.content) for path, node in entries.items()} == {
        path: (node.kind, node.content) for path, node in wanted.items()
    }
    assert changes(before, before) == {}


def test_trees_that_are_the_same_are_not_read() -> None:
    """Two versions of a large volume are compared as fast as they differ little."""
    blobs = Blobs()
    large = {f"file-{number}": b"x" for number in range(100)}
    before = stored(blobs, {"large": large, "small": {"a": b"1"}})
    after = stored(blobs, {"large": large, "small": {"a": b"2"}})
    blobs.reads = 0
    assert [change.path for change in differences(blobs, before, after)] == [b"small/a"]
    assert blobs.reads == 4


def test_a_version_is_told_by_what_it_added_and_what_it_has_alone() -> None:
    """Forgetting all but one frees what the others have alone."""
    repository = Repository.create(MemoryObjectStore(), PASSWORD)
    shared, first, second = noise(200_000, 1), noise(100_000, 2), noise(50_000, 3)
    with writing(repository) as writer:
        roots = [
            stored(writer, {"shared": {"s": shared}, "own": first}),
            stored(writer, {"shared": {"s": shared}, "own": second}),
            stored(writer, {"shared": {"s": shared}, "own": second}),
        ]
    index = repository.load_index()
    sizes = stored_sizes(Reader(repository, index=index), index, roots)
    assert [size.added_bytes for size in sizes] == [
        pytest.approx(300_000, rel=0.02),
        pytest.approx(50_000, rel=0.02),
        0,
    ]
    assert [size.alone_bytes for size in sizes] == [pytest.approx(100_000, rel=0.02), 0, 0]
