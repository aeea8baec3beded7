"""Running one command and measuring all of its processes.

Wall time runs from before the start of the command until its end is seen. CPU is user plus system
time of the command and every descendant, as the kernel adds it up when they are awaited (wait4);
orphans come to this process, which is their reaper, and are awaited and counted too. Memory is the
sum of the proportional set sizes (PSS) of all living processes: pages that are shared, be it a
program's text or memory between workers, count once. It is read every 50 ms, or more rarely where
that would take more than a fiftieth of a processor: a program that keeps all of them busy would
pay for being looked at, and one that leaves them idle would not.
"""

import contextlib
import ctypes
import os
import select
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

SAMPLE_EVERY_S: Final = 0.05
SAMPLING_SHARE: Final = 1 / 50
"""Of one processor, at most, for looking at the memory of processes."""
_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class CommandFailedError(Exception):
    """A command of the benchmark ended badly; the text is the end of what it said."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one command took."""

    wall_s: float
    cpu_s: float
    pss_peak_bytes: int
    stored_bytes: int | None = None
    server_cpu_s: float | None = None


def become_reaper() -> None:
    """Have orphaned descendants come to this process, so that their CPU time is seen."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot become a reaper")


def measure(
    command: Sequence[str | Path], *, environment: Mapping[str, str], output: Path
) -> Measured:
    """Run a command to its end, its output in a file.

    Raises:
        CommandFailedError: it did not end with 0.
    """
    strangers = set(_children(os.getpid()))
    with output.open("wb") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        with PeakMemory(process.pid) as memory:
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime + _reap(set(_children(os.getpid())) - strangers)
    if process.returncode != 0:
        last = output.read_bytes()[-2000:].decode(errors="replace")
        raise CommandFailedError(f"{command[0]} ended with {process.returncode}: {last}")
    return Measured(wall_s=wall_s, cpu_s=cpu_s, pss_peak_bytes=memory.peak_bytes)


class PeakMemory:
    """Watches the memory of processes in a thread, while the block runs.

    Those of `roots` count with all their descendants, but for those of `without`. Looking takes
    `share` of one processor at most.
    """

    def __init__(
        self, *roots: int, without: Collection[int] = (), share: float = SAMPLING_SHARE
    ) -> None:
        self.peak_bytes = 0
        self._share = share
        self._roots = roots
        self._without = without
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._ended)

    def _watch(self) -> None:
        waiting_s = 0.0
        while not select.select([self._ended], [], [], waiting_s)[0]:
            before_s = time.thread_time()
            seen = sum(map(pss_bytes, tree(*self._roots, without=self._without)))
            self.peak_bytes = max(self.peak_bytes, seen)
            waiting_s = max(SAMPLE_EVERY_S, (time.thread_time() - before_s) / self._share)


def tree(*roots: int, without: Collection[int] = ()) -> Iterator[int]:
    """Yield processes and all their descendants, as far as they live, but for some of them."""
    pending = list(roots)
    while pending:
        pid = pending.pop()
        if pid not in without:
            yield pid
            pending += _children(pid)


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU of a living process and its awaited children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_PER_S


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _reap(orphans: set[int]) -> float:
    """Wait for processes that the command left behind; return the CPU time that they took."""
    total_s = 0.0
    for orphan in orphans:
        _, _, usage = os.wait4(orphan, 0)
        total_s += usage.ru_utime + usage.ru_stime
    return total_s
