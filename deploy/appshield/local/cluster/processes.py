"""The processes of a local cluster, found by a mark that they carry and ended without mistakes.

Whatever a cluster starts has the variable `APPSHIELD_CLUSTER=<home>` in its environment, and so
have its children (the shims of containerd too). A process is owned when its environment, read from
/proc, carries the mark; files with process ids are never trusted, so neither a crash of the machine
nor a reused id can mislead. Signals go through a pidfd that was opened before the mark was read:
the process that is ended is the one that was looked at. Processes inside containers have an
environment of their own and are found by the cgroup of the cluster.
"""

import asyncio
import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "APPSHIELD_CLUSTER"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine: the id and the start (in clock ticks since boot) name it."""

    pid: int
    start_ticks: int
    command: str


def read_process(pid: int) -> Process | None:
    """What /proc tells about a process; None when there is none, or only its remains."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything; fields are counted after its end.
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in {"Z", "X"}:
        return None
    text = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return Process(pid, int(fields[19]), text)


def carries_mark(pid: int, home: Path) -> bool:
    """Whether the process was started for the cluster that lives in `home`."""
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except (OSError, ValueError):
        return False
    return f"{MARK}={home}".encode() in environment.split(b"\0")


def owned_pids(home: Path) -> list[int]:
    """Every live process that carries the mark of `home`, this one excepted."""
    return [pid for pid in _all_pids() if pid != os.getpid() and carries_mark(pid, home)]


def owned_processes(home: Path) -> list[Process]:
    """As `owned_pids`, with what /proc tells about each."""
    found = (read_process(pid) for pid in owned_pids(home))
    return [process for process in found if process is not None]


async def end_processes(
    pids: Callable[[], Iterable[int]],
    belongs: Callable[[int], bool],
    *,
    grace_s: float,
    deadline_s: float = 10.0,
) -> list[int]:
    """End all that `pids` lists and `belongs` confirms: first asked, after `grace_s` killed.

    `pids` is asked again until it lists nothing, since a process may start another one meanwhile.
    Returns those still there after `deadline_s`: normally none.
    """
    begin = time.monotonic()
    asked: set[int] = set()
    while time.monotonic() - begin < grace_s + deadline_s:
        present = [pid for pid in pids() if read_process(pid) is not None]
        if not present:
            return []
        kill = time.monotonic() - begin >= grace_s
        with contextlib.ExitStack() as stack:
            opened = {pid: stack.enter_context(_handle(pid)) for pid in present}
            handles = [handle for handle in opened.values() if handle is not None]
            for pid, handle in opened.items():
                if handle is not None and belongs(pid) and (kill or pid not in asked):
                    _send(handle, signal.SIGKILL if kill else signal.SIGTERM)
            asked.update(present)
            await asyncio.to_thread(_wait_for_any, handles)
    return [pid for pid in pids() if read_process(pid) is not None]


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    """A pidfd: it means this process for ever, even when the id is given to another one."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _send(handle: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


def _wait_for_any(handles: list[int]) -> None:
    """Return when one of the processes has ended, or after a moment."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    poll.poll(100)


def _all_pids() -> Iterator[int]:
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            yield int(entry.name)
