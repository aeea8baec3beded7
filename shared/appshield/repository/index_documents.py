"""Index files: JSON documents that name durable packs and the blobs in them, all of a pack in one.

Field names are restic's. They are read and written a file at a time: objects without a garbage
collector, since there are 50,000 in one document.
"""

from collections.abc import Iterable, Sequence

import msgspec

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind
from appshield.repository.packs import PackEntry, read_entries


class IndexedBlob(msgspec.Struct, omit_defaults=True, gc=False):
    """One blob in an index file."""

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


def indexed_pack(pack_id: str, entries: Iterable[PackEntry]) -> IndexedPack:
    """Return how an index file names this pack."""
    return IndexedPack(
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


def index_document(packs: Iterable[tuple[str, Sequence[PackEntry]]]) -> IndexDocument:
    """Return the document that lists these packs (id, blobs)."""
    return IndexDocument(packs=[indexed_pack(pack_id, entries) for pack_id, entries in packs])


def encode_index(packs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an index file that lists packs (id, header): what `index_document` is as JSON.

    Raises:
        DamagedError: a header cannot be read.
    """
    return f'{{"packs":[{",".join([_encode_pack(*pack) for pack in packs])}]}}'.encode()


def _encode_pack(pack_id: str, header: bytes) -> str:
    blobs = [
        f'{{"id":"{identity.hex()}","type":"{kind}","offset":{offset},"length":{sealed_bytes}'
        + (f',"uncompressed_length":{compressed_from}}}' if compressed_from else "}")
        for identity, kind, offset, sealed_bytes, compressed_from in read_entries(header)
    ]
    return f'{{"id":"{pack_id}","blobs":[{",".join(blobs)}]}}'
