"""How memory that is free is given back, or put out of use in a process that is to be forked.

What is done to it counts for the rest of a process's life, so each test has one of its own.
"""

import subprocess
import sys

FREE = """
import ctypes
from pathlib import Path
from appshield.allocator import give_free_pages_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

library = ctypes.CDLL(None)
library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
pieces = [library.malloc(100_000) for _ in range(400)]
for piece in pieces:
    ctypes.memset(piece, 1, 100_000)
for piece in pieces[:-1]:
    library.free(piece)
before = resident()
give_free_pages_back()
print(before - resident())
"""

FILL = """
import ctypes
from appshield.allocator import fill_gaps, give_memory_back

library = ctypes.CDLL(None)
library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
give_memory_back()
sizes = (40, 600, 5_000, 100_000)
used = {size: [library.malloc(size) for _ in range(200)] for size in sizes}
end = max(map(max, used.values()))
for pieces in used.values():
    for piece in pieces[::2]:
        library.free(piece)
%s
new = [library.malloc(size) for size in sizes for _ in range(50)]
print(sum(piece < end for piece in new))
"""


def told_by(program: str) -> int:
    """Run a program; return the number that it prints."""
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def in_gaps(preparing: str) -> int:
    """Make gaps in the memory of a process, prepare it; return how many of 200 pieces are in them.

    Those are pieces that the process asks for afterwards.
    """
    return told_by(FILL % preparing)


def test_free_pages_below_what_is_in_use_are_given_back() -> None:
    """By itself the C library gives back only what is free at the end."""
    assert told_by(FREE) > 30_000_000


def test_what_is_allocated_after_gaps_were_filled_lies_behind_all_that_was_there() -> None:
    """A fork that allocates writes into pages of its own, not into those that it shares."""
    assert in_gaps("") > 100, "the process has no gaps: this test says nothing"
    assert in_gaps("fill_gaps()") < 20, "but for what Python itself has given back meanwhile"
