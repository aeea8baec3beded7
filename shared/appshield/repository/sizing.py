"""How much each version takes of a repository: what came with it, and what would go with it.

Looks at every directory once, or twice where versions share it. Remembers each blob: some hundred
bytes a blob, in the memory of whoever asks.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.nodes import Node
from appshield.repository.reader import Reader

_SHARED: Final = -1


class StoredSize(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in the repository: of what an earlier version has not, of what no other version has."""

    added_bytes: int
    alone_bytes: int


def stored_sizes(reader: Reader, index: Index, trees: Sequence[bytes]) -> list[StoredSize]:
    """Return the size of each version, given their root trees, oldest first.

    Raises:
        DamagedError: a directory cannot be read.
    """
    owners = _Owners(index)
    added = [_visit(reader, owners, version, root) for version, root in enumerate(trees)]
    alone = owners.alone(len(trees))
    return [
        StoredSize(added_bytes=one, alone_bytes=other)
        for one, other in zip(added, alone, strict=True)
    ]


class _Owners:
    """Which version has a blob, as far as it is a single one."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._owner: dict[BlobKind, dict[bytes, int]] = {"data": {}, "tree": {}}

    def take(self, kind: BlobKind, blob_id: bytes, version: int) -> tuple[bool, int]:
        """Note that a version has a blob; say whether that is news, and what it added."""
        owners = self._owner[kind]
        known = owners.get(blob_id)
        if known is None:
            owners[blob_id] = version
            return True, self._size(kind, blob_id)
        if known in (version, _SHARED):
            return False, 0
        owners[blob_id] = _SHARED
        return True, 0

    def alone(self, versions: int) -> list[int]:
        """Sum up what each version has alone."""
        sums = [0] * versions
        for kind, owners in self._owner.items():
            for blob_id, version in owners.items():
                if version != _SHARED:
                    sums[version] += self._size(kind, blob_id)
        return sums

    def _size(self, kind: BlobKind, blob_id: bytes) -> int:
        place = self._index.lookup(kind, blob_id)
        return place.entry.sealed_bytes if place else 0


def _visit(reader: Reader, owners: _Owners, version: int, root: bytes) -> int:
    """Note everything that a version has; return what it added."""
    added = 0
    way = [root]
    while way:
        tree_id = way.pop()
        news, size_bytes = owners.take("tree", tree_id, version)
        if not news:
            continue
        added += size_bytes
        for node in reader.read_tree(tree_id):
            added += _take_content(owners, version, node)
            if node.subtree is not None:
                way.append(node.subtree)
    return added


def _take_content(owners: _Owners, version: int, node: Node) -> int:
    return sum(owners.take("data", blob_id, version)[1] for blob_id in node.content or ())
