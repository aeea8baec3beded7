"""Which blobs are known: those of the index, and those that somebody claims to store in this run.

Claims are in memory that processes share: a table of 128 bits of each blob's id, open addressing,
that grows by segments, each four times as large as the one before, so that a small backup touches
little of it. Nobody locks it. Two who claim one blob in the same instant may both be told to store
it, which is legal; that a blob is taken for known which nobody stores cannot happen, since what is
found are 128 bits of the very id.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from typing import Final, Protocol

from appshield.repository.blobs import BlobKind

KEY_BYTES: Final = 16
FIRST_SLOTS: Final = 1 << 15
GROWTH: Final = 4
MOST_SEGMENTS: Final = 9
"""Two thousand million blobs."""

FULL: Final = 0.6
"""Share of slots that are taken when the next segment is opened."""

HEAD_BYTES: Final = 4096
MOST_PROCESSES: Final = 256

_EMPTY: Final = bytes(KEY_BYTES)
_NUMBER: Final = struct.Struct("<Q")
_COUNTS: Final = struct.Struct(f"<{MOST_PROCESSES - 1}Q")


class KnownBlobs(Protocol):
    """Knows which blobs need not be stored."""

    def claim(self, kind: BlobKind, identity: bytes) -> bool:
        """Tell whether the caller has to store a blob; whoever asks next need not."""
        ...

    def claim_each(self, identities: Sequence[bytes]) -> list[bool]:
        """Tell of many chunks whether the caller has to store them."""
        ...

    def unknown(self, kind: BlobKind, identities: bytes) -> set[bytes]:
        """Return those of many blobs (ids joined) that no index names: they cannot be read."""
        ...


class Indexed(Protocol):
    """An index, as far as claims need one."""

    def has(self, kind: BlobKind, identity: bytes) -> bool:
        """Tell whether a blob is stored."""
        ...

    def unknown(self, kind: BlobKind, identities: bytes) -> set[bytes]:
        """Return those of many blobs (ids joined) that are not stored."""
        ...


class Claims:
    """The index and the claims of a run, as `KnownBlobs`; one thread at a time."""

    def __init__(self, index: Indexed, table: "ClaimTable") -> None:
        self._index = index
        self._table = table

    def unknown(self, kind: BlobKind, identities: bytes) -> set[bytes]:
        """See KnownBlobs."""
        return self._index.unknown(kind, identities)

    def claim(self, kind: BlobKind, identity: bytes) -> bool:
        """See KnownBlobs."""
        if self._index.has(kind, identity):
            return False
        # a chunk may hold the very bytes of a directory: two blobs, told apart by half an id
        return self._table.add(identity[:KEY_BYTES] if kind == "data" else identity[KEY_BYTES:])

    def claim_each(self, identities: Sequence[bytes]) -> list[bool]:
        """See KnownBlobs."""
        new, add = self._index.unknown("data", b"".join(identities)), self._table.add
        return [one in new and add(one[:KEY_BYTES]) for one in identities]


class ClaimTable:
    """The shared table: the number of the last segment, insertions of each process, and segments.

    This is `process`, which counts its own insertions alone; the sum tells when to grow.
    """

    def __init__(self, descriptor: int, *, process: int) -> None:
        self._descriptor = os.dup(descriptor)
        self._map = mmap.mmap(self._descriptor, HEAD_BYTES + KEY_BYTES * _start_of(MOST_SEGMENTS))
        self._own_count = (1 + process % (MOST_PROCESSES - 1)) * _NUMBER.size
        self._added = 0

    @classmethod
    def create(cls, *, process: int = 0) -> "ClaimTable":
        """Make an empty table; what is not touched of it takes no memory."""
        descriptor = os.memfd_create("claims")
        try:
            os.ftruncate(descriptor, HEAD_BYTES + KEY_BYTES * _start_of(MOST_SEGMENTS))
            return cls(descriptor, process=process)
        finally:
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """What another process opens the same table with."""
        return self._descriptor

    def close(self) -> None:
        """Let go of the table."""
        self._map.close()
        os.close(self._descriptor)

    def add(self, key: bytes) -> bool:
        """Put a key of 16 bytes in; False if it was there."""
        table = self._map
        last = table[0]
        start = int.from_bytes(key[:8], "little")
        for segment in range(last + 1):
            base, mask = _SEGMENTS[segment]
            slot = start & mask
            while True:
                place = base + KEY_BYTES * slot
                found = table[place : place + KEY_BYTES]
                if found == key:
                    # an empty key looks like an empty slot: always stored, which is legal
                    return key == _EMPTY
                if found == _EMPTY:
                    break
                slot = (slot + 1) & mask
        table[place : place + KEY_BYTES] = key
        self._added += 1
        if self._added % 256 == 0:
            self._grow(last)
        return True

    def _grow(self, last: int) -> None:
        """Open the next segment when this one is full enough; several may do so at once."""
        _NUMBER.pack_into(self._map, self._own_count, self._added)
        total = sum(_COUNTS.unpack_from(self._map, _NUMBER.size))
        if total >= FULL * _start_of(last + 1) and last + 1 < MOST_SEGMENTS:
            self._map[0] = last + 1


def _start_of(segment: int) -> int:
    """Return how many slots are before a segment."""
    return int(FIRST_SLOTS * (GROWTH**segment - 1) // (GROWTH - 1))


_SEGMENTS: Final = tuple(
    (HEAD_BYTES + KEY_BYTES * _start_of(segment), FIRST_SLOTS * GROWTH**segment - 1)
    for segment in range(MOST_SEGMENTS)
)
"""Where each segment begins, and the mask for its slots."""
