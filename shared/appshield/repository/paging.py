"""A part of what a version holds, from behind one path on: lists of any length in pages.

The order is that of `browsing`: names ascending as bytes, a folder before what is in it. A page
begins behind a path, which need not be there any more. Memory does not grow with a folder.
"""

from collections.abc import Iterator
from typing import Protocol

from appshield.repository.browsing import Entry
from appshield.repository.nodes import Node, StoredEntry
from appshield.repository.trees import decode_node


class LargeTrees(Protocol):
    """What is needed to look into folders of any size; a `Reader` is one."""

    def read_entries(self, tree_id: bytes) -> Iterator[StoredEntry]:
        """Yield the entries of a directory, ascending by name, in bounded memory."""
        ...

    def find(self, tree_id: bytes, path: str | bytes) -> Node:
        """Return the entry at a path; NotFoundError when there is none."""
        ...


def entries_behind(
    trees: LargeTrees, root: bytes, path: bytes, after: bytes, *, recursive: bool
) -> Iterator[Entry]:
    """Yield what is in the folder at `path` and comes behind `after`; from its start without that.

    What is no folder is yielded itself, as by `browsing.list_entries`.

    Raises:
        NotFoundError: there is nothing at `path`.
        DamagedError: a directory cannot be read.
    """
    path = path.strip(b"/")
    node = trees.find(root, path) if path else None
    if node is not None and node.subtree is None:
        if not after:
            yield Entry(path, node)
        return
    tree_id = root if node is None else node.subtree or b""
    below = after[len(path) + 1 :] if path else after
    steps = tuple(below.split(b"/")) if below else ()
    yield from _behind(trees, tree_id, path, steps, recursive=recursive)


def _behind(
    trees: LargeTrees, tree_id: bytes, path: bytes, steps: tuple[bytes, ...], *, recursive: bool
) -> Iterator[Entry]:
    """Walk from behind `steps`, without recursion: folders may be nested to any depth."""
    way = [(path, trees.read_entries(tree_id), steps)]
    while way:
        above, entries, behind = way[-1]
        entry = next(entries, None)
        if entry is None:
            way.pop()
            continue
        if behind and entry.name < behind[0]:
            continue
        where = above + b"/" + entry.name if above else entry.name
        is_on_the_way = bool(behind) and entry.name == behind[0]
        node = decode_node(entry.stored)
        if not is_on_the_way:
            yield Entry(where, node)
        if recursive and node.subtree is not None:
            rest = behind[1:] if is_on_the_way else ()
            way.append((where, trees.read_entries(node.subtree), rest))
