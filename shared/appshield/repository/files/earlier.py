"""What the parent version knows: a file that looks as it did then is not read again.

Looks are type, times, size and inode number, as restic compares them, and mode, owner and links,
which the change time guards too. Its node then stays as it stands, if all its blobs are known.
"""

import os
import stat
from binascii import unhexlify
from collections.abc import Callable, Iterator
from typing import Final

from appshield.errors import DamagedError, NotFoundError
from appshield.repository.files.metadata import encode_entry, head_of
from appshield.repository.nodes import Node, StoredEntry
from appshield.repository.trees import decode_node

_CONTENT: Final = b'"content":['


class EarlierDirectory:
    """Finds entries by name when both the entries and the names asked for ascend.

    `note` is told when they cannot be read any further; from there on nothing is known.
    """

    def __init__(self, entries: Iterator[StoredEntry], note: Callable[[Exception], None]) -> None:
        self._entries = entries
        self._note = note
        self._entry = self._next()

    def find(self, name: bytes) -> StoredEntry | None:
        """Return the entry of this name."""
        entry = self._entry
        while entry is not None and entry.name < name:
            entry = self._entry = self._next()
        return entry if entry is not None and entry.name == name else None

    def _next(self) -> StoredEntry | None:
        try:
            return next(self._entries, None)
        except (DamagedError, NotFoundError) as error:
            self._note(error)
            self._entries = iter(())
            return None


def subtree_of(entry: StoredEntry | None) -> bytes:
    """Return the tree of a directory in the parent version, empty if it was none."""
    if entry is None or entry.kind != "dir":
        return b""
    _, found, rest = entry.stored.rpartition(b'"subtree":"')
    try:
        return bytes.fromhex(rest[:64].decode()) if found else b""
    except ValueError:
        return b""


def unchanged_node(
    name: bytes, status: os.stat_result, earlier: bytes, has_data: Callable[[bytes], bool]
) -> bytes:
    """Return the node of a file that looks as in the parent; empty if it is to be read.

    `earlier` is its node there. A blob that `has_data` does not know is read and stored again.
    """
    if not stat.S_ISREG(status.st_mode):
        return b""
    head = head_of(name, status, "file", size_bytes=status.st_size).encode() + b","
    if earlier.startswith(head) and earlier.endswith(b"]}"):
        listed = earlier[earlier.rindex(_CONTENT) + len(_CONTENT) : -2]
        blobs = [unhexlify(one[1:-1]) for one in listed.split(b",")] if listed else []
        node = earlier
    else:
        node, blobs = _renewed(name, status, earlier)
    return node if all(map(has_data, blobs)) else b""


def _renewed(name: bytes, status: os.stat_result, earlier: bytes) -> tuple[bytes, list[bytes]]:
    """Compare with a node that others have written in another way, such as names of owners.

    Return a node with its content and attributes, both guarded by its change time, and its blobs.
    """
    try:
        node: Node = decode_node(earlier)
    except DamagedError:
        return b"", []
    same = (
        node.kind == "file"
        and node.size_bytes == status.st_size
        and node.inode == status.st_ino
        and (node.mtime_ns, node.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    )
    if not same or node.content is None:
        return b"", []
    content = list(node.content)
    attributes = node.extended_attributes
    return encode_entry(
        name, status, attributes, size_bytes=node.size_bytes, content=content
    ), content
