"""Packs: files of about 16 MiB that hold many blobs, and a sealed header that lists them.

    blob ‖ … ‖ blob ‖ seal(header) ‖ length of the sealed header as uint32, little endian

A pack describes itself: an index can be made again from its packs. Data and trees never share one.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind, EncodedBlob
from appshield.repository.crypto import SEAL_BYTES, SealingKey
from appshield.repository.layout import file_id

PACK_BYTES: Final = 16 << 20
"""A pack is closed when it has reached this size (restic's default)."""

MOST_BLOBS: Final = 200_000
"""Half of what fits the largest header that restic reads (16 MiB)."""

_STORED: Final = struct.Struct("<BI32s")
_COMPRESSED: Final = struct.Struct("<BII32s")
_LENGTH: Final = struct.Struct("<I")


class PackEntry(msgspec.Struct, frozen=True):
    """One blob in a pack: where it is and how long; sizes in bytes, `compressed_from` 0 if raw."""

    blob_id: bytes
    kind: BlobKind
    offset: int
    sealed_bytes: int
    compressed_from: int

    @property
    def plain_bytes(self) -> int:
        """The size of the blob's content."""
        return self.compressed_from or self.sealed_bytes - SEAL_BYTES


class FinishedPack(msgspec.Struct, frozen=True):
    """A pack that is ready to be stored."""

    pack_id: str
    stored: bytearray
    entries: tuple[PackEntry, ...]


class PackBuilder:
    """A pack under construction; belongs to one thread at a time. `body` grows by whole blobs."""

    def __init__(self, kind: BlobKind, *, full_bytes: int = PACK_BYTES) -> None:
        self.kind: BlobKind = kind
        self._full_bytes = full_bytes
        self.body = bytearray()
        self.entries: list[PackEntry] = []

    @property
    def size_bytes(self) -> int:
        """The size of the blobs so far."""
        return len(self.body)

    @property
    def is_full(self) -> bool:
        """Whether it is time to finish."""
        return len(self.body) >= self._full_bytes or len(self.entries) >= MOST_BLOBS

    def add(self, identity: bytes, blob: EncodedBlob) -> None:
        """Append one blob."""
        entry = PackEntry(
            blob_id=identity,
            kind=self.kind,
            offset=len(self.body),
            sealed_bytes=len(blob.sealed),
            compressed_from=blob.compressed_from,
        )
        self.entries.append(entry)
        self.body += blob.sealed

    def has_room_for(self, other: "PackBuilder") -> bool:
        """Tell whether all blobs of `other` may come in here too."""
        return self.kind == other.kind and self.size_bytes + other.size_bytes <= self._full_bytes

    def absorb(self, other: "PackBuilder") -> None:
        """Append all blobs of another pack of the same kind."""
        shift = len(self.body)
        self.entries += (
            msgspec.structs.replace(entry, offset=entry.offset + shift) for entry in other.entries
        )
        self.body += other.body

    def finish(self, key: SealingKey) -> FinishedPack:
        """Append the header; the builder is used up."""
        header = key.seal(encode_header(self.entries))
        self.body += header
        self.body += _LENGTH.pack(len(header))
        return FinishedPack(
            pack_id=file_id(self.body), stored=self.body, entries=tuple(self.entries)
        )


def pack_size_bytes(entries: Iterable[PackEntry]) -> int:
    """Return the size that a pack of these blobs must have."""
    return _LENGTH.size + SEAL_BYTES + sum(e.sealed_bytes + _header_bytes(e) for e in entries)


def encode_header(entries: Sequence[PackEntry]) -> bytes:
    """Return the plain header that lists these blobs."""
    parts = []
    for entry in entries:
        number = 0 if entry.kind == "data" else 1
        if entry.compressed_from:
            parts.append(
                _COMPRESSED.pack(
                    number + 2, entry.sealed_bytes, entry.compressed_from, entry.blob_id
                )
            )
        else:
            parts.append(_STORED.pack(number, entry.sealed_bytes, entry.blob_id))
    return b"".join(parts)


def read_header(stored: bytes | bytearray, key: SealingKey) -> tuple[PackEntry, ...]:
    """Return what the header of a whole pack lists.

    Raises:
        DamagedError: there is no header that verifies.
    """
    if len(stored) < _LENGTH.size + SEAL_BYTES:
        raise DamagedError("too short to be a pack", why=f"{len(stored)} bytes")
    (length,) = _LENGTH.unpack(stored[-_LENGTH.size :])
    start = len(stored) - _LENGTH.size - length
    if start < 0:
        raise DamagedError("the length of the header is impossible", why=f"{length} bytes")
    return _decode_header(key.open(memoryview(stored)[start : -_LENGTH.size]))


def _decode_header(header: memoryview) -> tuple[PackEntry, ...]:
    entries: list[PackEntry] = []
    offset = position = 0
    try:
        while position < len(header):
            if header[position] in (0, 1):
                number, sealed_bytes, identity = _STORED.unpack_from(header, position)
                compressed_from, position = 0, position + _STORED.size
            else:
                number, sealed_bytes, compressed_from, identity = _COMPRESSED.unpack_from(
                    header, position
                )
                position += _COMPRESSED.size
            kind = _KINDS[number]
            entries.append(PackEntry(identity, kind, offset, sealed_bytes, compressed_from))
            offset += sealed_bytes
    except (struct.error, KeyError) as error:
        raise DamagedError("the header of a pack cannot be read", why=str(error)) from error
    return tuple(entries)


def _header_bytes(entry: PackEntry) -> int:
    return _COMPRESSED.size if entry.compressed_from else _STORED.size


_KINDS: Final[dict[int, BlobKind]] = {0: "data", 1: "tree", 2: "data", 3: "tree"}
