"""How the allocator of the C library treats the memory of a process that lives long or works hard.

By itself it moves its threshold for large pieces up to the largest one that was ever freed: after
one derivation of a key (32 MiB) every buffer comes from the heap, which then never shrinks again.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 1 << 20
_FREE_BYTES_MAX: Final = 4 << 20


def give_memory_back() -> None:
    """Let large pieces be given back as soon as they are free, and threads share what is free.

    It has no effect where the C library knows no such settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _FREE_BYTES_MAX)
