"""What is put into a store: bytes in memory, or in a file, of which little comes into memory."""

import os
from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 1 << 20


class FileContent:
    """The first bytes of an open file, which stay as they are while they are put."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self.descriptor = descriptor
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, piece by piece; OSError if the file is shorter than it was."""
        offset = 0
        while offset < self._size_bytes:
            wanted = min(self._size_bytes - offset, PIECE_BYTES)
            piece = os.pread(self.descriptor, wanted, offset)
            if not piece:
                raise OSError(f"a file of {self._size_bytes} bytes was cut off at {offset}")
            yield piece
            offset += len(piece)


Content = bytes | memoryview | FileContent
"""What `ObjectStore.put` takes."""
