"""Liveness says that the loop turns; readiness names every part that is not well."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from appshield.service import Health, health, serve_health
from appshield.service.metrics import Gauge, Sample


async def well() -> str:
    return ""


async def ill() -> str:
    return "it rains"


async def silent() -> str:
    await asyncio.Event().wait()
    return ""


async def ask(port: int, path: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, json.loads(await answer.read())


async def test_a_service_is_ready_when_every_part_is_well() -> None:
    """Both answers say so."""
    parts = Health()
    parts.add("bus", well)
    async with serve_health(parts, host="127.0.0.1", port=0) as port:
        assert await ask(port, "/readyz") == (200, {"ready": True, "problems": {}})
        assert await ask(port, "/livez") == (200, {"live": True})


async def test_what_is_not_well_or_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A part that hangs does not hang the answer; the service still lives."""
    monkeypatch.setattr(health, "_CHECK_TIMEOUT_S", 0.05)
    parts = Health()
    for name, check in (("bus", well), ("watch", ill), ("store", silent)):
        parts.add(name, check)
    async with serve_health(parts, host="127.0.0.1", port=0) as port:
        status, answer = await ask(port, "/readyz")
        assert (status, answer["ready"]) == (503, False)
        assert answer["problems"] == {"watch": "it rains", "store": "no answer within 0.05 s"}
        assert (await ask(port, "/livez"))[0] == 200


async def test_what_a_service_measures_is_served_for_prometheus() -> None:
    """Read when somebody asks; a service that measures nothing gives an empty answer."""
    parts = Health()
    async with (
        serve_health(parts, host="127.0.0.1", port=0) as port,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert (answer.status, await answer.text()) == (200, "")
        parts.measure(lambda: [Gauge("age_seconds", "How old.", (Sample({"app": "shop"}, 2),))])
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert 'age_seconds{app="shop"} 2\n' in await answer.text()
