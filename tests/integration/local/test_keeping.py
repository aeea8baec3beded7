"""What `appshield up` keeps running: all of it comes back."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from appshield.bus import connect_bus
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import OwnedProcess
from appshield.local.keeping import keep_running, keep_serving
from appshield.local.programs import pid_file
from waiting import wait_until


async def test_a_bus_that_is_killed_serves_again_at_its_address(tmp_path: Path) -> None:
    """Clients that reconnect find it, with what it had confirmed."""
    stopping = asyncio.Event()
    lines: list[str] = []
    async with EmbeddedBus(tmp_path) as server:
        keeping = asyncio.create_task(
            keep_serving("the bus", server, stopping=stopping, report=lines.append)
        )
        url = server.url
        async with connect_bus(server.access("operator"), name="test") as bus:
            first = server.pid
            server.kill()

            async def well() -> bool:
                return server.pid not in {None, first} and await bus.health() == ""

            await wait_until(well, deadline_s=20, what="the bus serves again")
        assert server.url == url
        assert "starts again" in lines[0]
        stopping.set()
        await keeping


async def test_a_program_that_ends_is_started_again_until_told_to_stop(tmp_path: Path) -> None:
    """Its process id is on record while it runs, and gone afterwards."""
    stopping = asyncio.Event()
    process = OwnedProcess("kept", ["sleep", "600"], log_file=tmp_path / "log")
    keeping = asyncio.create_task(
        keep_running(process, pids=tmp_path, stopping=stopping, report=lambda _: None)
    )
    file = pid_file(tmp_path, "kept")

    def pid() -> int:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(file.read_text())
        return 0

    first = await wait_until(pid, deadline_s=10, what="the program runs")
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: pid() not in {0, first}, deadline_s=10, what="it runs again")
    stopping.set()
    await keeping
    assert not file.exists()
    assert not process.running
