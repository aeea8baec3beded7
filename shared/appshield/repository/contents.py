"""Which rows of an index lie in which pack: the index read the other way round.

Tables are ascending by blob. The rows of some packs at a time are looked for, which costs one pass
over a column each time and no memory that stays.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.packs import PackEntry
from appshield.repository.tables import BlobTable

BLOBS_AT_ONCE: Final = 100_000
"""Packs are taken together up to so many blobs; a pack of small files alone may have more."""

_KINDS: Final[tuple[BlobKind, BlobKind]] = ("data", "tree")

Row = tuple[BlobKind, int]


class PackRows:
    """The blobs of one pack (its row), in the order of the pack: eight bytes for each."""

    def __init__(self, index: Index, pack: int, codes: "array[int]") -> None:
        self.pack = pack
        self._index = index
        self._codes = codes

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, at: int) -> Row:
        code = self._codes[at]
        return _KINDS[code & 1], code >> 1

    @property
    def pack_id(self) -> str:
        """The id of the pack."""
        return self._index.tables.packs.identity(self.pack).hex()

    def entry(self, at: int) -> PackEntry:
        """Return one blob as the index describes it."""
        return self._index.place(*self[at]).entry

    def starts(self) -> "array[int]":
        """Return where each blob starts, and where the last one ends, in bytes."""
        starts = array("Q", [self._table(at).offsets[self[at][1]] for at in range(len(self))])
        starts.append(starts[-1] + self.entry(len(self) - 1).sealed_bytes if starts else 0)
        return starts

    def _table(self, at: int) -> BlobTable:
        return self._index.table(self[at][0])


def rows_of_packs(index: Index, packs: Sequence[int]) -> Iterator[PackRows]:
    """Yield the rows of each of these packs."""
    for group in _groups(index, packs):
        yield from _rows_of(index, group)


def _groups(index: Index, packs: Sequence[int]) -> Iterator[list[int]]:
    """Yield the packs in groups of not too many blobs."""
    import numpy as np  # here, since whoever only backs up does without it

    blobs = np.zeros(len(index.tables.packs), np.int64)
    for _, table in index.tables.by_kind():
        blobs += np.bincount(np.asarray(table.packs), minlength=len(blobs))
    group: list[int] = []
    for pack in packs:
        if group and int(blobs[group].sum() + blobs[pack]) > BLOBS_AT_ONCE:
            yield group
            group = []
        group.append(pack)
    if group:
        yield group


def _rows_of(index: Index, group: list[int]) -> Iterator[PackRows]:
    import numpy as np

    wanted = np.zeros(len(index.tables.packs), np.bool_)
    wanted[group] = True
    parts = []
    for number, (_, table) in enumerate(index.tables.by_kind()):
        rows = np.flatnonzero(wanted[np.asarray(table.packs)])
        parts.append(
            (rows * 2 + number, np.asarray(table.packs)[rows], np.asarray(table.offsets)[rows])
        )
    codes, packs, offsets = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((offsets, packs))
    codes, packs = codes[order], packs[order]
    for pack in group:
        first, last = np.searchsorted(packs, [pack, pack + 1])
        yield PackRows(index, pack, array("q", codes[first:last].astype(np.int64).tobytes()))
