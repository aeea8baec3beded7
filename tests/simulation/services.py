"""The services of a simulated system: the real planner, and workers that do real step work.

Each runs as a part of one process, over that process's line to a bus.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent, ServiceName
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.planner.service import lead
from appshield.planner.settings import Settings
from appshield.service import Clock
from appshield.service.announcing import announce
from appshield.service.health import Health
from appshield.service.joining import Joined
from appshield.service.steps import StepWork
from simulation.outside import Outside
from simulation.process import Process
from simulation.uploader import Uploader
from simulation.workers import NODE, Handlers, Restorer, Snapshotter, build_quiescing

CLUSTER = "test"
SETTINGS = Settings(nats_url="", cluster=CLUSTER)
SERVICES: tuple[ServiceName, ...] = ("planner", "snapshotter", "uploader", "restorer")


async def serve(
    service: ServiceName, process: Process, line: Bus, outside: Outside, clock: Clock
) -> None:
    """Be this service until the process is told to stop."""
    if service == "planner":
        await plan(process, line, clock)
        return
    node = NODE if service in {"uploader", "restorer"} else ""
    # two agents of one node would share a record; each has a name of its own here
    agent = Agent(
        service=service, cluster=CLUSTER, worker=process.name, node=node, seen_at=clock.now()
    )
    handlers, consumers, beside = _worker(service, process, line, outside, clock)
    aftermaths = Uploader(process, outside, line, clock).aftermaths()
    work = StepWork(line, worker=process.name, handlers=handlers, aftermaths=aftermaths)
    async with asyncio.TaskGroup() as tasks:
        for other in (announce(line, agent, process.stopping), *beside):
            tasks.create_task(other)
        for consumer in consumers:
            tasks.create_task(line.consume(consumer, work.handle, stopping=process.stopping))


async def plan(
    process: Process, line: Bus, clock: Clock, tell_after_s: float | None = None
) -> None:
    """Be a planner, again and again, until the process is told to stop."""
    waits = {} if tell_after_s is None else {"tell_after_s": tell_after_s}
    async with asyncio.TaskGroup() as tasks:
        joined = Joined(
            bus=line,
            worker=process.name,
            health=Health(),
            stopping=process.stopping,
            concurrency=SETTINGS.concurrency,
            tasks=tasks,
        )
        while not process.stopping.is_set():
            await lead(joined, SETTINGS, process.stopping, clock, **waits)


def _worker(
    service: ServiceName, process: Process, line: Bus, outside: Outside, clock: Clock
) -> tuple[Handlers, list[ConsumerSpec], list[Coroutine[Any, Any, None]]]:
    """Return its handlers, what they handle, and what it does beside."""
    if service == "snapshotter":
        quiescing = build_quiescing(line, process, outside, clock, process.name)
        snapshotter = Snapshotter(process, outside, line, quiescing, clock)
        stopping = process.stopping
        beside = [quiescing.keep_promises(stopping), snapshotter.keep_swept(stopping)]
        return snapshotter.handlers(), [streams.SNAPSHOTTER_ORDERS], beside
    if service == "uploader":
        uploader = Uploader(process, outside, line, clock)
        agent = agent_consumer("uploader", CLUSTER, NODE)
        return uploader.handlers(), [streams.UPLOADER_ORDERS, agent], []
    agent = agent_consumer("restorer", CLUSTER, NODE)
    return Restorer(process, outside).handlers(), [streams.RESTORER_ORDERS, agent], []
