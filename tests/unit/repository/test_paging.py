"""A list in pages is the list: whatever the tree, wherever a page begins."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appshield.repository import Node
from appshield.repository.browsing import list_entries, part_of, walk
from appshield.repository.paging import entries_behind
from repository_content import directory_node, file_node, stream
from repository_fakes import MemoryBlobs

Content = Mapping[bytes, Any]

names = st.sampled_from([b"a", b"a-b", b"a.b", b"b", b"\xff"])
files = st.binary(max_size=1)
directories: st.SearchStrategy[Content] = st.recursive(
    st.dictionaries(names, files, max_size=4),
    lambda inner: st.dictionaries(names, files | inner, max_size=4),
    max_leaves=10,
)


class Blobs(MemoryBlobs):
    """A repository in memory that can be looked into."""

    def iter_file(self, node: Node) -> Iterator[bytes]:
        return map(self.read_blob, node.content or ())

    def find(self, tree_id: bytes, path: str | bytes) -> Node:
        assert isinstance(path, bytes)
        return next(entry.node for entry in walk(self, tree_id) if entry.path == path)


def stored(blobs: Blobs, content: Content) -> bytes:
    nodes = [
        file_node(name, *blobs.add_file(stream(inner)))
        if isinstance(inner, bytes)
        else directory_node(name, stored(blobs, inner))
        for name, inner in content.items()
    ]
    return blobs.add_tree(nodes)


@given(directories, st.booleans(), st.integers(1, 4))
def test_pages_together_are_the_whole_list(content: Content, recursive: bool, size: int) -> None:
    """Each entry once and in order; the last entry of a page is where the next begins."""
    blobs = Blobs()
    root = stored(blobs, content)
    whole = [entry.path for entry in list_entries(blobs, root, recursive=recursive)]
    found: list[bytes] = []
    while True:
        after = found[-1] if found else b""
        page = list(islice(entries_behind(blobs, root, b"", after, recursive=recursive), size))
        if not page:
            break
        found += [entry.path for entry in page]
    assert found == whole


@given(directories, st.lists(names, min_size=1, max_size=4))
def test_a_page_may_begin_behind_what_is_not_there(content: Content, steps: list[bytes]) -> None:
    """What comes is what comes behind it in the order of the list."""
    blobs = Blobs()
    root = stored(blobs, content)
    after = b"/".join(steps)
    found = [entry.path for entry in entries_behind(blobs, root, b"", after, recursive=True)]
    paths = (entry.path for entry in walk(blobs, root))
    assert found == [path for path in paths if path.split(b"/") > steps]


def test_a_folder_below_has_pages_of_its_own_and_a_file_has_one() -> None:
    """With or without slashes around the path."""
    blobs = Blobs()
    root = stored(blobs, {b"a": {b"x": b"1", b"y": b"2"}, b"b": b"3"})
    behind = entries_behind(blobs, root, b"/a/", b"a/x", recursive=False)
    assert [entry.path for entry in behind] == [b"a/y"]
    assert [entry.path for entry in entries_behind(blobs, root, b"b", b"", recursive=False)] == [
        b"b"
    ]
    assert list(entries_behind(blobs, root, b"b", b"b", recursive=False)) == []


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=5), st.data())
def test_a_part_of_a_file_is_that_part(chunks: list[bytes], data: st.DataObject) -> None:
    """Wherever it begins and ends, and no other chunk is read."""
    blobs = Blobs()
    ids = tuple(blobs.add_data(chunk) for chunk in chunks)
    whole = b"".join(chunks)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    before = blobs.reads
    found = b"".join(part_of(blobs, file_node(b"f", ids, len(whole)), start, end))
    assert found == whole[start:end]
    if end - start <= 1:
        assert blobs.reads - before <= 1
