"""Cutting a stream where its content says so: an insertion moves the cuts, it does not undo them.

FastCDC with 256 KiB / 512 KiB / 4 MiB finds as many equal chunks in changed files as restic's own
chunker. The cuts depend on a secret of the repository, so that the sizes of chunks alone do not
tell which known file is stored. Readers accept any cuts; only deduplication depends on them.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pyfastcdc import FastCDC

from appshield.repository.crypto import SealingKey
from appshield.repository.memory import untouched

SMALLEST_BYTES: Final = 256 << 10
AVERAGE_BYTES: Final = 512 << 10
LARGEST_BYTES: Final = 4 << 20

WINDOW_BYTES: Final = 2 * LARGEST_BYTES
READ_BYTES: Final = 1 << 20


class Chunks(NamedTuple):
    """Chunks that follow each other in a buffer, from its start."""

    buffer: bytes | memoryview
    sizes: list[int]

    def pieces(self) -> Iterator[bytes | memoryview]:
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

    def chunks(self, read: Callable[[int], bytes]) -> Iterator[Chunks]:
        """Yield the chunks of a stream, some at a time; those are valid until the next.

        `read(n)` returns up to `n` bytes, and `b""` at the end.
        """
        head = _read_fully(read, SMALLEST_BYTES + 1)
        if len(head) <= SMALLEST_BYTES:
            # most files: no window for them
            if head:
                yield Chunks(head, [len(head)])
            return
        window = self._spare.pop() if self._spare else memoryview(untouched(WINDOW_BYTES))
        yield from self._cut(window, head, read)
        self._spare.append(window)

    def _cut(
        self, window: memoryview, head: bytes, read: Callable[[int], bytes]
    ) -> Iterator[Chunks]:
        """Slide the window over the stream. A cut holds if a largest chunk could be seen there."""
        filled = len(head)
        window[:filled] = head
        ended = False
        while not ended:
            while filled < len(window) and not ended:
                part = read(min(len(window) - filled, READ_BYTES))
                window[filled : filled + len(part)] = part
                filled += len(part)
                ended = not part
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


def _read_fully(read: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing and (part := read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
