"""Owning a process: it is waited for, stopped, and never mistaken for another."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from appshield.errors import DeadlineError, NotFoundError, RefusedError, UnavailableError
from appshield.local.embedded import process as process_module
from appshield.local.embedded.folder_lock import FolderLock, ProcessIdentity
from appshield.local.embedded.process import OwnedProcess, free_port, port_is_free, program


def shell(logs: Path, script: str, **more: Any) -> OwnedProcess:
    command = ["/bin/sh", "-c", script]
    return OwnedProcess("the part", command, log_file=logs / "part.log", **more)


async def no() -> bool:
    return False


async def test_a_part_that_stops_when_asked_is_not_killed(tmp_path: Path) -> None:
    """Its exit code is that of its own end."""
    part = shell(tmp_path, "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
    await part.start()

    async def up() -> bool:
        return "up" in part.log_file.read_text()

    await part.wait_ready(up, 10)
    assert part.running
    await part.stop(10)
    assert await part.wait() == 7
    assert not part.running
    assert part.pid is None
    await part.stop(10)


async def test_a_part_that_does_not_stop_is_killed_after_the_deadline(tmp_path: Path) -> None:
    """And its end is waited for."""
    part = shell(tmp_path, "trap '' TERM; echo up; while :; do sleep 0.05; done")
    await part.start()

    async def up() -> bool:
        return "up" in part.log_file.read_text()

    await part.wait_ready(up, 10)
    await part.stop(0.2)
    assert await part.wait() == -signal.SIGKILL


async def test_an_early_end_is_told_at_once_with_the_last_words(tmp_path: Path) -> None:
    """Long before the deadline, with exit code or signal."""
    begun = time.monotonic()
    part = shell(tmp_path, "echo the port is taken >&2; exit 3")
    await part.start()
    with pytest.raises(UnavailableError, match=r"exit code 3(.|\n)*the port is taken"):
        await part.wait_ready(no, 60)
    part = shell(tmp_path, "kill -KILL $$")
    await part.start()
    with pytest.raises(UnavailableError, match="signal SIGKILL"):
        await part.wait_ready(no, 60)
    assert time.monotonic() - begun < 20


async def test_a_part_that_is_never_ready_ends_the_patience(tmp_path: Path) -> None:
    """The error names the part and shows its log."""
    part = shell(tmp_path, "echo still thinking; exec sleep 60")
    await part.start()
    with pytest.raises(DeadlineError, match=r"the part was not ready(.|\n)*still thinking"):
        await part.wait_ready(no, 0.5)
    await part.stop(10)


async def test_a_part_runs_in_a_group_folder_and_environment_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C on the terminal does not reach it past its owner."""
    part = shell(
        tmp_path,
        "pwd; echo $ONLY:$HOME; exec sleep 60",
        environment={"ONLY": "this"},
        folder=tmp_path,
    )
    await part.start()

    async def said() -> bool:
        return part.log_file.read_text().splitlines() == [str(tmp_path), "this:"]

    await part.wait_ready(said, 10)
    assert part.pid is not None
    assert os.getpgid(part.pid) == part.pid != os.getpgid(0)
    with pytest.raises(RefusedError, match=str(part.pid)):
        await part.start()
    await part.stop(10)


async def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    """By the operating system's own reason."""
    part = OwnedProcess("the part", [str(tmp_path / "nothing")], log_file=tmp_path / "part.log")
    with pytest.raises(UnavailableError, match="nothing: No such file"):
        await part.start()
    assert not part.running


def test_programs_of_wheels_are_found_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A foreign program of the same name is never run."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert os.access(program("weed"), os.X_OK)
    with pytest.raises(NotFoundError, match="no-such-program"):
        program("no-such-program")


def test_a_free_port_is_below_those_of_outgoing_connections() -> None:
    """So that it is still free after a restart; excluded ones are not chosen."""
    ports = {free_port() for _ in range(20)}
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(process_module.FIRST_PORT <= port < first_outgoing for port in ports)
    assert all(map(port_is_free, ports))
    first = process_module.FIRST_PORT
    only = free_port(besides=range(first, first + 50), last=first + 60)
    assert first + 50 <= only <= first + 60


async def test_a_folder_is_held_until_owner_and_server_are_gone(tmp_path: Path) -> None:
    """The server inherits the lock; after its owner's release the folder is free when it ends."""
    lock = FolderLock(tmp_path, "the part")
    await lock.acquire()
    with pytest.raises(RefusedError, match=f"the part already runs in {tmp_path}"):
        await FolderLock(tmp_path, "the part").acquire()
    lock.release()
    again = FolderLock(tmp_path, "the part")
    await again.acquire()
    again.release()


async def test_an_orphan_is_asked_to_stop_and_its_folder_taken(tmp_path: Path) -> None:
    """Its owner died without a chance to stop it."""
    holder = f"""
import asyncio, os, pathlib, sys
from appshield.local.embedded.folder_lock import FolderLock
from appshield.local.embedded.process import OwnedProcess
async def run():
    lock = FolderLock(pathlib.Path({str(tmp_path)!r}), "the part")
    await lock.acquire()
    part = OwnedProcess("the part", ["/bin/sleep", "300"], inherit=[lock.descriptor],
                        log_file=pathlib.Path({str(tmp_path / "log")!r}))
    await part.start()
    lock.record_server(part.pid)
    print(part.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(run())
"""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", holder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await owner.communicate()
    orphan = ProcessIdentity.of(int(said))
    assert orphan is not None
    lock = FolderLock(tmp_path, "the part")
    await lock.acquire()
    assert not orphan.alive()
    lock.release()


def test_a_later_process_with_the_same_id_is_another_one() -> None:
    """A signal never reaches it."""
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    assert own.alive()
    earlier = ProcessIdentity(own.pid, own.started_ticks - 1)
    assert not earlier.alive()
    earlier.signal(signal.SIGKILL)
    assert ProcessIdentity.of(2**22 + 1) is None
