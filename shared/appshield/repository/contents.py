"""Which rows of an index lie in which pack: the index read the other way round.

Tables are ascending by blob. Packs are looked for some hundred at a time, which costs one pass over
a column each time and no memory that stays.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.packs import PackEntry

PACKS_AT_ONCE: Final = 256
KINDS: Final[tuple[BlobKind, BlobKind]] = ("data", "tree")

Row = tuple[BlobKind, int]


def rows_of_packs(index: Index, packs: Sequence[int]) -> Iterator[tuple[int, list[Row]]]:
    """Yield each pack (its row) with the rows of its blobs, in the order of the pack."""
    for start in range(0, len(packs), PACKS_AT_ONCE):
        group = packs[start : start + PACKS_AT_ONCE]
        found: dict[int, list[tuple[int, Row]]] = {pack: [] for pack in group}
        for kind in KINDS:
            _collect(index, kind, found)
        for pack, rows in found.items():
            yield pack, [row for _, row in sorted(rows)]


def entries_of(index: Index, rows: Sequence[Row]) -> tuple[PackEntry, ...]:
    """Return the entries in these rows."""
    return tuple(index.place(kind, row).entry for kind, row in rows)


def _collect(index: Index, kind: BlobKind, found: dict[int, list[tuple[int, Row]]]) -> None:
    import numpy as np  # here, since whoever only backs up does without it

    table = index.table(kind)
    wanted = np.zeros(len(index.tables.packs), np.bool_)
    wanted[list(found)] = True
    packs = np.asarray(table.packs)
    for row in np.flatnonzero(wanted[packs]).tolist():
        found[table.packs[row]].append((table.offsets[row], (kind, row)))
