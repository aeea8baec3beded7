"""Only processes that carry the mark are ours, and each signal reaches the one looked at."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.local.cluster.processes import (
    MARK,
    carries_mark,
    end_processes,
    owned_pids,
    owned_processes,
    read_process,
)
from appshield.local.cluster.state import ComponentState, is_alive
from waiting import wait_until

STUBBORN = (  # sleeps until it is killed, as nothing else ends it
    "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@pytest.fixture
async def marked(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STUBBORN),
        env={MARK: str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_a_process_is_found_by_its_mark(
    marked: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    """The home must be the same one, not one that begins alike."""
    assert owned_pids(tmp_path) == [marked.pid]
    assert owned_pids(tmp_path.parent) == []
    assert not carries_mark(os.getpid(), tmp_path)


async def test_a_process_that_does_not_listen_is_killed(
    marked: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    """Asked first, killed after the grace; nothing is left."""
    left = await end_processes(
        lambda: owned_pids(tmp_path), lambda pid: carries_mark(pid, tmp_path), grace_s=0.2
    )
    assert left == []
    assert await marked.wait() == -9


async def test_a_process_that_does_not_belong_is_left_alone(
    marked: asyncio.subprocess.Process,
) -> None:
    """A reused id in a list is no reason to end what has it now."""
    left = await end_processes(lambda: [marked.pid], lambda pid: False, grace_s=0, deadline_s=0.3)
    assert left == [marked.pid]
    assert marked.returncode is None


async def test_a_note_about_another_process_with_the_same_id_is_not_believed(
    marked: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    """Start time and mark must fit, not the id alone."""
    process = read_process(marked.pid)
    assert process is not None
    good = ComponentState(pid=process.pid, start_ticks=process.start_ticks)
    older = ComponentState(pid=process.pid, start_ticks=process.start_ticks - 1)
    assert is_alive(good, tmp_path)
    assert not is_alive(older, tmp_path)
    assert not is_alive(good, tmp_path / "other")
    assert not is_alive(ComponentState(), tmp_path)


async def test_what_has_ended_is_no_process_any_more(
    marked: asyncio.subprocess.Process, tmp_path: Path
) -> None:
    """A zombie that its parent did not wait for counts as gone."""
    marked.kill()
    await wait_until(
        lambda: read_process(marked.pid) is None, deadline_s=5, what="the process ended"
    )
    assert owned_processes(tmp_path) == []
