"""What differs between two directories of versions: added, removed, changed, and why.

Directories with the same tree are not looked into, so that two versions of a large volume are
compared as fast as they differ little. When something was read last, its inode and the time of its
last change of status are no difference: a restore does not bring them back either.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from appshield.repository.browsing import Entry, Trees, walk
from appshield.repository.nodes import Node

ChangeKind = Literal["added", "removed", "changed"]
Reason = Literal["kind", "content", "mode", "owner", "time", "attributes"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that differs; of an added or removed folder everything in it is told, too."""

    path: bytes
    kind: ChangeKind
    before: Node | None = None
    after: Node | None = None
    reasons: tuple[Reason, ...] = ()


def differences(trees: Trees, before: bytes, after: bytes, path: bytes = b"") -> Iterator[Change]:
    """Yield what differs between two trees, by path; `path` is where both are."""
    way = [_pairs(trees, before, after, path)]
    while way:
        pair = next(way[-1], None)
        if pair is None:
            way.pop()
            continue
        where, old, new = pair
        yield from differences_of(trees, where, old, new)
        if old is not None and new is not None and old.subtree and new.subtree:
            way.append(_pairs(trees, old.subtree, new.subtree, where))


def differences_of(
    trees: Trees, where: bytes, old: Node | None, new: Node | None
) -> Iterator[Change]:
    """Yield what differs between two entries at one path, but not what differs in two folders."""
    if old is None and new is not None:
        yield from _all_of(trees, Entry(where, new), "added")
    elif old is not None and new is None:
        yield from _all_of(trees, Entry(where, old), "removed")
    elif old is not None and new is not None:
        yield from _changed(where, old, new)
        yield from _exchanged(trees, where, old, new)


def _changed(where: bytes, old: Node, new: Node) -> Iterator[Change]:
    reasons = reasons_of(old, new)
    if reasons:
        yield Change(path=where, kind="changed", before=old, after=new, reasons=reasons)


def _exchanged(trees: Trees, where: bytes, old: Node, new: Node) -> Iterator[Change]:
    """Tell what was in a folder that is no folder now, and the other way round."""
    if new.subtree is None and old.subtree is not None:
        for entry in walk(trees, old.subtree, where):
            yield Change(path=entry.path, kind="removed", before=entry.node)
    if old.subtree is None and new.subtree is not None:
        for entry in walk(trees, new.subtree, where):
            yield Change(path=entry.path, kind="added", after=entry.node)


def reasons_of(old: Node, new: Node) -> tuple[Reason, ...]:
    """Say in what two entries of one path differ. The time of a folder changes with its entries."""
    if old.kind != new.kind:
        return ("kind",)
    content = (old.content, old.linktarget, old.device) != (new.content, new.linktarget, new.device)
    found: dict[Reason, bool] = {
        "content": content,
        "mode": old.mode != new.mode,
        "owner": (old.uid, old.gid) != (new.uid, new.gid),
        "time": old.kind != "dir" and old.mtime_ns != new.mtime_ns,
        "attributes": old.extended_attributes != new.extended_attributes,
    }
    return tuple(reason for reason, differs in found.items() if differs)


def _all_of(trees: Trees, entry: Entry, kind: ChangeKind) -> Iterator[Change]:
    yield _change(entry, kind)
    if entry.node.subtree is not None:
        for one in walk(trees, entry.node.subtree, entry.path):
            yield _change(one, kind)


def _change(entry: Entry, kind: ChangeKind) -> Change:
    if kind == "added":
        return Change(path=entry.path, kind=kind, after=entry.node)
    return Change(path=entry.path, kind=kind, before=entry.node)


def _pairs(
    trees: Trees, before: bytes, after: bytes, path: bytes
) -> Iterator[tuple[bytes, Node | None, Node | None]]:
    """Yield the entries of two directories side by side, ascending by name."""
    if before == after:
        return
    old = {node.name: node for node in trees.read_tree(before)}
    new = {node.name: node for node in trees.read_tree(after)}
    for name in sorted(old.keys() | new.keys()):
        where = path + b"/" + name if path else name
        yield where, old.get(name), new.get(name)
