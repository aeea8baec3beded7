"""Deciding what happens to each pack: keep it, drop it, or store what is needed of it anew.

A blob that is in several packs is needed in one of them only. Packs of which a part is unused are
repacked, the emptiest first, until what stays unused is tolerable; small packs when it makes them
one. Pure: tables in, plan out.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

import msgspec

from appshield.repository.packs import PACK_BYTES
from appshield.repository.pruning.using import Marks
from appshield.repository.tables import BlobTable, IndexTables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

SMALL_SHARE: Final = 0.5
"""A pack is small below this share of an ordinary one."""

MANY_SMALL: Final = 16
"""So many small packs are put together even if that makes no ordinary one."""


class PruneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning is allowed and meant to do.

    `most_unused` is the share of the repository that may stay unused, so that little is rewritten.
    """

    most_unused: float = 0.05
    pack_bytes: int = PACK_BYTES


class PrunePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Packs by their rows; `needed` marks the rows of those blobs that must stay.

    `lost` are packs that are needed and wrong: as long as there are any, nothing may be done.
    """

    needed: Marks
    dropped: tuple[int, ...]
    repacked: tuple[int, ...]
    lost: tuple[int, ...]


def plan_prune(
    tables: IndexTables, used: Marks, wrong: AbstractSet[int], settings: PruneSettings
) -> PrunePlan:
    """Return what to do, given the first rows of all used blobs and the packs that are wrong.

    `used` becomes the plan's `needed`.
    """
    import numpy as np

    packs = len(tables.packs)
    stored, useful, needed = (np.zeros(packs, np.int64) for _ in range(3))
    for kind, table in tables.by_kind():
        stored += _bytes_by_pack(table, None, packs)
        useful += _bytes_by_pack(table, used[kind], packs)
        _add_copies(table, used[kind], useful)
    fullness = useful / np.maximum(stored, 1)
    fullness[list(wrong)] = -1
    for kind, table in tables.by_kind():
        _choose_copies(table, used[kind], fullness)
        needed += _bytes_by_pack(table, used[kind], packs)
    lost = tuple(sorted(pack for pack in wrong if needed[pack] > 0))
    dropped = np.flatnonzero(needed == 0)
    partly = _to_repack(stored, needed, settings.most_unused)
    small = _small_packs(tables, needed, set(partly), settings.pack_bytes)
    return PrunePlan(
        needed=used,
        dropped=tuple(dropped.tolist()),
        repacked=tuple(sorted({*partly, *small})),
        lost=lost,
    )


def _bytes_by_pack(table: BlobTable, marks: bytearray | None, packs: int) -> "Numbers":
    import numpy as np

    sizes = np.asarray(table.sealed_sizes)
    numbers = np.asarray(table.packs)
    if marks is not None:
        rows = np.flatnonzero(np.frombuffer(marks, np.uint8))
        sizes, numbers = sizes[rows], numbers[rows]
    return np.bincount(numbers, sizes, minlength=packs).astype(np.int64)


def _add_copies(table: BlobTable, marks: bytearray, useful: "Numbers") -> None:
    """Count the second and later copies of used blobs, too."""
    for first, copies in _copies(table):
        for row in copies[1:] if marks[first] else ():
            useful[table.packs[row]] += table.sealed_sizes[row]


def _choose_copies(table: BlobTable, marks: bytearray, fullness: "NDArray[np.float64]") -> None:
    """Of a used blob in several packs, mark the copy in the pack that has least to spare."""
    for first, copies in _copies(table):
        if marks[first]:
            marks[first] = 0
            marks[max(copies, key=lambda row: (fullness[table.packs[row]], -row))] = 1


def _copies(table: BlobTable) -> Iterator[tuple[int, list[int]]]:
    """Yield the rows of each blob that has several: the first one, and all."""
    import numpy as np

    words = np.asarray(table.words[0])
    for row in np.flatnonzero(words[1:] == words[:-1]).tolist():
        if table.find(table.identity(row)) == row:
            copies = list(table.same(row))
            if len(copies) > 1:
                yield row, copies


def _to_repack(stored: "Numbers", needed: "Numbers", most_unused: float) -> list[int]:
    """Return the partly used packs to repack: what stays unused is a tolerable share of all."""
    import numpy as np

    unused = stored - needed
    partly = np.flatnonzero((needed > 0) & (unused > 0))
    emptiest_first = partly[np.argsort(-(unused[partly] / stored[partly]), kind="stable")]
    left = int(unused[partly].sum())
    kept = int(needed.sum())
    chosen: list[int] = []
    for pack in emptiest_first.tolist():
        if left <= most_unused * (kept + left):
            break
        chosen.append(pack)
        left -= int(unused[pack])
    return chosen


def _small_packs(
    tables: IndexTables, needed: "Numbers", taken: AbstractSet[int], pack_bytes: int
) -> list[int]:
    """Return the small packs of each kind, if together they make an ordinary one or are many."""
    import numpy as np

    holds_trees = np.zeros(len(tables.packs), np.bool_)
    holds_trees[np.asarray(tables.trees.packs)] = True
    sizes = np.asarray(tables.packs.sizes)
    is_small = (needed > 0) & (sizes < pack_bytes * SMALL_SHARE)
    chosen: list[int] = []
    for trees in (False, True):
        small = np.flatnonzero(is_small & (holds_trees == trees)).tolist()
        left = [pack for pack in small if pack not in taken]
        total = sum(int(sizes[pack]) for pack in small)
        if len(left) >= MANY_SMALL or (len(left) > 1 and total >= pack_bytes):
            chosen += left
    return chosen
