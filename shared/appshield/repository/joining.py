"""Virtual directories: several trees put together under one root."""

from collections.abc import Mapping

import msgspec

from appshield.errors import InvalidInputError
from appshield.repository.nodes import BlobSink, Node

_Branches = dict[bytes, "bytes | Node | _Branches"]


def join_trees(sink: BlobSink, trees: Mapping[str, bytes | Node], *, time_ns: int = 0) -> bytes:
    """Return the id of a directory that has each tree at its path, such as `volumes/shop/data`.

    Where a `Node` is given, the directory at its path keeps owner, mode, times and attributes of
    that node; any other one belongs to root and was changed at `time_ns`.

    Raises:
        InvalidInputError: a path is malformed, or leads through another one.
    """
    root: _Branches = {}
    for path, tree in trees.items():
        parts = path.encode().split(b"/")
        if any(part in (b"", b".", b"..") for part in parts):
            raise InvalidInputError(f"{path!r} cannot be the place of a tree")
        branches = root
        for part in parts[:-1]:
            below = branches.setdefault(part, {})
            if not isinstance(below, dict):
                raise InvalidInputError(f"{path!r} leads through the place of another tree")
            branches = below
        if parts[-1] in branches:
            raise InvalidInputError(f"there is something at {path!r} already")
        branches[parts[-1]] = tree
    return _store(sink, root, time_ns)


def _store(sink: BlobSink, branches: _Branches, time_ns: int) -> bytes:
    nodes: list[Node] = []
    for name, below in branches.items():
        if isinstance(below, Node):
            nodes.append(msgspec.structs.replace(below, name=name))
            continue
        subtree = _store(sink, below, time_ns) if isinstance(below, dict) else below
        nodes.append(
            Node(
                name=name,
                kind="dir",
                mode=0o755,
                mtime_ns=time_ns,
                atime_ns=time_ns,
                ctime_ns=time_ns,
                uid=0,
                gid=0,
                subtree=subtree,
            )
        )
    return sink.add_tree(nodes)
