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
_GAP_BYTES_MAX: Final = 256 << 10
_GAP_BYTES_MIN: Final = 24
_PIECES_MAX: Final = 20_000


def give_memory_back() -> None:
    """Let large pieces be given back as soon as they are free, and threads share what is free.

    It has no effect where the C library knows no such settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _FREE_BYTES_MAX)


def give_free_pages_back() -> None:
    """Give back every page that is wholly free, also between what is in use: some milliseconds.

    It has no effect where the C library knows no such call.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def fill_gaps() -> None:
    """Take the gaps between what is in use out of use, for good; give back whole pages in them.

    For a process that is about to be forked. What a fork allocates would go into these gaps, a few
    bytes into each page, and every such page would no longer be shared. It has no effect where the
    C library cannot tell what it does with them.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return
    allocate = library.malloc
    allocate.argtypes, allocate.restype = [ctypes.c_size_t], ctypes.c_void_p
    give_free_pages_back()
    end = allocate(_LARGE_BYTES // 2)  # too large for a gap, as a rule: what comes after it is new
    size = _GAP_BYTES_MAX
    while size >= _GAP_BYTES_MIN:
        for _ in range(_PIECES_MAX):
            if allocate(size) > end:
                break
        size -= max(size // 16 & ~15, 16)
