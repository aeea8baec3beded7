"""What the parent version knows: a file that looks as it did then is not read again.

Looks are type, times, size and inode number, as restic compares them, and mode, owner and links,
which the change time guards too. Its node then stays as it stands, if all its blobs are known.
"""

import binascii
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from appshield.errors import DamagedError, NotFoundError
from appshield.repository.files.metadata import encode_entry, head_of
from appshield.repository.native import native_code
from appshield.repository.nodes import BlobSink
from appshield.repository.trees import decode_node

_CONTENT: Final = b'"content":['
_BETWEEN_IDS: Final = b'",'
_ID_BYTES: Final = 32
_SUBTREE: Final = b'"subtree":"'

Unread = tuple[int, bytes, bytes]
"""Number and name of an entry, and its encoded node in the parent version."""


class EarlierDirectory:
    """Finds encoded nodes by name when both the entries and the names asked for ascend.

    `groups` are those of `BlobSource.read_encoded`. `note` is told when they cannot be read any
    further; from there on nothing is known.
    """

    def __init__(
        self, groups: Iterator[dict[bytes, bytes]], note: Callable[[Exception], None]
    ) -> None:
        self._groups = groups
        self._note = note
        self._group: dict[bytes, bytes] = {}
        self._last: bytes | None = b""

    def find(self, name: bytes) -> bytes:
        """Return the encoded node of this name, empty if there is none."""
        while self._last is not None and self._last < name:
            self._group = self._next()
            self._last = next(reversed(self._group), None)
        return self._group.get(name, b"")

    def _next(self) -> dict[bytes, bytes]:
        try:
            return next(self._groups, {})
        except (DamagedError, NotFoundError) as error:
            self._note(error)
            self._groups = iter(())
            return {}


def subtree_of(encoded: bytes) -> bytes:
    """Return the tree of a directory in the parent version, empty if it was none."""
    start = encoded.rfind(_SUBTREE) + len(_SUBTREE)
    try:
        return binascii.unhexlify(encoded[start : start + 64]) if start >= len(_SUBTREE) else b""
    except ValueError:
        return b""


def unchanged_nodes(
    entries: Sequence[Unread], directory: int, device: int, sink: BlobSink
) -> tuple[list[tuple[int, bytes]], int]:
    """Return (number, node) of each file that is as in the parent, and the size of all of them.

    Whatever cannot be looked at is left to whoever is to read it, and says what is wrong with it.
    A file of which the sink does not know all blobs is left too: it is stored again.
    """
    native = native_code()
    if native is None or not entries:
        return _looked_at(entries, directory, device, sink)
    names, earlier = [entry[1] for entry in entries], [entry[2] for entry in entries]
    sizes, contents = native.unchanged(directory, device, names, earlier)
    if sink.unknown_data(contents):
        return _looked_at(entries, directory, device, sink)
    if min(sizes) >= 0:
        return [(number, node) for number, _, node in entries], sum(sizes)
    kept = [(entry[0], entry[2]) for entry, size in zip(entries, sizes, strict=True) if size >= 0]
    unsure = [entry for entry, size in zip(entries, sizes, strict=True) if size < 0]
    more, more_bytes = _looked_at(unsure, directory, device, sink)
    return kept + more, sum(size for size in sizes if size >= 0) + more_bytes


def _looked_at(
    entries: Sequence[Unread], directory: int, device: int, sink: BlobSink
) -> tuple[list[tuple[int, bytes]], int]:
    nodes: list[tuple[int, bytes]] = []
    sizes: list[int] = []
    contents: list[bytes] = []
    for number, name, earlier in entries:
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError:
            continue
        if status.st_dev != device or not stat.S_ISREG(status.st_mode):
            continue
        head = head_of(name, status, "file", size_bytes=status.st_size) + ","
        node = earlier if earlier.startswith(head.encode()) else _renewed(name, status, earlier)
        content = _content_of(node)
        if content is not None:
            nodes.append((number, node))
            sizes.append(status.st_size)
            contents.append(content)
    lost = sink.unknown_data(b"".join(contents))
    if lost:
        kept = [not _holds(content, lost) for content in contents]
        nodes = [node for node, is_kept in zip(nodes, kept, strict=True) if is_kept]
        sizes = [size for size, is_kept in zip(sizes, kept, strict=True) if is_kept]
    return nodes, sum(sizes)


def _content_of(node: bytes) -> bytes | None:
    """Return the ids of the blobs of a file, joined; None if it has no list of them."""
    start = node.rfind(_CONTENT) + len(_CONTENT)
    try:
        content = binascii.unhexlify(node[start:-2].translate(None, _BETWEEN_IDS))
    except binascii.Error:
        return None
    return content if start >= len(_CONTENT) and len(content) % _ID_BYTES == 0 else None


def _holds(content: bytes, lost: set[bytes]) -> bool:
    starts = range(0, len(content), _ID_BYTES)
    return any(content[start : start + _ID_BYTES] in lost for start in starts)


def _renewed(name: bytes, status: os.stat_result, earlier: bytes) -> bytes:
    """Compare with a node that others have written in another way, such as names of owners.

    Return a node with its content and attributes, both guarded by its change time; empty if the
    file does not look the same.
    """
    try:
        node = decode_node(earlier)
    except DamagedError:
        return b""
    same = (
        node.kind == "file"
        and node.size_bytes == status.st_size
        and node.inode == status.st_ino
        and (node.mtime_ns, node.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    )
    if not same or node.content is None:
        return b""
    return encode_entry(
        name,
        status,
        node.extended_attributes,
        size_bytes=node.size_bytes,
        content=node.content,
    )
