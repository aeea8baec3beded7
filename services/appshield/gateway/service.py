"""Wiring of the gateway: what is built from what, and what runs beside what."""

import asyncio

from aiohttp import web

from appshield.gateway.reading import routes
from appshield.gateway.settings import Settings
from appshield.service import joined

LOOPBACK = "127.0.0.1"


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Answer until told to stop."""
    async with joined(settings, "gateway", stopping) as service:
        application = web.Application()
        application.add_routes(routes(service.bus))
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, settings.http_port).start()
            await stopping.wait()
        finally:
            await runner.cleanup()
