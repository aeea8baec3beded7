"""Keep programs running: one that ends is started again, after a pause that grows while it fails.

Told to stop, every program is asked to stop, given its time, and only then ended. A service does
not outlive whoever keeps it running, so that no second set of services stands beside a new one.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from appshield.errors import AppShieldError
from appshield.local.programs import pid_file
from appshield.service import pause

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_STEADY_AFTER_S = 20.0
_STOP_DEADLINE_S = 25.0

Report = Callable[[str], None]


class Server(Protocol):
    """A server that AppShield starts itself, with data that stay."""

    async def start(self) -> None:
        """Start it; returns when it serves."""
        ...

    async def stop(self) -> None:
        """Stop it, or tidy up after its end."""
        ...

    async def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        ...


class Program(Protocol):
    """A program that keeps nothing, and can be started again at once."""

    @property
    def name(self) -> str:
        """What it is called in reports, and its file with the process id."""
        ...

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        ...

    async def start(self) -> None:
        """Start it; it may not be ready yet when this returns."""
        ...

    async def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        ...

    async def stop(self, deadline_s: float) -> None:
        """Ask it to end and wait; kill it after `deadline_s`."""
        ...


async def keep_running(
    process: Program, *, pids: Path, stopping: asyncio.Event, report: Report
) -> None:
    """Run one program until told to stop."""
    wait_s = _FIRST_PAUSE_S
    file = pid_file(pids, process.name)
    try:
        while not stopping.is_set():
            started = time.monotonic()
            await process.start()
            file.write_text(f"{process.pid}\n")
            code = await _until_end(process, stopping)
            if code is None:
                break
            if time.monotonic() - started > _STEADY_AFTER_S:
                wait_s = _FIRST_PAUSE_S
            report(f"{process.name} ended with {code}; it starts again in {wait_s:g} s")
            await pause(stopping, wait_s)
            wait_s = min(wait_s * 2, _LONGEST_PAUSE_S)
    finally:
        await process.stop(_STOP_DEADLINE_S)
        file.unlink(missing_ok=True)


async def keep_serving(
    name: str, server: Server, *, stopping: asyncio.Event, report: Report
) -> None:
    """Start a server again, on its data and its address, whenever it ends by itself."""
    wait_s = _FIRST_PAUSE_S
    while not stopping.is_set():
        started = time.monotonic()
        code = await _until_end(server, stopping)
        if code is None:
            return
        if time.monotonic() - started > _STEADY_AFTER_S:
            wait_s = _FIRST_PAUSE_S
        report(f"{name} ended with {code}; it starts again in {wait_s:g} s")
        await pause(stopping, wait_s)
        wait_s = min(wait_s * 2, _LONGEST_PAUSE_S)
        try:
            await server.stop()
            await server.start()
        except AppShieldError as error:
            report(f"{name} did not start again: {error}")


async def _until_end(process: Server | Program, stopping: asyncio.Event) -> int | None:
    """Wait for the program's end or for the word to stop; return its exit code, None for that."""
    ended = asyncio.create_task(process.wait(), name="a program ends")
    told = asyncio.create_task(stopping.wait(), name="stop")
    try:
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() else None
    finally:
        for task in (ended, told):
            task.cancel()
        await asyncio.gather(ended, told, return_exceptions=True)
