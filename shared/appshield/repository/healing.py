"""Healing: what cannot be read any more is brought from other repositories that hold the same.

    read every pack                     → which are not as they were, and what is damaged in them
    walk all versions, for each other   → what they need, cannot read here, and could there
    read that there, and what is right  → open, seal for this one, prove, pack, upload, index
      in the bad packs here
    walk once more                      → what stays lost, named by version and path
    drop and delete the bad packs       → those without which nothing more is lost

A blob has the same name in all of them, as names come from content, so it does not matter which
version brought it there. The lock is exclusive. At every instant a version can be read in which it
could be before: what is bad goes when all that is right in it is elsewhere. Killed anywhere, it is
begun anew and brings what is still missing.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from appshield.objectstore import ObjectRetainedError
from appshield.repository.blobs import BlobKind
from appshield.repository.check_data import BlobId, DataCheck
from appshield.repository.comparing import compare_packs
from appshield.repository.contents import rows_of_packs
from appshield.repository.findings import Finding, Findings
from appshield.repository.forgetting import ensure_exclusive
from appshield.repository.index import Index
from appshield.repository.index_rewriting import IndexRewrite
from appshield.repository.layout import file_name, list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.pruning.using import Marks
from appshield.repository.references import Reference, TreeReader
from appshield.repository.repository import Repository
from appshield.repository.retiring import Retirement, retire
from appshield.repository.settings import PackSettings
from appshield.repository.transferring import KINDS, Transfer, UnreadableBlobError
from appshield.repository.walking import TreeWalk
from appshield.repository.writer import Writer

Moved = Callable[[], None]
"""Called again and again while the work gets on; may raise to stop."""

UNREADABLE_HERE: Final = "cannot be read here"


class HealReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was healed, and what was not.

    `brought` blobs came from another repository. `replaced` packs are gone: all that was right in
    them was written anew. `left` ones are damaged and stay, as something that a version needs would
    be lost for good without them, or as the store keeps them. `lost` says what no repository has,
    and what of each version that is.
    """

    brought: int
    replaced: tuple[str, ...]
    left: tuple[str, ...]
    lost: tuple[Finding, ...]


def heal(
    repository: Repository,
    lock: RepositoryLock,
    others: Sequence[Repository],
    *,
    moved: Moved = lambda: None,
    settings: PackSettings | None = None,
) -> HealReport:
    """Make readable again what `others` still have; reads all data of this repository once.

    The index must name what is there (`repair_index`). `others` are locked, too, and asked in their
    order.

    Raises:
        RefusedError: the lock is not exclusive.
        LockLostError: the lock is gone; what was done is valid.
    """
    ensure_exclusive(lock)
    healing = _Healing(repository, lock, moved, settings)
    healing.save_what_is_right()
    for other in others:
        healing.bring_from(other)
    return healing.finish()


class _Healing:
    """One run of `heal`."""

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        moved: Moved,
        settings: PackSettings | None,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._moved = moved
        self._settings = settings
        self._listing = repository.list_snapshots()
        self._damage = _read_all(repository, moved)
        self._brought = 0

    def save_what_is_right(self) -> None:
        """Write anew what can be read in the bad packs and is in no other."""
        index = self._repository.read_index()
        places = _Places(index, self._damage)
        marks = _no_marks(index)
        for rows in rows_of_packs(index, sorted(places.bad_packs)):
            for kind, row in (rows[at] for at in range(len(rows))):
                if places.is_right(kind, row) and not places.is_safe(kind, row):
                    marks[kind][row] = 1
        self._transfer(self._repository, index, marks)

    def bring_from(self, other: Repository) -> None:
        """Write anew what cannot be read here and can be there."""
        there = _There(other)
        self._mark_lacking(there)
        self._brought += self._transfer(other, there.index, there.marks)

    def _mark_lacking(self, there: "_There") -> None:
        index = self._repository.read_index()
        places = _Places(index, self._damage)

        def look(kind: BlobKind, row: int) -> str | None:
            self._moved()
            return None if places.is_readable(kind, row) else UNREADABLE_HERE

        walk = TreeWalk(self._repository, index, look, elsewhere=there)
        for _, document in self._listing.readable:
            walk.problems(document.tree_id)
        for kind, identity in places.unreadable():
            there.take(kind, identity)

    def finish(self) -> HealReport:
        """Remove the bad packs that are of no more use; tell what stays lost."""
        index = self._repository.read_index()
        places = _Places(index, self._damage)
        findings, needed = Findings(), set[BlobId]()
        for unreadable in self._listing.unreadable:
            name = file_name("snapshots", unreadable.snapshot_id)
            findings.error(name, unreadable.why)

        def look(kind: BlobKind, row: int) -> str | None:
            self._moved()
            if places.is_readable(kind, row):
                return None
            identity = index.table(kind).identity(row)
            needed.add((kind, identity))
            return f"{kind} blob {identity.hex()} is damaged and in no other Vault"

        walk = TreeWalk(self._repository, index, look)
        for snapshot_id, document in self._listing.readable:
            for problem in walk.problems(document.tree_id):
                findings.lost(snapshot_id, problem.path, problem.what)
        if self._listing.unreadable:  # nobody knows what these need
            needed.update(places.unreadable())
        useless = {
            row for row, pack_id in places.bad_packs.items() if not self._damage[pack_id] & needed
        }
        replaced = self._remove(index, useless)
        return HealReport(
            brought=self._brought,
            replaced=replaced,
            left=tuple(sorted(set(places.bad_packs.values()) - set(replaced))),
            lost=findings.errors(),
        )

    def _transfer(self, source: Repository, index: Index, marks: Marks) -> int:
        """Write the marked blobs anew; return how many could be."""
        if not any(any(marked) for marked in marks.values()):
            return 0
        unreadable: list[BlobId] = []

        def note(error: UnreadableBlobError) -> None:
            unreadable.append((error.kind, error.identity))

        def go_on(_: int, __: int) -> None:
            self._moved()

        with Writer(self._repository, self._lock, settings=self._settings) as writer:
            transfer = Transfer(source, index, marks, writer, go_on, unreadable=note)
            transfer.run()
        return transfer.blobs - len(unreadable)

    def _remove(self, index: Index, packs: set[int]) -> tuple[str, ...]:
        """Drop packs from the index and delete them; return those that are gone."""
        if not packs:
            return ()
        names = sorted(index.tables.packs.identity(row).hex() for row in packs)
        self._lock.ensure_held()
        # recorded, so that a backup does not name them again if this ends here
        retire(self._repository, Retirement(dt.datetime.now(dt.UTC), tuple(names)))
        if IndexRewrite(self._repository, self._lock, index, dropped=packs).run():
            return ()  # an index that the store keeps still names them
        gone = []
        for pack_id in names:
            self._lock.ensure_fresh()
            try:
                self._repository.store.delete(file_name("data", pack_id))
            except ObjectRetainedError:
                continue  # a prune deletes it when the store no longer keeps it
            gone.append(pack_id)
        return tuple(gone)


