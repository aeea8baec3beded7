"""Trees under construction: nodes come in any order and leave in the order of their names.

A directory is a row of pieces, each for some of its entries in order. A piece that is complete goes
into the tree when all before it have gone; a directory that is complete fills its own place in the
directory above. So what is in memory is what is under way, not what is stored.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from appshield.repository.nodes import TreeSink


class Slot(NamedTuple):
    """The place of one entry in a piece."""

    piece: "Piece"
    number: int


class OpenDirectory:
    """A directory of which entries are still to come.

    `encode` makes its own node of its tree's id. A lost directory leaves nothing behind it.
    """

    def __init__(
        self, name: bytes, tree: TreeSink, above: Slot | None, encode: Callable[[bytes], bytes]
    ) -> None:
        self.name = name
        self.above = above
        self.encode = encode
        self.is_listed = False
        self.is_lost = False
        self.waiting = 0
        """How many pieces are complete and wait for one before them."""
        self._tree = tree
        self._pieces: deque[Piece] = deque()

    def path(self, name: bytes = b"") -> bytes:
        """Return the path of an entry, or of this directory, relative to the root."""
        names = [name] if name else []
        directory: OpenDirectory | None = self
        while directory is not None and directory.above is not None:
            names.append(directory.name)
            directory = directory.above.piece.directory
        return b"/".join(reversed(names))

    def new_piece(self, entries: int) -> "Piece":
        """Begin the next piece, with a place for each of some entries."""
        piece = Piece(self, entries)
        self._pieces.append(piece)
        return piece

    def put_out(self) -> bool:
        """Put complete pieces into the tree; return whether that is all there will ever be."""
        while self._pieces and not self._pieces[0].missing:
            if nodes := self._pieces.popleft().joined():
                self._tree.add(nodes)
        self.waiting = sum(not piece.missing for piece in self._pieces)
        return self.is_listed and not self._pieces

    def finish(self) -> bytes:
        """Store the tree; return its id."""
        return self._tree.finish()


class Piece:
    """Some entries of a directory that follow each other: empty bytes where one is left out."""

    def __init__(self, directory: OpenDirectory, entries: int) -> None:
        self.directory = directory
        self.missing = entries
        self._nodes: list[bytes] = [b""] * entries

    def put(self, number: int, node: bytes) -> None:
        """Put in the encoded node of an entry, once; `Assembly.settle` is to be called then."""
        self.put_all(((number, node),))

    def put_all(self, nodes: Iterable[tuple[int, bytes]]) -> None:
        """Put in many, each once."""
        places, put = self._nodes, 0
        for number, node in nodes:
            places[number] = node
            put += 1
        self.missing -= put
        if not self.missing:
            # one piece of memory instead of hundreds while it waits
            self._nodes = [self.joined()]

    def joined(self) -> bytes:
        """Return the nodes as they stand in a tree."""
        return b",".join(filter(None, self._nodes))


class Assembly:
    """All open directories; `root` is the id of the whole tree once it is complete.

    `on_stored` is told each directory that is stored.
    """

    def __init__(self, on_stored: Callable[[], None]) -> None:
        self._on_stored = on_stored
        self.root: bytes | None = None

    def fill(self, slot: Slot, node: bytes) -> None:
        """Put in one node."""
        slot.piece.put(slot.number, node)
        self.settle(slot.piece.directory)

    def fill_all(self, piece: Piece, nodes: Iterable[tuple[int, bytes]]) -> None:
        """Put in many nodes of one piece."""
        piece.put_all(nodes)
        self.settle(piece.directory)

    def settle(self, directory: OpenDirectory) -> None:
        """Store a directory if it is complete, and those above it that are complete then."""
        while directory.put_out():
            if directory.is_lost:
                node = b""
            else:
                tree_id = directory.finish()
                self._on_stored()
                if directory.above is None:
                    self.root = tree_id
                    return
                node = directory.encode(tree_id)
            if directory.above is None:
                return
            directory.above.piece.put(directory.above.number, node)
            directory = directory.above.piece.directory
