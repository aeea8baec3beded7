"""Wiring of the gateway: what is built from what, and what runs beside what."""

import asyncio
import os
import socket

from aiohttp import web

from appshield.bus import Bus, BusAccess
from appshield.contracts.agents import Agent
from appshield.gateway.reading import routes
from appshield.gateway.settings import Settings
from appshield.service import Health, SystemClock, announce, serve_health

LOOPBACK = "127.0.0.1"


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Answer until told to stop."""
    access = BusAccess(url=settings.nats_url, user="gateway", seed_file=settings.nats_seed_file)
    worker = f"gateway-{socket.gethostname()}-{os.getpid()}"
    health = Health()
    async with (
        Bus.connect(access, name=worker) as bus,
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        health.add("bus", bus.health)
        agent = Agent(
            service="gateway",
            cluster=settings.cluster,
            worker=worker,
            seen_at=SystemClock().now(),
        )
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        application = web.Application()
        application.add_routes(routes(bus))
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, settings.http_port).start()
            await stopping.wait()
        finally:
            await runner.cleanup()
