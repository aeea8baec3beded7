"""Liveness and readiness over HTTP: `/livez` answers while the loop turns, `/readyz` asks parts.

Every part that a service is wired with registers one check; readiness names those that fail.
`/metrics` gives what the service measures, for Prometheus.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from appshield.service.metrics import CONTENT_TYPE, Measure, exposition

Check = Callable[[], Awaitable[str]]
"""Returns an empty text when well, else what is wrong."""

_CHECK_TIMEOUT_S = 3.0


class Health:
    """The checks of one service and their answers."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._measure: Measure | None = None

    def add(self, name: str, check: Check) -> None:
        """Let readiness depend on `check`."""
        self._checks[name] = check

    def measure(self, measure: Measure | None) -> None:
        """Say what gives the metrics of the service; None for nothing."""
        self._measure = measure

    def metrics(self) -> str:
        """Read what the service measures, in the text form of Prometheus."""
        return exposition(self._measure() if self._measure is not None else ())

    async def problems(self) -> dict[str, str]:
        """Ask every check; return what is wrong by name, empty when all is well."""
        answers = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        return {name: text for name, text in zip(self._checks, answers, strict=True) if text}

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                return await check()
        except TimeoutError:
            return f"no answer within {_CHECK_TIMEOUT_S:g} s"


@asynccontextmanager
async def serve_health(health: Health, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve the two answers while the block runs; gives the port, chosen freely for 0."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        problems = await health.problems()
        return web.json_response(
            {"ready": not problems, "problems": problems}, status=503 if problems else 200
        )

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=health.metrics().encode(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    routes = {"/livez": live, "/readyz": ready, "/metrics": metrics}
    application.add_routes([web.get(path, answer) for path, answer in routes.items()])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = int(runner.addresses[0][1])
        structlog.get_logger().info("health served", host=host, port=bound)
        yield bound
    finally:
        await runner.cleanup()
