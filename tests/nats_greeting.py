"""A server that greets like NATS of some version and can do nothing else."""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator

_TURNS_MAX = 20
"""More than a client needs to close its connection."""


@contextlib.asynccontextmanager
async def greeting(
    version: str, *, refusals: int = 0, answers_max: int = sys.maxsize
) -> AsyncIterator[str]:
    """Run it for the time of the block and give its URL; it answers every PING.

    It refuses the first `refusals` connections as a server does that reads its configuration anew,
    and puts the others out after `answers_max` answers, each a turn of the event loop later than
    the one before.
    """
    connections = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(connections)
        refused = number <= refusals
        info = {"server_id": "X", "version": version, "max_payload": 1048576, "headers": True}
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        answers = 0
        with contextlib.suppress(OSError):
            async for line in reader:
                if line.startswith(b"PING"):
                    writer.write(b"-ERR 'Authorization Violation'\r\n" if refused else b"PONG\r\n")
                    answers += 1
                    if refused or answers == answers_max:
                        break
            for _ in range(number % _TURNS_MAX):
                await asyncio.sleep(0)  # a client gets on meanwhile
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
