"""Join the system as a service: connected to the bus, announced, with health served.

What every service has in common is wired here, once; a service's own `service.py` wires the rest.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from appshield.bus import Bus, BusAccess, Handler, connect_bus
from appshield.contracts.agents import Agent, ServiceName, agent_user
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.service.announcing import announce
from appshield.service.clock import SystemClock
from appshield.service.health import Health, serve_health
from appshield.service.run_logs import run_logs_forwarded
from appshield.service.settings import ServiceSettings

_BUS_AWAY_S = 1.0
"""How long a service that was told to stop waits for a bus that is away."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A service that has joined: its bus, its name as a worker, its health, its tasks."""

    bus: Bus
    worker: str
    health: Health
    stopping: asyncio.Event
    concurrency: int
    tasks: asyncio.TaskGroup

    def run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something beside the rest; its failure ends the service."""
        self.tasks.create_task(work, name=name)

    def consume(self, consumers: Iterable[ConsumerSpec], handler: Handler) -> None:
        """Handle everything of the consumers until told to stop."""
        for consumer in consumers:
            work = self.bus.consume(
                consumer, handler, stopping=self.stopping, concurrency=self.concurrency
            )
            self.run(work, consumer.name)


@asynccontextmanager
async def joined(
    settings: ServiceSettings, service: ServiceName, stopping: asyncio.Event, *, node: str = ""
) -> AsyncIterator[Joined]:
    """Join as `service`, with a `node` as the agent of that node; leave when all tasks have ended.

    Raises:
        UnavailableError: the bus cannot be reached.
        DeniedError: it does not accept our key.
    """
    # a container that starts again has the same host name and process id, and is another worker
    worker = f"{service}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    access = BusAccess(
        url=settings.nats_url,
        user=agent_user(service) if node else service,
        seed_file=settings.nats_seed_file,
        ca_file=settings.nats_ca_file,
    )
    agent = Agent(
        service=service,
        cluster=settings.cluster,
        worker=worker,
        node=node,
        seen_at=SystemClock().now(),
    )
    health, leaving = Health(), asyncio.Event()
    async with (
        connect_bus(access, name=worker, leaving=leaving) as bus,
        run_logs_forwarded(bus, service=service, cluster=settings.cluster),
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        health.add("bus", bus.health)
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        tasks.create_task(_leave(stopping, leaving), name="leave")
        yield Joined(
            bus=bus,
            worker=worker,
            health=health,
            stopping=stopping,
            concurrency=settings.concurrency,
            tasks=tasks,
        )


async def _leave(stopping: asyncio.Event, leaving: asyncio.Event) -> None:
    """Let nothing wait long for the bus after the word to stop, nor the stop for this."""
    await stopping.wait()
    asyncio.get_running_loop().call_later(_BUS_AWAY_S, leaving.set)