class _There:
    """Another repository, with what is to be brought from it; an `Elsewhere`."""

    def __init__(self, repository: Repository) -> None:
        self.index = repository.read_index()
        self.marks = _no_marks(self.index)
        self._reader = TreeReader(repository, self.index)

    def take(self, kind: BlobKind, identity: bytes) -> bool:
        """See Elsewhere.take."""
        row = self.index.find(kind, identity)
        if row >= 0:
            self.marks[kind][row] = 1
        return row >= 0

    def references(self, tree_id: bytes) -> Iterator[Reference]:
        """See Elsewhere.references."""
        return self._reader.references(tree_id)


class _Places:
    """Which blobs can be read, by the rows of one index."""

    def __init__(self, index: Index, damage: dict[str, frozenset[BlobId]]) -> None:
        self._index = index
        self._damage = damage
        find = index.tables.packs.find
        rows = ((find(bytes.fromhex(pack_id)), pack_id) for pack_id in damage)
        self.bad_packs = {row: pack_id for row, pack_id in rows if row >= 0}

    def is_right(self, kind: BlobKind, row: int) -> bool:
        """Tell whether a blob can be read at this very place."""
        table = self._index.table(kind)
        pack_id = self.bad_packs.get(table.packs[row])
        return pack_id is None or (kind, table.identity(row)) not in self._damage[pack_id]

    def is_readable(self, kind: BlobKind, row: int) -> bool:
        """Tell whether a blob can be read at one of its places."""
        same = self._index.table(kind).same
        return not self.bad_packs or any(self.is_right(kind, other) for other in same(row))

    def is_safe(self, kind: BlobKind, row: int) -> bool:
        """Tell whether a blob is in a pack that is not bad, too."""
        table = self._index.table(kind)
        return any(table.packs[other] not in self.bad_packs for other in table.same(row))

    def unreadable(self) -> set[BlobId]:
        """Return the damaged blobs that can be read at no other place."""
        damaged = {blob for pack_id in self.bad_packs.values() for blob in self._damage[pack_id]}
        return {
            (kind, identity)
            for kind, identity in damaged
            if not self.is_readable(kind, self._index.find(kind, identity))
        }


def _read_all(repository: Repository, moved: Moved) -> dict[str, frozenset[BlobId]]:
    """Read every pack; return those that are not as they were, with what is damaged in them."""
    index = repository.read_index()
    wrong = compare_packs(list_files(repository.store, "data"), index).wrong
    data = DataCheck(repository, index, wrong, Findings(), moved)
    data.read(None)
    damage = dict(data.damage())
    missing = [row for row, pack in wrong.items() if pack.found_bytes is None]
    for rows in rows_of_packs(index, missing):
        places = (rows[at] for at in range(len(rows)))
        damage[rows.pack_id] = frozenset(
            (kind, index.table(kind).identity(row)) for kind, row in places
        )
    return damage


def _no_marks(index: Index) -> Marks:
    return {kind: bytearray(index.count(kind)) for kind in KINDS}
