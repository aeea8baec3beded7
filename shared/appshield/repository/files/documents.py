"""Trees that never were a directory: documents from memory and byte streams."""

import os
from collections.abc import Callable, Mapping
from io import BytesIO

from appshield.errors import InvalidInputError
from appshield.repository.files.problems import shown
from appshield.repository.nodes import BlobSink, Node, NodeKind, ReadInto

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700


def store_documents(documents: Mapping[str, bytes], sink: BlobSink, *, mtime_ns: int) -> bytes:
    """Store `{"path/name.json": content}` as files in directories; see `store_streams`."""
    streams = {path: BytesIO(content).read for path, content in documents.items()}
    return store_streams(streams, sink, mtime_ns=mtime_ns)


def store_streams(
    streams: Mapping[str, Callable[[int], bytes]], sink: BlobSink, *, mtime_ns: int
) -> bytes:
    """Store `{"path/name": read}` as files in directories, one after the other; return the tree.

    `read(n)` returns up to `n` bytes, `b""` at the end, and may raise: then nothing is stored under
    any name. Entries belong to root, are readable by it alone and have `mtime_ns` as their only
    time, so that equal documents give an equal tree.

    Raises:
        InvalidInputError: a path is absolute, has an empty, `.` or `..` component, or is both a
            document and a directory.
    """
    directories: dict[tuple[bytes, ...], dict[bytes, Node]] = {(): {}}
    for path, read in streams.items():
        *above, name = _components(path)
        for depth in range(len(above) + 1):
            directories.setdefault(tuple(above[:depth]), {})
        ids, size = sink.add_file(_into(read))
        node = _node(name, "file", mtime_ns, content=ids, size_bytes=size)
        directories[tuple(above)][name] = node
    for directory in sorted(directories, key=len, reverse=True):
        tree_id = sink.add_tree(_ascending(directories.pop(directory)))
        if not directory:
            return tree_id
        name = directory[-1]
        if name in directories[directory[:-1]]:
            raise InvalidInputError(
                f"{shown(b'/'.join(directory))} is both a document and a directory"
            )
        directories[directory[:-1]][name] = _node(name, "dir", mtime_ns, subtree=tree_id)
    raise AssertionError("the root is the last directory")


def store_stream(
    read: Callable[[int], bytes], sink: BlobSink, *, name: str, mtime_ns: int
) -> tuple[bytes, int]:
    """Store a stream of unknown length as the only file of a tree; return its id and the size.

    `read(n)` returns up to `n` bytes, `b""` at the end, and raises if the stream broke: then
    nothing is stored under this name, and what was sent already is not referenced by any tree.
    """
    encoded = os.fsencode(name)
    _check(encoded, name)
    ids, size = sink.add_file(_into(read))
    node = _node(encoded, "file", mtime_ns, content=ids, size_bytes=size)
    return sink.add_tree((node,)), size


def _into(read: Callable[[int], bytes]) -> ReadInto:
    def read_into(buffer: memoryview) -> int:
        data = read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    return read_into


def _node(
    name: bytes,
    kind: NodeKind,
    mtime_ns: int,
    *,
    content: tuple[bytes, ...] | None = None,
    size_bytes: int = 0,
    subtree: bytes | None = None,
) -> Node:
    return Node(
        name=name,
        kind=kind,
        mode=_DIRECTORY_MODE if kind == "dir" else _FILE_MODE,
        mtime_ns=mtime_ns,
        atime_ns=mtime_ns,
        ctime_ns=mtime_ns,
        uid=0,
        gid=0,
        size_bytes=size_bytes,
        content=content,
        subtree=subtree,
    )


def _ascending(nodes: Mapping[bytes, Node]) -> list[Node]:
    return [nodes[name] for name in sorted(nodes)]


def _components(path: str) -> list[bytes]:
    components = os.fsencode(path).split(b"/")
    for component in components:
        _check(component, path)
    return components


def _check(component: bytes, path: str) -> None:
    if component in {b"", b".", b".."} or b"\0" in component or b"/" in component:
        raise InvalidInputError(
            f"{path!r} is no path of a document",
            why="it must be relative, without empty, '.' or '..' components",
        )
