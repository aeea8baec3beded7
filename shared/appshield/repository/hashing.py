"""The SHA-256 of many pieces at once: several together take little longer than one."""

import hashlib
from collections.abc import Sequence
from itertools import accumulate

from appshield.repository.native import native_code


def sha256_each(buffer: bytes | memoryview, sizes: Sequence[int]) -> list[bytes]:
    """Return the digests of pieces that follow each other in a buffer, from its start.

    The buffer is `bytes` or writable.
    """
    if native := native_code():
        return native.sha256_each(buffer, sizes)
    starts, view = accumulate(sizes, initial=0), memoryview(buffer)
    return [
        hashlib.sha256(view[start : start + size]).digest()
        for start, size in zip(starts, sizes, strict=False)
    ]
