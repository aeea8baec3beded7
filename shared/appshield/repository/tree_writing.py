"""Writing a directory entry by entry: one of any size is never in memory as a whole.

The name of a tree is known only at its end. A small one waits for it, and is then compressed only
if nobody has it yet; a large one is compressed as it comes.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from appshield.repository.compression import Compression
from appshield.repository.trees import CLOSING, OPENING

SMALL_TREE_BYTES: Final = 4 << 20
"""Up to this size a tree waits for its end: some ten thousand entries."""


class Compressing(Protocol):
    """A zstd frame that is being made."""

    def compress(self, data: bytes, /) -> bytes:
        """Take bytes, return what is ready of the frame."""
        ...

    def flush(self) -> bytes:
        """Return the rest of the frame."""
        ...


class TreeWriter:
    """Takes encoded nodes, ascending by name; a `TreeSink`.

    `add_plain` stores a small tree and returns its id; `add_packed` a large one, compressed.
    """

    def __init__(
        self,
        compression: Compression,
        add_plain: Callable[[bytes], bytes],
        add_packed: Callable[[bytes, Sequence[bytes], int], None],
    ) -> None:
        self._compression = compression
        self._add_plain = add_plain
        self._add_packed = add_packed
        self._plain: list[bytes] = []
        self._waiting_bytes = 0
        self._size_bytes = 0
        self._is_empty = True
        self._digest = hashlib.sha256()
        self._frame: Compressing | None = None
        self._packed: list[bytes] = []
        self._take(OPENING)

    def add(self, encoded: bytes) -> None:
        """Take the next node, or several with commas between."""
        if not self._is_empty:
            self._take(b",")
        self._is_empty = False
        self._take(encoded)
        if self._waiting_bytes > SMALL_TREE_BYTES or self._frame is not None:
            self._compress()

    def finish(self) -> bytes:
        """Store the tree; return its id."""
        self._take(CLOSING)
        if self._frame is None:
            return self._add_plain(b"".join(self._plain))
        self._compress()
        self._packed.append(self._frame.flush())
        identity = self._digest.digest()
        self._add_packed(identity, self._packed, self._size_bytes)
        return identity

    def _take(self, piece: bytes) -> None:
        self._plain.append(piece)
        self._waiting_bytes += len(piece)
        self._size_bytes += len(piece)

    def _compress(self) -> None:
        if self._frame is None:
            self._frame = self._compression.stream()
        for piece in self._plain:
            self._digest.update(piece)
            if packed := self._frame.compress(piece):
                self._packed.append(packed)
        self._plain.clear()
        self._waiting_bytes = 0
