"""Ranges of packs: one request brings a blob and its neighbours, which are mostly wanted next.

Two ways to read: one blob at a time, with what is around it kept for a while; or many blobs, of
which all are known, by a plan of few requests that run ahead of the reader.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError, ObjectStore, RangeReader
from appshield.repository.layout import file_name
from appshield.repository.opening import Sealed

READ_AHEAD_BYTES: Final = 4 << 20
WHOLE_BYTES: Final = 256 << 10
"""A pack up to this size comes whole: the directories in it are read from its end to its start."""

KEPT_BYTES: Final = 32 << 20
"""What is kept of packs; a single blob that is larger is not."""

RANGE_BYTES: Final = 32 << 20
"""A pack of the usual size comes with one request; it is in memory in windows only."""
GAP_BYTES: Final = 1 << 20
"""Bytes between two wanted blobs that are rather fetched than made a reason for two requests."""
RANGES_AHEAD: Final = 1
"""Of each plan, beside the range that is read: the plan after it is begun meanwhile."""


class PackRange(NamedTuple):
    """A part of a pack to fetch at once, from `start` to `end`, and the blobs wanted of it."""

    pack_id: str
    start: int
    end: int
    blobs: list[Sealed]


class PackStream:
    """A range of a pack that is on its way, read from its start to its end."""

    def __init__(self, part: PackRange, reader: RangeReader) -> None:
        self.part = part
        self._reader = reader
        self._position = part.start

    def fill(self, start: int, buffer: memoryview) -> int:
        """Fill a buffer from an offset of the pack on, not before where the last one ended.

        Returns how many bytes: fewer where the pack ends, none where it is missing.

        Raises:
            AppShieldError: the store cannot be reached, or refuses.
        """
        try:
            while self._position < start:
                if not self._read(buffer[: start - self._position]):
                    return 0
            return self._read(buffer)
        except ObjectMissingError:
            return 0

    def _read(self, buffer: memoryview) -> int:
        length = self._reader.readinto(buffer)
        self._position += length
        return length

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()


def plan(
    wanted: Mapping[str, list[Sealed]], *, range_bytes: int = RANGE_BYTES
) -> Iterator[PackRange]:
    """Yield the ranges that bring these blobs of packs, in the order of each pack."""
    for pack_id, blobs in wanted.items():
        blobs.sort()
        first = 0
        start, end = blobs[0].offset, 0
        for number, blob in enumerate(blobs):
            blob_end = blob.offset + blob.sealed_bytes
            if number > first and (blob.offset - end > GAP_BYTES or blob_end - start > range_bytes):
                yield PackRange(pack_id, start, end, blobs[first:number])
                first, start = number, blob.offset
            end = blob_end
        yield PackRange(pack_id, start, end, blobs[first:])


class PackRanges:
    """Reads parts of packs and keeps the last few; thread-safe.

    What is planned is read in ranges of at most `range_bytes`, unless a single blob has more.
    """

    def __init__(self, store: ObjectStore, *, range_bytes: int = RANGE_BYTES) -> None:
        self._store = store
        self._range_bytes = range_bytes
        self._changing = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._kept_bytes = 0

    def read(self, pack_id: str, *, offset: int, length: int, pack_size: int) -> memoryview:
        """Return `length` bytes of a pack.

        Raises:
            DamagedError: the pack is missing or too short.
        """
        kept = self._find(pack_id, offset, length)
        if kept is not None:
            return kept
        start = 0 if 0 < pack_size <= WHOLE_BYTES else offset
        wanted = max(offset - start + length, min(READ_AHEAD_BYTES, pack_size - start))
        part = self._get(pack_id, start, wanted)
        found = memoryview(part)[offset - start :][:length]
        if len(found) < length:
            name = file_name("data", pack_id)
            raise DamagedError(f"{name} is cut off", why=f"no {length} bytes at offset {offset}")
        self._keep((pack_id, start), part)
        return found

    def read_planned(self, wanted: Mapping[str, list[Sealed]]) -> Iterator[PackStream]:
        """Ask for the first ranges of a plan, and return all of them, one after the other.

        Each is read before the next one is asked for; nothing of it is kept for later.

        Raises:
            AppShieldError: from the iterator: the store cannot be asked.
        """
        ranges = plan(wanted, range_bytes=self._range_bytes)
        ahead = deque(map(self._begin, islice(ranges, RANGES_AHEAD)))
        return self._taken(ranges, ahead)

    def _begin(self, part: PackRange) -> PackStream:
        name = file_name("data", part.pack_id)
        length = part.end - part.start
        return PackStream(part, self._store.open_range(name, offset=part.start, length=length))

    def _taken(self, ranges: Iterator[PackRange], ahead: deque[PackStream]) -> Iterator[PackStream]:
        try:
            while ahead:
                ahead.extend(map(self._begin, islice(ranges, 1)))
                yield ahead[0]
                ahead.popleft().close()
        finally:
            for stream in ahead:
                stream.close()

    def _get(self, pack_id: str, offset: int, length: int) -> bytes:
        name = file_name("data", pack_id)
        try:
            return self._store.get(name, offset=offset, length=length)
        except ObjectMissingError as error:
            raise DamagedError(f"{name} is missing") from error

    def _keep(self, where: tuple[str, int], part: bytes) -> None:
        if len(part) > KEPT_BYTES // 2:
            return
        with self._changing:
            self._kept_bytes += len(part) - len(self._kept.pop(where, b""))
            self._kept[where] = part
            while self._kept_bytes > KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])

    def _find(self, pack_id: str, offset: int, length: int) -> memoryview | None:
        with self._changing:
            for (kept_pack, start), part in self._kept.items():
                if kept_pack == pack_id and start <= offset <= start + len(part) - length:
                    self._kept.move_to_end((kept_pack, start))
                    return memoryview(part)[offset - start :][:length]
        return None
