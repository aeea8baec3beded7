"""Cutting a stream where its content says so: an insertion moves the cuts, it does not undo them.

FastCDC with 256 KiB / 512 KiB / 4 MiB finds as many equal chunks in changed files as restic's own
chunker. The cuts depend on a secret of the repository, so that the sizes of chunks alone do not
tell which known file is stored. Readers accept any cuts; only deduplication depends on them.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from pyfastcdc import FastCDC

from appshield.repository.crypto import SealingKey
from appshield.repository.memory import untouched
from appshield.repository.nodes import ReadInto

SMALLEST_BYTES: Final = 256 << 10
AVERAGE_BYTES: Final = 512 << 10
LARGEST_BYTES: Final = 4 << 20

WINDOW_BYTES: Final = 2 * LARGEST_BYTES
READ_BYTES: Final = 1 << 20


class Chunks(NamedTuple):
    """Chunks that follow each other in a buffer, from its start."""

    buffer: memoryview
    sizes: list[int]

    def pieces(self) -> Iterator[memoryview]:
        """Yield each of them."""
        start = 0
        for size in self.sizes:
            yield self.buffer[start : start + size]
            start += size


class Chunker:
    """Cuts streams for one repository; thread-safe."""

    def __init__(self, key: SealingKey) -> None:
        secret = hashlib.sha256(b"appshield chunking" + key.encrypt + key.mac_k).digest()
        self._cutter = FastCDC(
            AVERAGE_BYTES,
            min_size=SMALLEST_BYTES,
            max_size=LARGEST_BYTES,
            normalized_chunking=2,
            seed=int.from_bytes(secret[:8], "big") >> 1,
        )
        self._spare: deque[memoryview] = deque()

    def chunks(self, read_into: ReadInto) -> Iterator[Chunks]:
        """Yield the chunks of a stream, some at a time; those are valid until the next."""
        window = self._spare.pop() if self._spare else memoryview(untouched(WINDOW_BYTES))
        yield from self._cut(window, read_into)
        self._spare.append(window)

    def _cut(self, window: memoryview, read_into: ReadInto) -> Iterator[Chunks]:
        """Slide the window over the stream. A cut holds if a largest chunk could be seen there."""
        filled = 0
        ended = False
        while not ended:
            while filled < len(window) and not ended:
                read = read_into(window[filled : filled + READ_BYTES])
                filled += read
                ended = not read
            end, sizes = 0, []
            for chunk in self._cutter.cut_buf(window[:filled]):
                if not ended and chunk.offset + LARGEST_BYTES > filled:
                    break
                sizes.append(chunk.length)
                end = chunk.offset + chunk.length
            if sizes:
                yield Chunks(window, sizes)
            window[: filled - end] = window[end:filled]
            filled -= end
