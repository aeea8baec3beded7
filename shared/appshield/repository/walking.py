"""Walking trees to see whether everything that they refer to is there.

A tree that several versions or directories share is read once; its problems are told for each.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectStore
from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.layout import list_files
from appshield.repository.nodes import Node
from appshield.repository.reader import Reader
from appshield.repository.repository import Repository

WhyMissing = Callable[[BlobKind, bytes], str | None]
"""Says why a blob cannot be read, None if it can."""


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
    """Finds the problems below trees; remembers every tree it has seen."""

    def __init__(self, reader: Reader, why_missing: WhyMissing) -> None:
        self._reader = reader
        self._why_missing = why_missing
        self._sound: set[bytes] = set()
        self._problems: dict[bytes, tuple[TreeProblem, ...]] = {}

    def problems(self, root: bytes) -> tuple[TreeProblem, ...]:
        """Return what is wrong below a tree; directories may be nested to any depth."""
        way = [self._visit(b"", root)]
        while True:
            visit = way[-1]
            directory = next(visit.directories, None)
            if directory is not None:
                subtree = directory.subtree or b""
                if self._is_known(subtree):
                    visit.take(directory.name, self._problems.get(subtree, ()))
                else:
                    way.append(self._visit(directory.name, subtree))
                continue
            way.pop()
            self._remember(visit)
            if not way:
                return tuple(visit.problems)
            way[-1].take(visit.name, visit.problems)

    def _is_known(self, tree_id: bytes) -> bool:
        return tree_id in self._sound or tree_id in self._problems

    def _remember(self, visit: "_Visit") -> None:
        if visit.problems:
            self._problems[visit.tree_id] = tuple(visit.problems)
        else:
            self._sound.add(visit.tree_id)

    def _visit(self, name: bytes, tree_id: bytes) -> "_Visit":
        visit = _Visit(name, tree_id)
        why = self._why_missing("tree", tree_id)
        try:
            nodes = self._reader.read_tree(tree_id) if why is None else ()
        except DamagedError as error:
            nodes, why = (), str(error)
        if why is not None:
            visit.problems.append(TreeProblem(b"", why))
        for node in nodes:
            visit.problems += self._problems_of(node)
        visit.directories = iter([node for node in nodes if node.kind == "dir"])
        return visit

    def _problems_of(self, node: Node) -> Iterator[TreeProblem]:
        for blob_id in node.content or ():
            why = self._why_missing("data", blob_id)
            if why is not None:
                yield TreeProblem(node.name, why)


class _Visit:
    """A tree on the way from the root, with what was found below it so far."""

    def __init__(self, name: bytes, tree_id: bytes) -> None:
        self.name = name
        self.tree_id = tree_id
        self.directories: Iterator[Node] = iter(())
        self.problems: list[TreeProblem] = []

    def take(self, name: bytes, problems: Iterable[TreeProblem]) -> None:
        self.problems += (problem.below(name) for problem in problems)


def wrong_packs(store: ObjectStore, index: Index) -> tuple[dict[str, str], list[str]]:
    """Compare packs with the index: (what is wrong with each indexed one, ids in no index)."""
    stored = dict(list_files(store, "data"))
    wrong: dict[str, str] = {}
    for pack_id, size_bytes in index.packs():
        found = stored.pop(pack_id, None)
        if found is None:
            wrong[pack_id] = f"pack {pack_id} is missing"
        elif found != size_bytes:
            wrong[pack_id] = f"pack {pack_id} has {found} bytes instead of {size_bytes}"
    return wrong, sorted(stored)


def missing_blobs(
    repository: Repository, tree_id: bytes, *, seen: Callable[[], None] = lambda: None
) -> list[str]:
    """Return what cannot be read below a tree, one line each; empty if all is well.

    To be asked before a snapshot is published: the index is read anew, every blob must be in it,
    and each of their packs must be there with the right size. `seen` is called with every blob.
    """
    index = repository.read_index()
    wrong, _ = wrong_packs(repository.store, index)
    answer = why_missing(index, wrong)

    def looked_at(kind: BlobKind, identity: bytes) -> str | None:
        seen()
        return answer(kind, identity)

    walk = TreeWalk(Reader(repository, index=index), looked_at)
    return [str(problem) for problem in walk.problems(tree_id)]


def why_missing(index: Index, wrong: dict[str, str]) -> WhyMissing:
    """Return what answers why a blob cannot be read, given the packs that are wrong."""

    def answer(kind: BlobKind, identity: bytes) -> str | None:
        place = index.lookup(kind, identity)
        if place is None:
            return f"{kind} blob {identity.hex()} is in no index"
        return wrong.get(place.pack_id)

    return answer
