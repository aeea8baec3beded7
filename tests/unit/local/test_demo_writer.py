"""The writer of the demo against a small web service that can fail."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from appshield.local.demo.write_log import STREAMS, Stream, read_log, writes_of
from appshield.local.demo.writer import Pace, writing
from waiting import wait_until

FAST: dict[Stream, Pace] = {
    "rows": Pace(per_second=500, size_bytes=8),
    "files": Pace(per_second=500, size_bytes=64),
}


class Service:
    """Stores what is written; refuses with `failing` set, after having stored it."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.requests = 0
        self.failing = False
        self.url = ""

    async def put(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests += 1
        self.stored[request.path] = body
        if self.failing:
            return web.Response(status=503)
        return web.Response(text=hashlib.sha256(body).hexdigest())


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    application = web.Application()
    application.router.add_put("/{stream}/{n}", made.put)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


async def test_what_is_logged_is_what_is_stored(service: Service, tmp_path: Path) -> None:
    """Both streams write 1, 2, 3… and every acknowledged digest is of the stored bytes."""
    async with writing(service.url, tmp_path / "log", FAST):
        await wait_until(lambda: len(service.stored) > 40, deadline_s=10, what="40 writes")
    entries = read_log(tmp_path / "log")
    for stream in STREAMS:
        writes = writes_of(entries, stream)
        assert [write.n for write in writes] == list(range(1, len(writes) + 1))
        for write in writes:
            stored = hashlib.sha256(service.stored[f"/{stream}/{write.n}"]).hexdigest()
            assert write.sha256 == stored
            assert write.acknowledged_s is not None
            assert write.begun_s <= write.acknowledged_s


async def test_a_refused_write_is_sent_again_and_logged_once(
    service: Service, tmp_path: Path
) -> None:
    """While the service fails nothing is acknowledged; afterwards no number is left out."""
    service.failing = True
    async with writing(service.url, tmp_path / "log", FAST):
        await wait_until(lambda: service.requests >= 6, deadline_s=10, what="6 attempts")
        assert set(service.stored) == {"/rows/1", "/files/1"}
        service.failing = False
        await wait_until(lambda: "/rows/5" in service.stored, deadline_s=10, what="row 5")
    writes = writes_of(read_log(tmp_path / "log"), "rows")
    assert [write.n for write in writes] == list(range(1, len(writes) + 1))
    assert hashlib.sha256(service.stored["/rows/1"]).hexdigest() == writes[0].sha256


async def test_the_writer_ends_while_the_service_fails(service: Service, tmp_path: Path) -> None:
    """A write without an answer stays in the log as begun, and nothing hangs."""
    service.failing = True
    async with writing(service.url, tmp_path / "log", FAST):
        await wait_until(lambda: service.requests >= 2, deadline_s=10, what="2 attempts")
    writes = writes_of(read_log(tmp_path / "log"), "rows")
    assert [(write.n, write.acknowledged_s) for write in writes] == [(1, None)]
