"""Buffers that cost memory only where they are touched; a `bytearray` is touched at once."""

import mmap


def untouched(size_bytes: int) -> mmap.mmap:
    """Return a buffer of zeros, private to this process."""
    return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
