"""A webhook for tests: keeps what it is sent, and answers as told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Receiver:
    """Answers 200 when it was told nothing else."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Keep a message."""
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen on loopback for the time of the block."""
        application = web.Application()
        application.add_routes([web.post("/hook/secret-token", self.take)])
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/secret-token"
        try:
            yield
        finally:
            await runner.cleanup()
