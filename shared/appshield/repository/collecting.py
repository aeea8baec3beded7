"""Collecting what index files name, and sorting it into tables.

One index file is in memory as objects at a time; what stays of it are the columns of unsorted
arrays, 48 bytes a blob, which give way one by one to the sorted ones. Small indexes are sorted by
Python itself: to import numpy takes longer than that and costs 19 MiB.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind
from appshield.repository.index_documents import IndexDocument, IndexedBlob, IndexedPack
from appshield.repository.tables import BlobTable, IndexTables, NewTables

FEW_ROWS: Final = 200_000
"""Up to here Python sorts about as fast as numpy is imported."""

PACK_FRAME_BYTES: Final = 36
"""What a pack has beside its blobs and their entries: seal and length of the header."""

ENTRY_BYTES: Final = 37
COMPRESSED_ENTRY_BYTES: Final = 41


class IndexBuilder:
    """Takes packs, each once, and makes tables of them, beside what stands in earlier tables."""

    def __init__(self, earlier: IndexTables | None = None) -> None:
        self._numbers: dict[bytes, int] = {}
        self._sizes = array("Q")
        self._blobs: dict[BlobKind, _Rows] = {"data": _Rows(), "tree": _Rows()}
        if earlier is not None:
            packs = earlier.packs
            self._numbers.update((packs.identity(row), row) for row in range(len(packs)))
            self._sizes.frombytes(packs.sizes.cast("B"))
            for kind, table in earlier.by_kind():
                self._blobs[kind].take(table)

    def add_document(self, document: IndexDocument) -> None:
        """Add what an index file names; a pack that is known already is passed over.

        Raises:
            DamagedError: an entry cannot be one of an index.
        """
        self.add_packs(document.packs)

    def add_packs(self, packs: Iterable[IndexedPack]) -> None:
        """Add these packs; see `add_document`."""
        blobs: dict[BlobKind, list[IndexedBlob]] = {"data": [], "tree": []}
        numbers: dict[BlobKind, array[int]] = {"data": array("I"), "tree": array("I")}
        for pack in packs:
            number = self._number(pack)
            if number is None:
                continue
            for kind in {blob.type for blob in pack.blobs}:  # one, but for restic's first format
                mine = [blob for blob in pack.blobs if blob.type == kind]
                blobs[kind] += mine
                numbers[kind].extend(repeat(number, len(mine)))
        for kind, rows in self._blobs.items():
            rows.extend(blobs[kind], numbers[kind])

    def build(self) -> IndexTables:
        """Return the tables of all that was added; the builder is used up."""
        data, trees = self._blobs["data"], self._blobs["tree"]
        new = NewTables(packs=len(self._sizes), data=len(data), trees=len(trees))
        columns = new.columns
        ranks = self._place_packs(columns.pack_words, columns.pack_sizes)
        for rows, words, numbers in (
            (data, columns.data_words, columns.data_numbers),
            (trees, columns.tree_words, columns.tree_numbers),
        ):
            rows.place(words, numbers, ranks)
        return new.finish()

    def _number(self, pack: IndexedPack) -> int | None:
        """Return the number of a new pack, None if it is known."""
        identity = _raw(pack.id)
        if len(identity) != 32:
            raise DamagedError("a pack in the index has an impossible id", why=repr(pack.id))
        if identity in self._numbers:
            return None
        number = self._numbers[identity] = len(self._numbers)
        self._sizes.append(indexed_pack_bytes(pack))
        return number

    def _place_packs(self, words: list[memoryview], sizes: memoryview) -> "array[int]":
        """Write the packs in the order of their ids; return the row of each number."""
        identities = _words(b"".join(self._numbers))
        self._numbers.clear()
        order = _order(identities[0::4])
        for part, column in enumerate(words):
            _rearrange(identities[part::4], order, column)
        _rearrange(self._sizes, order, sizes)
        ranks = array("I", bytes(4 * len(sizes)))
        for rank, number in enumerate(order):
            ranks[number] = rank
        return ranks


class _Rows:
    """Unsorted columns of the blobs of one kind."""

    def __init__(self) -> None:
        self._words = [array("Q") for _ in range(4)]
        self._numbers = [array("I") for _ in range(4)]

    def __len__(self) -> int:
        return len(self._words[0])

    def take(self, table: BlobTable) -> None:
        """Copy a table, in which packs have the same numbers."""
        numbers = (table.packs, table.offsets, table.sealed_sizes, table.compressed_from)
        for target, column in zip(self._words, table.words, strict=True):
            target.frombytes(column.cast("B"))
        for target, column in zip(self._numbers, numbers, strict=True):
            target.frombytes(column.cast("B"))

    def extend(self, blobs: list[IndexedBlob], packs: "array[int]") -> None:
        raw = _raw("".join([blob.id for blob in blobs]))
        if {len(blob.id) for blob in blobs} - {64} or len(raw) != 32 * len(blobs):
            raise DamagedError("a blob in the index has an impossible id")
        identities = _words(raw)
        try:
            numbers = (
                packs,
                array("I", [blob.offset for blob in blobs]),
                array("I", [blob.length for blob in blobs]),
                array("I", [blob.uncompressed_length for blob in blobs]),
            )
        except OverflowError as error:
            raise DamagedError("a blob in the index has an impossible size") from error
        for part, column in enumerate(self._words):
            column.extend(identities[part::4])
        for column, values in zip(self._numbers, numbers, strict=True):
            column.extend(values)

    def place(
        self, words: list[memoryview], numbers: list[memoryview], ranks: "array[int]"
    ) -> None:
        """Write the columns in the order of the ids; each is dropped when it is written."""
        order = _order(self._words[0])
        self._numbers[0] = _mapped(ranks, self._numbers[0])
        for target in words:
            _rearrange(self._words.pop(0), order, target)
        for target in numbers:
            _rearrange(self._numbers.pop(0), order, target)


def indexed_pack_bytes(pack: IndexedPack) -> int:
    """Return the size that a pack of these blobs must have."""
    blobs = pack.blobs
    stored = [blob.uncompressed_length for blob in blobs].count(0)
    return (
        PACK_FRAME_BYTES
        + sum([blob.length for blob in blobs])
        + ENTRY_BYTES * stored
        + COMPRESSED_ENTRY_BYTES * (len(blobs) - stored)
    )


def _raw(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise DamagedError("an id in the index cannot be read") from error


def _words(identities: bytes) -> "array[int]":
    """Return ids as words, so that comparing words compares ids."""
    words = array("Q", identities)
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _order(first_words: "array[int]") -> Sequence[int]:
    """Return the rows in the order of their ids; of equal ones the first comes first."""
    if len(first_words) <= FEW_ROWS:
        return sorted(range(len(first_words)), key=first_words.__getitem__)
    import numpy as np

    return np.frombuffer(first_words, np.uint64).argsort(kind="stable").data


def _rearrange(column: "array[int]", order: Sequence[int], target: memoryview) -> None:
    """Write a column in this order to where it belongs."""
    if len(order) <= FEW_ROWS:
        target[:] = array(column.typecode, [column[row] for row in order])
        return
    import numpy as np

    # "clip" takes the rows straight to the target, "raise" makes a copy between
    np.take(np.frombuffer(column, column.typecode), order, out=np.asarray(target), mode="clip")


def _mapped(ranks: "array[int]", column: "array[int]") -> "array[int]":
    """Return a column of numbers of packs as one of their rows."""
    if len(column) <= FEW_ROWS:
        return array("I", [ranks[number] for number in column])
    import numpy as np

    rows = np.frombuffer(column, np.uint32)
    np.take(np.frombuffer(ranks, np.uint32), rows, out=rows, mode="clip")
    return column
