"""The index: which pack holds a blob, and where in it.

Index files name packs that are durable, and nothing else. All blobs of one pack are in one file.
`Index` is their sum in memory. Data and trees are told apart: a file can hold the very bytes of a
directory.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind
from appshield.repository.packs import PackEntry, pack_size_bytes


class IndexedBlob(msgspec.Struct, omit_defaults=True):
    """One blob in an index file; the field names are restic's."""

    id: str
    type: BlobKind
    offset: int
    length: int
    uncompressed_length: int = 0


class IndexedPack(msgspec.Struct):
    """One pack in an index file."""

    id: str
    blobs: list[IndexedBlob]

    def entries(self) -> tuple[PackEntry, ...]:
        """Return the blobs, in the order of the pack."""
        try:
            entries = (
                PackEntry(
                    bytes.fromhex(blob.id),
                    blob.type,
                    blob.offset,
                    blob.length,
                    blob.uncompressed_length,
                )
                for blob in self.blobs
            )
            return tuple(sorted(entries, key=lambda entry: entry.offset))
        except ValueError as error:
            raise DamagedError(f"the entry of pack {self.id} cannot be read") from error


class IndexDocument(msgspec.Struct):
    """The content of an index file."""

    packs: list[IndexedPack]


def index_document(packs: Iterable[tuple[str, Sequence[PackEntry]]]) -> IndexDocument:
    """Return the document that lists these packs (id, blobs)."""
    return IndexDocument(
        packs=[
            IndexedPack(
                id=pack_id,
                blobs=[
                    IndexedBlob(
                        id=entry.blob_id.hex(),
                        type=entry.kind,
                        offset=entry.offset,
                        length=entry.sealed_bytes,
                        uncompressed_length=entry.compressed_from,
                    )
                    for entry in entries
                ],
            )
            for pack_id, entries in packs
        ]
    )


class BlobPlace(msgspec.Struct, frozen=True):
    """Where a blob is stored."""

    pack_id: str
    entry: PackEntry


class Index:
    """All blobs that are known to be durable; thread-safe."""

    def __init__(self) -> None:
        self._places: dict[BlobKind, dict[bytes, BlobPlace]] = {"data": {}, "tree": {}}
        self._pack_sizes: dict[str, int] = {}
        self._adding = threading.Lock()

    def __len__(self) -> int:
        return sum(len(places) for places in self._places.values())

    def add(self, pack_id: str, entries: Sequence[PackEntry]) -> None:
        """Add a durable pack; a blob that is known already keeps its first place."""
        with self._adding:
            self._pack_sizes[pack_id] = pack_size_bytes(entries)
            for entry in entries:
                self._places[entry.kind].setdefault(entry.blob_id, BlobPlace(pack_id, entry))

    def add_document(self, document: IndexDocument) -> None:
        """Add what an index file names."""
        for pack in document.packs:
            self.add(pack.id, pack.entries())

    def lookup(self, kind: BlobKind, identity: bytes) -> BlobPlace | None:
        """Return where a blob is, None if no index names it."""
        return self._places[kind].get(identity)

    def has(self, kind: BlobKind, identity: bytes) -> bool:
        """Tell whether a blob is stored."""
        return identity in self._places[kind]

    def pack_size(self, pack_id: str) -> int | None:
        """Return the size in bytes that a pack must have, None if no index names it."""
        return self._pack_sizes.get(pack_id)

    def packs(self) -> Iterator[tuple[str, int]]:
        """Yield id and size in bytes of each pack."""
        yield from self._pack_sizes.items()
