"""The index: which pack holds a blob, and where in it.

Index files name packs that are durable, and nothing else. All blobs of one pack are in one file.
`Index` is their sum in memory: sorted tables that processes share (`tables`), and beside them what
was stored since. Data and trees are told apart: a file can hold the very bytes of a directory.

A row is what a blob is called within one loaded index: those of the tables first, then the added
ones. Whoever keeps something for each blob keeps it in an array by row.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from appshield.repository.blobs import BlobKind
from appshield.repository.collecting import IndexBuilder
from appshield.repository.crypto import SEAL_BYTES
from appshield.repository.index_documents import (
    IndexDocument,
    IndexedBlob,
    IndexedPack,
    index_document,
    indexed_pack,
)
from appshield.repository.packs import PackEntry, pack_size_bytes
from appshield.repository.tables import BlobTable, IndexTables

__all__ = [
    "BlobPlace",
    "Index",
    "IndexBuilder",
    "IndexDocument",
    "IndexedBlob",
    "IndexedPack",
    "index_document",
    "indexed_pack",
]


class BlobPlace(msgspec.Struct, frozen=True):
    """Where a blob is stored."""

    pack_id: str
    entry: PackEntry


class Index:
    """All blobs that are known to be durable; thread-safe.

    A blob may be in several packs. `add` is for packs that come after the index was loaded; each of
    its blobs costs some hundred bytes, so it is not for all that a first backup stores.
    """

    def __init__(self, tables: IndexTables | None = None) -> None:
        self.tables = tables or IndexBuilder().build()
        self._added: dict[BlobKind, _Added] = {"data": _Added(), "tree": _Added()}
        self._added_packs: dict[str, int] = {}
        self._adding = threading.Lock()

    @classmethod
    def of_documents(
        cls, documents: Iterable[IndexDocument], *, earlier: IndexTables | None = None
    ) -> "Index":
        """Return the sum of index files, of which one is needed at a time, and earlier tables."""
        builder = IndexBuilder(earlier)
        for document in documents:
            builder.add_document(document)
        return cls(builder.build())

    @classmethod
    def attached(cls, descriptor: int) -> "Index":
        """Return the index that another process shares; costs no memory and takes no time."""
        return cls(IndexTables(os.dup(descriptor)))

    def share(self) -> int:
        """Return a descriptor to attach to elsewhere; valid while this index is.

        It shows the index as it was loaded, without what was added since.
        """
        return self.tables.descriptor

    def __len__(self) -> int:
        return self.count("data") + self.count("tree")

    def table(self, kind: BlobKind) -> BlobTable:
        """Return the sorted table of a kind, without what was added."""
        return self.tables.data if kind == "data" else self.tables.trees

    def count(self, kind: BlobKind) -> int:
        """Return how many rows there are of a kind; a blob in two packs has two."""
        return len(self.table(kind)) + len(self._added[kind].places)

    def add(self, pack_id: str, entries: Sequence[PackEntry]) -> None:
        """Add a durable pack; a blob that is known already keeps its first place."""
        with self._adding:
            if self.pack_size(pack_id) is not None:
                return
            self._added_packs[pack_id] = pack_size_bytes(entries)
            for entry in entries:
                self._added[entry.kind].append(BlobPlace(pack_id, entry))

    def find(self, kind: BlobKind, identity: bytes) -> int:
        """Return the first row of a blob, -1 if no index names it."""
        table = self.table(kind)
        row = table.find(identity)
        if row < 0:
            added = self._added[kind].rows.get(identity)
            return -1 if added is None else len(table) + added
        return row

    def place(self, kind: BlobKind, row: int) -> BlobPlace:
        """Return what is known of the blob in a row."""
        table = self.table(kind)
        if row >= len(table):
            return self._added[kind].places[row - len(table)]
        entry = PackEntry(
            blob_id=table.identity(row),
            kind=kind,
            offset=table.offsets[row],
            sealed_bytes=table.sealed_sizes[row],
            compressed_from=table.compressed_from[row],
        )
        return BlobPlace(self.tables.packs.identity(table.packs[row]).hex(), entry)

    def plain_bytes(self, kind: BlobKind, row: int) -> int:
        """Return the size of the content of the blob in a row."""
        table = self.table(kind)
        if row >= len(table):
            return self._added[kind].places[row - len(table)].entry.plain_bytes
        return table.compressed_from[row] or table.sealed_sizes[row] - SEAL_BYTES

    def lookup(self, kind: BlobKind, identity: bytes) -> BlobPlace | None:
        """Return where a blob is, None if no index names it."""
        row = self.find(kind, identity)
        return None if row < 0 else self.place(kind, row)

    def places(self, kind: BlobKind, identity: bytes) -> Iterator[BlobPlace]:
        """Yield the places where a blob is: another is of use when the first is damaged."""
        table = self.table(kind)
        for row in table.same(table.find(identity)):
            yield self.place(kind, row)
        added = self._added[kind]
        if identity in added.rows:
            yield added.places[added.rows[identity]]

    def has(self, kind: BlobKind, identity: bytes) -> bool:
        """Tell whether a blob is stored."""
        return self.find(kind, identity) >= 0

    def unknown(self, kind: BlobKind, identities: bytes) -> set[bytes]:
        """Return those of many blobs (ids joined) that are not stored."""
        added = self._added[kind].rows
        return {one for one in self.table(kind).missing(identities) if one not in added}

    def pack_size(self, pack_id: str) -> int | None:
        """Return the size in bytes that a pack must have, None if no index names it."""
        packs = self.tables.packs
        row = packs.find(bytes.fromhex(pack_id))
        return self._added_packs.get(pack_id) if row < 0 else packs.sizes[row]

    def packs(self) -> Iterator[tuple[str, int]]:
        """Yield id and size in bytes of each pack."""
        packs = self.tables.packs
        for row in range(len(packs)):
            yield packs.identity(row).hex(), packs.sizes[row]
        yield from list(self._added_packs.items())


class _Added:
    """Blobs of one kind that were stored after the tables were made."""

    def __init__(self) -> None:
        self.places: list[BlobPlace] = []
        self.rows: dict[bytes, int] = {}

    def append(self, place: BlobPlace) -> None:
        self.places.append(place)
        self.rows.setdefault(place.entry.blob_id, len(self.places) - 1)
