"""What is done to the memory of a process before it is forked.

It counts for the rest of a process's life, so each test has one of its own.
"""

import subprocess
import sys

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


def in_gaps(preparing: str) -> int:
    """Make gaps in the memory of a process, prepare it; return how many of 200 pieces are in them.

    Those are pieces that the process asks for afterwards.
    """
    command = [sys.executable, "-c", FILL % preparing]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_what_is_allocated_after_gaps_were_filled_lies_behind_all_that_was_there() -> None:
    """A fork that allocates writes into pages of its own, not into those that it shares."""
    assert in_gaps("") > 100, "the process has no gaps: this test says nothing"
    assert in_gaps("fill_gaps()") < 20, "but for what Python itself has given back meanwhile"
