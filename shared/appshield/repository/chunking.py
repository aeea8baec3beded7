"""Cutting a stream where its content says so: an insertion moves the cuts, it does not undo them.

FastCDC with 256 KiB / 512 KiB / 4 MiB finds as many equal chunks in changed files as restic's own
chunker. The cuts depend on a secret of the repository, so that the sizes of chunks alone do not
tell which known file is stored. Readers accept any cuts; only deduplication depends on them.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final

from pyfastcdc import FastCDC

from appshield.repository.crypto import SealingKey

SMALLEST_BYTES: Final = 256 << 10
AVERAGE_BYTES: Final = 512 << 10
LARGEST_BYTES: Final = 4 << 20


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

    def chunks(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        """Yield the chunks of a stream, none for an empty one.

        `read(n)` returns up to `n` bytes, and `b""` at the end.
        """
        head = _read_fully(read, SMALLEST_BYTES + 1)
        if len(head) <= SMALLEST_BYTES:
            # most files: no buffer of 8 MiB for them
            if head:
                yield head
            return
        for chunk in self._cutter.cut_stream(_Stream(head, read)):
            yield bytes(chunk.data)


class _Stream:
    """What was read already, and then the rest."""

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._head = head
        self._read = read

    def read(self, size: int) -> bytes:
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._read(size)


def _read_fully(read: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing and (part := read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
