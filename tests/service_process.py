"""A service as a process of its own: beside a message bus, or alone, where it cannot run."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import OwnedProcess
from appshield.local.programs import Surroundings, environment_of

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


def process_of(
    service: str,
    server: EmbeddedBus,
    log_file: Path,
    *,
    cluster: str,
    kubeconfig: Path | None = None,
) -> OwnedProcess:
    """Describe a service of an installation of this bus, on no node; its log is named like it."""
    surroundings = Surroundings(
        cluster=cluster,
        kubeconfig=str(kubeconfig or ""),
        context="",
        node="",
        kubelet_root="",
        holder_image="",
    )
    return OwnedProcess(
        log_file.stem,
        command_of(service),
        log_file=log_file,
        environment=environment_of(
            service, bus=server.access(service), surroundings=surroundings, ours=os.environ
        ),
    )


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
