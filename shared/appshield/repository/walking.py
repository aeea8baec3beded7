"""Walking trees to see whether everything that they refer to is there.

A tree that several versions or directories share is read once; its problems are told for each. What
is remembered of a tree that is well is one byte.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectStore
from appshield.repository.blobs import BlobKind
from appshield.repository.comparing import WrongPack, compare_packs
from appshield.repository.index import Index
from appshield.repository.layout import file_name, list_files
from appshield.repository.references import Reference, TreeReader
from appshield.repository.repository import Repository

MOST_PROBLEMS: Final = 10_000
"""Named for each directory and all below it; the rest is counted."""

FEW_PACKS: Final = 16
"""So many are asked for one by one; a list of a thousand takes about as long."""

Look = Callable[[BlobKind, int], str | None]
"""Called with the row of each blob that is reached; says why it cannot be read, None if it can."""


class Elsewhere(Protocol):
    """Another repository, which may have what cannot be read in the one that is walked."""

    def take(self, kind: BlobKind, identity: bytes) -> bool:
        """Note a blob as one to be brought from there; False if it is not there."""
        ...

    def references(self, tree_id: bytes) -> Iterator[Reference]:
        """Yield the entries of a directory that is there; raises as `TreeReader.references`."""
        ...


class TreeProblem(msgspec.Struct, frozen=True):
    """What is wrong at a path below a tree; the path of the tree itself is empty."""

    path: bytes
    what: str

    def below(self, name: bytes) -> "TreeProblem":
        """Return this problem as seen from the directory that holds `name`."""
        return TreeProblem(name + b"/" + self.path if self.path else name, self.what)

    def __str__(self) -> str:
        return f"{self.path.decode('utf-8', 'backslashreplace') or 'root'}: {self.what}"


class TreeWalk:
    """Finds the problems below trees; looks into every tree once.

    What can be had `elsewhere` is no problem, and directories are read there where they must be.
    """

    def __init__(
        self,
        repository: Repository,
        index: Index,
        look: Look,
        *,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._reader = TreeReader(repository, index)
        self._index = index
        self._look = look
        self._elsewhere = elsewhere
        self._sound = bytearray(index.count("tree"))
        self._sound_elsewhere: set[bytes] = set()
        self._problems: dict[bytes, _Problems] = {}

    def problems(self, root: bytes) -> tuple[TreeProblem, ...]:
        """Return what is wrong below a tree; directories may be nested to any depth."""
        if not self._is_known(root):
            self._walk(root)
        found = self._problems.get(root)
        return () if found is None else tuple(found.told())

    def _walk(self, root: bytes) -> None:
        way = [self._visit(b"", root)]
        while way:
            visit = way[-1]
            directory = self._next_directory(visit)
            if directory is None:
                way.pop()
                self._remember(visit)
                if way:
                    way[-1].problems.take(visit.name, visit.problems)
            elif self._is_known(directory.tree_id):
                visit.problems.take(directory.raw_name, self._problems.get(directory.tree_id))
            else:
                way.append(self._visit(directory.raw_name, directory.tree_id))

    def _is_known(self, tree_id: bytes) -> bool:
        row = self._index.find("tree", tree_id)
        is_sound = tree_id in self._sound_elsewhere or (row >= 0 and self._sound[row] > 0)
        return is_sound or tree_id in self._problems

    def _remember(self, visit: "_Visit") -> None:
        row = self._index.find("tree", visit.tree_id)
        if visit.problems:
            self._problems[visit.tree_id] = visit.problems
        elif row >= 0:
            self._sound[row] = 1
        else:
            self._sound_elsewhere.add(visit.tree_id)

    def _visit(self, name: bytes, tree_id: bytes) -> "_Visit":
        why = self._why_missing("tree", tree_id)
        if why is None:
            return _Visit(name, tree_id, self._reader.references(tree_id))
        if self._elsewhere is not None and self._elsewhere.take("tree", tree_id):
            return _Visit(name, tree_id, self._elsewhere.references(tree_id))
        visit = _Visit(name, tree_id, iter(()))
        visit.problems.add(TreeProblem(b"", why))
        return visit

    def _next_directory(self, visit: "_Visit") -> Reference | None:
        """Look at the entries up to the next directory; None when there is no more."""
        try:
            for reference in visit.references:
                if reference.type == "dir":
                    return reference
                self._look_at_content(visit, reference)
        except DamagedError as error:
            visit.problems.add(TreeProblem(b"", str(error)))
        return None

    def _look_at_content(self, visit: "_Visit", reference: Reference) -> None:
        for blob_id in reference.blob_ids():
            why = self._why_missing("data", blob_id)
            if why is None or (self._elsewhere and self._elsewhere.take("data", blob_id)):
                continue
            visit.problems.add(TreeProblem(reference.raw_name, why))

    def _why_missing(self, kind: BlobKind, identity: bytes) -> str | None:
        row = self._index.find(kind, identity)
        if row < 0:
            return f"{kind} blob {identity.hex()} is in no index"
        return self._look(kind, row)


class _Problems:
    """The problems below a tree: so many by name, the others as a number."""

    def __init__(self) -> None:
        self.named: list[TreeProblem] = []
        self.more = 0

    def __bool__(self) -> bool:
        return bool(self.named)

    def add(self, problem: TreeProblem) -> None:
        if len(self.named) < MOST_PROBLEMS:
            self.named.append(problem)
        else:
            self.more += 1

    def take(self, name: bytes, others: "_Problems | None") -> None:
        if others is not None:
            self.more += others.more
            for problem in others.named:
                self.add(problem.below(name))

    def told(self) -> Iterator[TreeProblem]:
        yield from self.named
        if self.more:
            yield TreeProblem(b"", f"{self.more} more blobs below it cannot be read")


class _Visit:
    """A tree on the way from the root, with what was found below it so far."""

    def __init__(self, name: bytes, tree_id: bytes, references: Iterator[Reference]) -> None:
        self.name = name
        self.tree_id = tree_id
        self.references = references
        self.problems = _Problems()


def missing_blobs(
    repository: Repository,
    tree_id: bytes,
    *,
    index: Index | None = None,
    seen: Callable[[], None] = lambda: None,
) -> list[str]:
    """Return what cannot be read below a tree, one line each; empty if all is well.

    To be asked before a snapshot is published: every blob must be in the `index`, which is read
    anew where it is not given, and each of their packs must be there with the right size. `seen`
    is called with every blob.
    """
    index = index or repository.read_index()
    lost = lost_in(index, PacksInUse(repository.store, index))

    def look(kind: BlobKind, row: int) -> str | None:
        seen()
        return lost(kind, row)

    walk = TreeWalk(repository, index, look)
    return [str(problem) for problem in walk.problems(tree_id)]


class WrongPacks(Protocol):
    """Knows which packs, by their rows in an index, are not as it says."""

    def get(self, row: int) -> WrongPack | None:
        """Say what is wrong with a pack, None if nothing is."""
        ...


class PacksInUse:
    """Looks at packs when they are asked for: at each of a few, and at all where there are more.

    A small version needs a handful of the packs of its repository.
    """

    def __init__(self, store: ObjectStore, index: Index) -> None:
        self._store = store
        self._index = index
        self._looked_at: dict[int, WrongPack | None] = {}
        self._all: dict[int, WrongPack] | None = None

    def get(self, row: int) -> WrongPack | None:
        """See WrongPacks."""
        if self._all is None and row not in self._looked_at:
            if len(self._looked_at) == FEW_PACKS:
                self._all = compare_packs(list_files(self._store, "data"), self._index).wrong
            else:
                self._looked_at[row] = self._look(row)
        return self._looked_at.get(row) if self._all is None else self._all.get(row)

    def _look(self, row: int) -> WrongPack | None:
        packs = self._index.tables.packs
        pack_id, wanted_bytes = packs.identity(row).hex(), packs.sizes[row]
        found_bytes = self._store.size(file_name("data", pack_id))
        if found_bytes == wanted_bytes:
            return None
        return WrongPack(pack_id, found_bytes, wanted_bytes)


def lost_in(index: Index, wrong: WrongPacks) -> Look:
    """Return what tells whether a blob is lost, since every pack that holds it is wrong."""

    def look(kind: BlobKind, row: int) -> str | None:
        table = index.table(kind)
        why = wrong.get(table.packs[row])
        if why is None or any(wrong.get(table.packs[one]) is None for one in table.same(row)):
            return None
        return str(why)

    return look
