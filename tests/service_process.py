"""A service as a process of its own, for tests of what it says when it cannot run."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp

_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH")
END_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Ended:
    """How a service ended, and everything that it wrote."""

    code: int
    written: str

    @property
    def error(self) -> str:
        """The one error that was told, made sure that it is one and without a trace."""
        assert "Traceback" not in self.written, self.written
        (only,) = [line for line in self.written.splitlines() if line.startswith("error: ")]
        return only.removeprefix("error: ")


def command_of(service: str) -> list[str]:
    """Write the command line of a service that is started alone; it ends with the test."""
    return ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", f"appshield.{service}"]


async def started(service: str, **settings: str | Path) -> asyncio.subprocess.Process:
    """Start a service with these settings and nothing else; whoever starts it ends it."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    for name, value in settings.items():
        environment[f"APPSHIELD_{service.upper()}_{name.upper()}"] = str(value)
    return await asyncio.create_subprocess_exec(
        *command_of(service),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(service: str, **settings: str | Path) -> Ended:
    """Run a service with these settings until it ends by itself."""
    process = await started(service, **settings)
    try:
        async with asyncio.timeout(END_DEADLINE_S):
            written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, written.decode())


async def readiness(port: int) -> dict[str, str] | None:
    """Ask a service what is wrong with it: nothing when ready, None while it does not answer."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/readyz") as answer,
        ):
            problems: dict[str, str] = json.loads(await answer.read())["problems"]
    except (OSError, aiohttp.ClientError):
        return None
    return problems
