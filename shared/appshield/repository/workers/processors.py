"""How many processors there are for us: those of the machine, less what a container may not use."""

import math
import os
from pathlib import Path
from typing import Final

CPU_LIMIT: Final = Path("/sys/fs/cgroup/cpu.max")
"""`quota period` in microseconds, or `max period`; the file is that of our own container."""


def usable_processors(limit_file: Path = CPU_LIMIT) -> int:
    """Return how many workers can be at work at a time; at least 1."""
    processors = len(os.sched_getaffinity(0))
    try:
        quota, period = limit_file.read_text().split()
        if quota != "max":
            processors = min(processors, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        pass  # no limit that we could know
    return max(1, processors)
