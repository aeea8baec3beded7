"""Gateways as processes, and listeners to their events, for tests and measurements."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from appshield.gateway.api.application import PATH
from appshield.local.embedded.message_bus import EmbeddedBus
from waiting import wait_until

_MAIN = Path(__file__).with_name("rest_gateway.py")
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; `id` is the last one that came."""

    kind: str
    data: dict[str, Any]
    id: str


class GatewayProcess:
    """A gateway that runs, on a port of its own that it keeps when it is started again."""

    def __init__(self, server: EmbeddedBus) -> None:
        self._access = server.access("gateway")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    async def start(self) -> None:
        """Start it and wait until it knows everything."""
        self.process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", sys.executable, str(_MAIN)),
            *(self._access.url, self._access.seed_file, str(self.port)),
            env=dict(os.environ),
        )
        await wait_until(self._answers, deadline_s=DEADLINE_S, what="the gateway answers")

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def _answers(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession(headers=bearer()) as session,
                session.get(f"{self.url}/applications?limit=1") as answer,
            ):
                return answer.status == 200
        except (OSError, aiohttp.ClientError):
            return False


def bearer(name: str = "admin") -> dict[str, str]:
    """Say who asks."""
    return {"Authorization": f"Bearer {name}"}


@asynccontextmanager
async def gateway(server: EmbeddedBus) -> AsyncIterator[GatewayProcess]:
    """Run a gateway for the time of the block."""
    running = GatewayProcess(server)
    await running.start()
    try:
        yield running
    finally:
        await running.kill()


async def events(
    url: str, *, name: str = "admin", last: str = "", namespace: str = ""
) -> AsyncIterator[Event]:
    """Listen; the first is an event of kind `open` with the position."""
    headers = bearer(name) | ({"Last-Event-ID": last} if last else {})
    timeout = aiohttp.ClientTimeout(total=None, sock_read=DEADLINE_S)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
        session.get(f"{url}/events", params={"namespace": namespace}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        waiting: list[tuple[str, bytes]] = []
        fields: dict[str, str] = {}
        opened = False
        async for line in answer.content:
            name_, _, text = line.decode().rstrip("\n").partition(": ")
            if name_:
                fields[name_] = text
                continue
            if "event" in fields:
                waiting.append((fields["event"], fields["data"].encode()))
            position, fields = fields.get("id", ""), {}
            if not position and not (waiting and waiting[-1][0] == "reset"):
                continue
            for kind, data in waiting:
                yield Event(kind, msgspec.json.decode(data), position)
            if waiting and waiting[-1][0] == "reset":
                return
            if not opened:
                opened = True
                yield Event("open", {}, position)
            waiting = []
