"""Which blobs the versions use: all trees are walked, and each blob is marked by its row."""

from collections.abc import Callable
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.repository import Repository
from appshield.repository.walking import TreeWalk

MOST_TOLD: Final = 10

Marks = dict[BlobKind, bytearray]
"""For each row of the tables whether it is marked."""


class UsedBlobs(msgspec.Struct, frozen=True):
    """The first row of each used blob, and what is used and cannot be found."""

    marks: Marks
    missing: tuple[str, ...]


def find_used(repository: Repository, index: Index, *, safe_point: Callable[[], None]) -> UsedBlobs:
    """Walk all versions; `safe_point` is called for each blob and may raise to stop.

    Raises:
        DamagedError: a snapshot cannot be read, so nobody knows what it uses.
    """
    marks: Marks = {
        "data": bytearray(len(index.tables.data)),
        "tree": bytearray(len(index.tables.trees)),
    }

    def look(kind: BlobKind, row: int) -> None:
        safe_point()
        marks[kind][row] = 1

    listing = repository.list_snapshots()
    if listing.unreadable:
        names = ", ".join(one.snapshot_id for one in listing.unreadable)
        raise DamagedError(
            "nothing can be pruned",
            why=f"what these snapshots use is not known: {names}",
            next_step="Check the repository; forget what cannot be healed",
        )
    walk = TreeWalk(repository, index, look)
    missing: list[str] = []
    for snapshot_id, document in listing.readable:
        problems = walk.problems(document.tree_id)
        missing += (f"snapshot {snapshot_id}, {problem}" for problem in problems[:MOST_TOLD])
    return UsedBlobs(marks, tuple(missing))
