"""Bringing sealed blobs from one repository into the packs of another.

Blobs are opened with the key of the source and sealed with that of the target; what is compressed
stays so. The target's writer proves each against its name before its pack is uploaded, so damage is
not carried on: a blob that does not verify is looked for in the other packs that hold it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.contents import PackRows, rows_of_packs
from appshield.repository.index import BlobPlace, Index
from appshield.repository.layout import file_name
from appshield.repository.opening import Sealed, windows
from appshield.repository.packing import PackingWriter
from appshield.repository.packs import PackEntry
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.pruning.using import Marks
from appshield.repository.ranges import PackRanges, PackStream
from appshield.repository.repository import Repository

THREADS: Final = 1
"""Opens and seals faster than any network; a second one would hold a pack and a range more."""

RANGE_BYTES: Final = 4 << 20
"""Read at once: some of them are in memory beside the packs that are written."""

BLOBS_AT_ONCE: Final = 10_000
BYTES_AT_ONCE: Final = 256 << 20
"""Of so many blobs or bytes the places are known at a time, and fetched ahead."""

KINDS: Final[tuple[BlobKind, BlobKind]] = ("tree", "data")

GoOn = Callable[[int, int], None]
"""Called with bytes copied so far and bytes to copy; may raise to stop."""


class UnreadableBlobError(DamagedError):
    """No place of a blob in the source is right."""

    def __init__(self, kind: BlobKind, identity: bytes, why: str) -> None:
        super().__init__(f"{kind} blob {identity.hex()} cannot be read", why=why)
        self.kind = kind
        self.identity = identity


def give_up(error: UnreadableBlobError) -> None:
    """Let a blob that cannot be read end the transfer."""
    raise error


class Transfer:
    """Copies the marked blobs of a source; `marks` has a byte for each row of its index.

    Of a blob that is nowhere right `unreadable` is told, from any thread; it may raise to stop.
    """

    def __init__(
        self,
        source: Repository,
        index: Index,
        marks: Marks,
        writer: PackingWriter,
        go_on: GoOn,
        *,
        unreadable: Callable[[UnreadableBlobError], None] = give_up,
    ) -> None:
        self._source = source
        self._index = index
        self._marks = marks
        self._writer = writer
        self._go_on = go_on
        self._unreadable = unreadable
        self._ranges = PackRanges(source.store, range_bytes=RANGE_BYTES)
        self._codec = BlobCodec(source.key)
        self._bytes_total = sum(_marked_bytes(index, kind, marks[kind]) for kind in KINDS)
        self.blobs = sum(sum(marked) for marked in marks.values())
        self.bytes_done = 0
        """As they are sealed in the source; those that are on their way included."""

    def run(self) -> None:
        """Give all that is marked to the writer.

        Raises:
            UnreadableBlobError: a blob is nowhere right; those before it were copied. Unless
                `unreadable` goes on.
            AppShieldError: what the stores raise, or `go_on`.
        """
        failure = Failure()
        pool = BoundedPool("copy", threads=THREADS, waiting=1, failure=failure)
        try:
            for kind in KINDS:
                packs = _packs_of(self._index, kind, self._marks[kind])
                for wanted in self._batches(kind, rows_of_packs(self._index, packs)):
                    for window, fetched in _fetched(self._ranges.read_planned(wanted)):
                        self._go_on(self.bytes_done, self._bytes_total)
                        pool.submit(partial(self._take, kind, window, fetched))
                        self.bytes_done += sum(blob.sealed_bytes for blob in window)
            pool.drain()
        finally:
            pool.close()

    def _batches(
        self, kind: BlobKind, packs: Iterator[PackRows]
    ) -> Iterator[dict[str, list[Sealed]]]:
        """Yield where marked blobs are, by pack, as many as are read at a time."""
        batch: dict[str, list[Sealed]] = {}
        blobs = size_bytes = 0
        for rows in packs:
            batch[rows.pack_id] = places = [_sealed(entry) for entry in self._marked(kind, rows)]
            blobs += len(places)
            size_bytes += sum(place.sealed_bytes for place in places)
            if blobs >= BLOBS_AT_ONCE or size_bytes >= BYTES_AT_ONCE:
                yield batch
                batch, blobs, size_bytes = {}, 0, 0
        if batch:
            yield batch

    def _marked(self, kind: BlobKind, rows: PackRows) -> Iterator[PackEntry]:
        marks = self._marks[kind]
        for at in range(len(rows)):
            found, row = rows[at]
            if found == kind and marks[row]:
                yield rows.entry(at)

    def _take(self, kind: BlobKind, window: Sequence[Sealed], fetched: memoryview) -> None:
        for blob in window:
            start = blob.offset - window[0].offset
            try:
                self._give(kind, blob, fetched[start : start + blob.sealed_bytes])
            except DamagedError:
                self._give_from_elsewhere(kind, blob)

    def _give(self, kind: BlobKind, blob: Sealed, sealed: memoryview | bytes) -> None:
        packed = self._source.key.open(sealed)
        self._writer.add_packed(kind, blob.blob_id, packed, compressed_from=blob.compressed_from)

    def _give_from_elsewhere(self, kind: BlobKind, blob: Sealed) -> None:
        """Try each place of a blob, and prove what is there before it is given on."""
        why = "no index names it"
        for place in self._index.places(kind, blob.blob_id):
            try:
                sealed = self._read(place)
                compressed_from = place.entry.compressed_from
                self._codec.decode(blob.blob_id, sealed, compressed_from=compressed_from)
            except (DamagedError, ObjectMissingError) as error:
                why = f"{file_name('data', place.pack_id)}: {error}"
                continue
            self._give(kind, _sealed(place.entry), sealed)
            return
        self._unreadable(UnreadableBlobError(kind, blob.blob_id, why))

    def _read(self, place: BlobPlace) -> bytes:
        entry = place.entry
        name = file_name("data", place.pack_id)
        return self._source.store.get(name, offset=entry.offset, length=entry.sealed_bytes)


def _fetched(streams: Iterator[PackStream]) -> Iterator[tuple[Sequence[Sealed], memoryview]]:
    """Yield blobs in groups, with the bytes of their pack from the first of them on."""
    for stream in streams:
        for window in windows(stream.part.blobs):
            start = window[0].offset
            room = memoryview(bytearray(window[-1].end - start))
            yield window, room[: stream.fill(start, room)]


def _sealed(entry: PackEntry) -> Sealed:
    return Sealed(entry.offset, entry.sealed_bytes, entry.compressed_from, entry.blob_id)


def _packs_of(index: Index, kind: BlobKind, marks: bytearray) -> list[int]:
    """Return the rows of the packs that hold marked blobs, ascending."""
    import numpy as np  # here, since whoever only backs up does without it

    packs = np.asarray(index.table(kind).packs)[np.flatnonzero(np.frombuffer(marks, np.uint8))]
    found: list[int] = np.unique(packs).tolist()
    return found


def _marked_bytes(index: Index, kind: BlobKind, marks: bytearray) -> int:
    import numpy as np

    sizes = np.asarray(index.table(kind).sealed_sizes, np.int64)
    return int(sizes[np.flatnonzero(np.frombuffer(marks, np.uint8))].sum())
