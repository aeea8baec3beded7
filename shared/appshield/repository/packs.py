"""Packs: files of about 16 MiB that hold many blobs, and a sealed header that lists them.

    blob ‖ … ‖ blob ‖ seal(header) ‖ length of the sealed header as uint32, little endian

A pack describes itself: an index can be made again from its packs. Data and trees never share one.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.repository.blobs import LARGEST_BLOB_BYTES, BlobCodec, BlobKind
from appshield.repository.crypto import SEAL_BYTES, SealingKey
from appshield.repository.hashing import sha256_each
from appshield.repository.memory import untouched
from appshield.repository.opening import Sealed

PACK_BYTES: Final = 16 << 20
"""A pack is closed when it has reached this size (restic's default)."""

MOST_BLOBS: Final = 200_000
"""Half of what fits the largest header that restic reads (16 MiB)."""

ROOM_BYTES: Final = LARGEST_BLOB_BYTES + (1 << 20)
"""Room of a buffer for what comes last: a chunk that fills the pack, and the header."""

PROVED_BYTES: Final = 2 << 20
"""Proved at once: several chunks, of which the cache of a processor still holds most."""

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
    """A pack that is ready to be stored; `header` lists its blobs, as `decode_header` reads it."""

    pack_id: str
    stored: memoryview
    header: bytes
    blobs: int


class StoredPack(msgspec.Struct, frozen=True, tag=True):
    """A pack that is durable and in no index yet; `header` lists its blobs."""

    pack_id: str
    size_bytes: int
    header: bytes
    blobs: int


class PackBuilder:
    """A pack under construction; belongs to one thread at a time.

    Blobs are sealed into `buffer`, which may be one that another pack has left.
    """

    def __init__(
        self, kind: BlobKind, *, full_bytes: int = PACK_BYTES, buffer: mmap.mmap | None = None
    ) -> None:
        self.kind: BlobKind = kind
        self._full_bytes = full_bytes
        self.buffer = untouched(full_bytes + ROOM_BYTES) if buffer is None else buffer
        self._view = memoryview(self.buffer)
        self.size_bytes = 0
        self.blobs = 0
        self.header = bytearray()
        """Lists the blobs, as `decode_header` reads it."""
        self._unproved: list[Sealed] = []
        self._unproved_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to finish."""
        return self.size_bytes >= self._full_bytes or self.blobs >= MOST_BLOBS

    def add(
        self,
        codec: BlobCodec,
        identity: bytes,
        pieces: Sequence[bytes | memoryview],
        *,
        compressed_from: int,
        prove_now: bool = False,
    ) -> None:
        """Seal a packed blob (`BlobCodec.pack`) into this pack; raises as `prove`, now and then.

        With `prove_now` it is proved before it counts: one that is wrong leaves no trace.
        """
        self._make_room(sum(map(len, pieces)) + SEAL_BYTES)
        sealed_bytes = codec.seal_into(self._view, self.size_bytes, pieces)
        sealed = Sealed(self.size_bytes, sealed_bytes, compressed_from, identity)
        if prove_now:
            self.prove(codec)
            codec.prove(self._view, (sealed,))
            self._list(identity, sealed_bytes, compressed_from)
            return
        self._list(identity, sealed_bytes, compressed_from)
        self._prove_later(codec, (sealed,))

    def add_each(
        self, codec: BlobCodec, identities: Sequence[bytes], packed: Sequence[tuple[bytes, int]]
    ) -> None:
        """Seal small chunks (`BlobCodec.pack_each`) into this pack; raises as `add`."""
        self._make_room(sum([len(piece) + SEAL_BYTES for piece, _ in packed]))
        sizes = codec.seal_each_into(self._view, self.size_bytes, packed)
        offsets = accumulate(sizes, initial=self.size_bytes)
        sealed = [
            Sealed(offset, size, plain_bytes, identity)
            for identity, size, (_, plain_bytes), offset in zip(
                identities, sizes, packed, offsets, strict=False
            )
        ]
        self.header += b"".join(
            [
                _COMPRESSED.pack(2, size, plain_bytes, identity)
                if plain_bytes
                else _STORED.pack(0, size, identity)
                for identity, size, (_, plain_bytes) in zip(identities, sizes, packed, strict=True)
            ]
        )
        self.size_bytes += sum(sizes)
        self.blobs += len(sizes)
        self._prove_later(codec, sealed)

    def prove(self, codec: BlobCodec) -> None:
        """Prove what was sealed into this pack and is not proved yet; before it leaves.

        Raises:
            DamagedError: a blob changed while it was encoded.
        """
        if self._unproved:
            codec.prove(self._view, self._unproved)
        self._unproved.clear()
        self._unproved_bytes = 0

    def add_sealed(self, entry: PackEntry, sealed: memoryview) -> None:
        """Take over a blob as it is sealed in another pack."""
        self._make_room(len(sealed))
        self._view[self.size_bytes : self.size_bytes + len(sealed)] = sealed
        self._list(entry.blob_id, len(sealed), entry.compressed_from)

    def has_room_for(self, other: "PackBuilder") -> bool:
        """Tell whether all blobs of `other` may come in here too."""
        return self.kind == other.kind and self.size_bytes + other.size_bytes <= self._full_bytes

    def absorb(self, other: "PackBuilder") -> None:
        """Append all blobs of another pack of the same kind."""
        self._make_room(other.size_bytes)
        end = self.size_bytes + other.size_bytes
        with memoryview(other.buffer) as theirs:
            self._view[self.size_bytes : end] = theirs[: other.size_bytes]
        self.size_bytes = end
        self.blobs += other.blobs
        self.header += other.header

    def finish(self, key: SealingKey) -> FinishedPack:
        """Append the header; the builder is used up. All must be proved."""
        self._make_room(len(self.header) + SEAL_BYTES + _LENGTH.size)
        length = key.seal_into((self.header,), self._view, self.size_bytes)
        end = self.size_bytes + length
        _LENGTH.pack_into(self._view, end, length)
        stored = self._view[: end + _LENGTH.size]
        (digest,) = sha256_each(stored, [len(stored)])
        return FinishedPack(
            pack_id=digest.hex(), stored=stored, header=bytes(self.header), blobs=self.blobs
        )

    def leave_buffer(self) -> mmap.mmap:
        """Return the buffer for another pack, once nobody looks at what was finished."""
        self._view.release()
        return self.buffer

    def _prove_later(self, codec: BlobCodec, sealed: Sequence[Sealed]) -> None:
        """Prove many at once, soon after they were sealed."""
        self._unproved += sealed
        self._unproved_bytes += sum(blob.plain_bytes for blob in sealed)
        if self._unproved_bytes >= PROVED_BYTES:
            self.prove(codec)

    def _list(self, identity: bytes, sealed_bytes: int, compressed_from: int) -> None:
        number = 0 if self.kind == "data" else 1
        if compressed_from:
            self.header += _COMPRESSED.pack(number + 2, sealed_bytes, compressed_from, identity)
        else:
            self.header += _STORED.pack(number, sealed_bytes, identity)
        self.size_bytes += sealed_bytes
        self.blobs += 1

    def _make_room(self, size_bytes: int) -> None:
        """Let the buffer grow where a blob is larger than any chunk, as large directories are."""
        missing = self.size_bytes + size_bytes - len(self.buffer)
        if missing > 0:
            self._view.release()
            self.buffer.resize(len(self.buffer) + missing)
            self._view = memoryview(self.buffer)


def pack_size_bytes(entries: Iterable[PackEntry]) -> int:
    """Return the size that a pack of these blobs must have."""
    return _LENGTH.size + SEAL_BYTES + sum(e.sealed_bytes + _header_bytes(e) for e in entries)


def read_header(stored: bytes | bytearray | memoryview, key: SealingKey) -> tuple[PackEntry, ...]:
    """Return what the header of a pack lists, given the whole pack or enough of its end.

    Raises:
        DamagedError: there is no header that verifies.
    """
    if len(stored) < _LENGTH.size + SEAL_BYTES:
        raise DamagedError("too short to be a pack", why=f"{len(stored)} bytes")
    (length,) = _LENGTH.unpack(stored[-_LENGTH.size :])
    start = len(stored) - _LENGTH.size - length
    if start < 0:
        raise DamagedError("the length of the header is impossible", why=f"{length} bytes")
    return decode_header(key.open(memoryview(stored)[start : -_LENGTH.size]))


def decode_header(header: bytes | memoryview) -> tuple[PackEntry, ...]:
    """Return what a plain header lists; DamagedError if it cannot be read."""
    return tuple([PackEntry(*fields) for fields in read_entries(header)])


def read_entries(header: bytes | memoryview) -> Iterator[tuple[bytes, BlobKind, int, int, int]]:
    """Yield the fields of each `PackEntry` of a plain header; DamagedError if it cannot be read."""
    offset = position = 0
    try:
        while position < len(header):
            if header[position] < 2:
                number, sealed_bytes, identity = _STORED.unpack_from(header, position)
                compressed_from, position = 0, position + _STORED.size
            else:
                number, sealed_bytes, compressed_from, identity = _COMPRESSED.unpack_from(
                    header, position
                )
                position += _COMPRESSED.size
            yield identity, _KINDS[number], offset, sealed_bytes, compressed_from
            offset += sealed_bytes
    except (struct.error, KeyError) as error:
        raise DamagedError("the header of a pack cannot be read", why=str(error)) from error


def _header_bytes(entry: PackEntry) -> int:
    return _COMPRESSED.size if entry.compressed_from else _STORED.size


_KINDS: Final[dict[int, BlobKind]] = {0: "data", 1: "tree", 2: "data", 3: "tree"}
