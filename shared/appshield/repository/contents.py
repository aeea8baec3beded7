"""Which rows of an index lie in which pack: the index read the other way round.

Tables are ascending by blob. Packs are looked for some hundred at a time, which costs one pass over
a column each time and no memory that stays.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.packs import PackEntry
from appshield.repository.tables import BlobTable

PACKS_AT_ONCE: Final = 256

Row = tuple[BlobKind, int]


def rows_of_packs(index: Index, packs: Sequence[int]) -> Iterator[tuple[int, list[Row]]]:
    """Yield each pack (its row) with the rows of its blobs, in the order of the pack."""
    for start in range(0, len(packs), PACKS_AT_ONCE):
        group = packs[start : start + PACKS_AT_ONCE]
        found: dict[int, list[tuple[int, Row]]] = {pack: [] for pack in group}
        for kind, table in index.tables.by_kind():
            _collect(len(index.tables.packs), kind, table, found)
        for pack, rows in found.items():
            yield pack, [row for _, row in sorted(rows)]


def entries_of(index: Index, rows: Sequence[Row]) -> tuple[PackEntry, ...]:
    """Return the entries in these rows."""
    return tuple(index.place(kind, row).entry for kind, row in rows)


def _collect(
    packs: int, kind: BlobKind, table: BlobTable, found: dict[int, list[tuple[int, Row]]]
) -> None:
    import numpy as np  # here, since whoever only backs up does without it

    wanted = np.zeros(packs, np.bool_)
    wanted[list(found)] = True
    for row in np.flatnonzero(wanted[np.asarray(table.packs)]).tolist():
        found[table.packs[row]].append((table.offsets[row], (kind, row)))
