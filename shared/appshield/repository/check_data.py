"""Reading packs to see whether every byte of them is what it was.

A pack is read in parts of some MiB, whatever its size. A sample takes those packs whose ids fall
into one of so many parts: as many turns, one after the other, read every pack once.
"""

import functools
import hashlib
import math
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import ObjectMissingError, ObjectStore
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.comparing import WrongPack
from appshield.repository.contents import PackRows, Row, rows_of_packs
from appshield.repository.findings import Findings
from appshield.repository.index import Index
from appshield.repository.layout import file_name
from appshield.repository.packs import read_header
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.repository import Repository

READING_THREADS: Final = 2

BlobId = tuple[BlobKind, bytes]
"""A blob, whichever index and pack it is in."""

PART_BYTES: Final = 20 << 20
"""A pack of ordinary size is read at once."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """How much to read, as a share of all packs or in bytes, and which turn this is.

    A share of 0.1 covers everything in any ten turns that follow each other; a size does so too
    while the repository does not grow.
    """

    turn: int
    share: float | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        wrong_share = self.share is not None and not 0 < self.share <= 1
        wrong_size = self.size_bytes is not None and self.size_bytes <= 0
        if (self.share is None) == (self.size_bytes is None) or wrong_share or wrong_size:
            raise InvalidInputError(
                "a sample is either a share of the data or a size",
                why=f"the share is {self.share}, the size {self.size_bytes}",
                next_step="Give a share above 0 and at most 1, or a number of bytes",
            )

    def parts(self, all_bytes: int) -> int:
        """Return in how many parts the packs fall, of which one is the sample."""
        if self.share is not None:
            return math.ceil(1 / self.share - 1e-9)
        return max(1, math.ceil(all_bytes / (self.size_bytes or 1)))


class DataCheck:
    """Reads packs and keeps which blobs are damaged."""

    def __init__(
        self,
        repository: Repository,
        index: Index,
        wrong: dict[int, WrongPack],
        findings: Findings,
        moved: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._index = index
        self._wrong = wrong
        self._findings = findings
        self._moved = moved
        self._codec = BlobCodec(repository.key)
        self._damaged: dict[Row, str] = {}
        self._bad: set[int] = set()
        self._counting = threading.Lock()
        self._comparing = threading.Lock()
        self.read_wrong: set[int] = set()
        self.packs_read = 0
        self.bytes_read = 0

    def read(self, sample: Sample | None) -> None:
        """Read all packs, or a sample; packs of the wrong size too, for what is left in them."""
        pool = BoundedPool("check", threads=READING_THREADS, waiting=0, failure=Failure())
        try:
            for rows in rows_of_packs(self._index, self._chosen(sample)):
                pool.submit(functools.partial(self._read_pack, rows))
                self.packs_read += 1
                self._moved()
            pool.drain()
        finally:
            pool.close()

    def why_damaged(self, kind: BlobKind, row: int) -> str | None:
        """Tell why a blob cannot be read: each copy of it is damaged."""
        if not self._damaged or (kind, row) not in self._damaged:
            return None
        if any((kind, other) not in self._damaged for other in self._index.table(kind).same(row)):
            return None
        return self._damaged[kind, row]

    def damage(self) -> Iterator[tuple[str, frozenset[BlobId]]]:
        """Yield each pack that is not as it was, with those of its blobs that cannot be read."""
        for rows in rows_of_packs(self._index, sorted(self._bad)):
            places = [rows[at] for at in range(len(rows))]
            yield (
                rows.pack_id,
                frozenset(
                    (kind, self._index.table(kind).identity(row))
                    for kind, row in places
                    if (kind, row) in self._damaged
                ),
            )

    def _chosen(self, sample: Sample | None) -> Sequence[int]:
        packs = self._index.tables.packs
        there = (row for row in range(len(packs)) if not self._is_missing(row))
        if sample is None:
            return array("I", there)
        parts = sample.parts(sum(packs.sizes))
        # the last word of an id: packs lie in tables, and in folders of a store, by the first
        return array("I", (r for r in there if packs.words[3][r] % parts == sample.turn % parts))

    def _is_missing(self, pack: int) -> bool:
        return pack in self._wrong and self._wrong[pack].found_bytes is None

    def _read_pack(self, rows: PackRows) -> None:
        name = file_name("data", rows.pack_id)
        hashing = hashlib.sha256()
        size_bytes = self._index.tables.packs.sizes[rows.pack]
        try:
            for part in _read_parts(self._repository.store, name, rows.starts(), size_bytes):
                hashing.update(part.stored)
                self._count(len(part.stored))
                for at in part.blobs:
                    self._check_blob(rows, at, part)
        except ObjectMissingError:
            what = f"pack {rows.pack_id} is missing"
            self._found(rows.pack, name, what)
            self._damaged.update((rows[at], what) for at in range(len(rows)))
            return
        if hashing.hexdigest() != rows.pack_id:
            self._found(rows.pack, name, "its bytes do not match its name")
        self._check_header(name, rows, part.stored)
        if rows.pack in self._wrong:
            self.read_wrong.add(rows.pack)

    def _check_header(self, name: str, rows: PackRows, tail: memoryview) -> None:
        try:
            with self._comparing:  # one at a time: of a pack of small files this is much
                found = read_header(tail, self._repository.key)
                agree = len(found) == len(rows) and all(
                    entry == rows.entry(at) for at, entry in enumerate(found)
                )
            if not agree:
                self._found(rows.pack, name, "its header and the index disagree")
        except DamagedError as error:
            self._found(rows.pack, name, f"its header is damaged: {error}")

    def _check_blob(self, rows: PackRows, at: int, part: "_Part") -> None:
        pack_id, entry = rows.pack_id, rows.entry(at)
        start = entry.offset - part.offset
        sealed = part.stored[start : start + entry.sealed_bytes]
        try:
            self._codec.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)
        except DamagedError as error:
            what = f"{entry.kind} blob {entry.blob_id.hex()} in pack {pack_id} is damaged: {error}"
            self._found(rows.pack, file_name("data", pack_id), what)
            self._damaged[rows[at]] = what

    def _found(self, pack: int, name: str, what: str) -> None:
        self._findings.error(name, what)
        self._bad.add(pack)

    def _count(self, size_bytes: int) -> None:
        with self._counting:
            self.bytes_read += size_bytes
        self._moved()


class _Part(msgspec.Struct):
    """Bytes of a pack from `offset` on, and which of its blobs are in them."""

    offset: int
    stored: memoryview
    blobs: range


def _read_parts(
    store: ObjectStore, name: str, starts: "array[int]", size_bytes: int
) -> Iterator[_Part]:
    """Yield a pack from its start to its end; the last part is the header and has no blobs.

    `starts` says where each blob starts and where the last one ends.
    """
    blobs, end = len(starts) - 1, starts[-1]
    if size_bytes <= PART_BYTES:
        # one byte more than wanted, to see whether there is more
        whole = memoryview(store.get(name, length=size_bytes + 1))
        yield _Part(0, whole[:end], range(blobs))
        yield _Part(end, whole[end:], range(0))
        return
    first = start = 0
    for at in range(1, blobs + 1):
        if at == blobs or starts[at + 1] - start > PART_BYTES:
            part = memoryview(store.get(name, offset=start, length=starts[at] - start))
            yield _Part(start, part, range(first, at))
            first, start = at, starts[at]
    rest = store.get(name, offset=end, length=size_bytes + 1 - end)
    yield _Part(end, memoryview(rest), range(0))
