"""Real planner processes on a real message bus; the workers are in this process and do as told."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from appshield.bus import Bus, connect_bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent, AgentService
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import run_id
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import OwnedProcess
from appshield.service import announce
from appshield.service.steps import StepContext, StepWork
from embedded_bus import running_bus
from planner_world import APP, CUT_AT, WORKER_CONSUMERS, Workers
from service_process import process_of
from waiting import wait_until

_STOP_DEADLINE_S = 20.0
_LEAD_DEADLINE_S = 30.0
_RUN_DEADLINE_S = 90.0
NODE = "node"
AGENTS: tuple[AgentService, ...] = ("uploader", "restorer")


class GatedWorkers(Workers):
    """Workers that store nothing before the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.at_the_gate = asyncio.Event()

    async def store(self, command: StepCommand, context: StepContext) -> StepEvent:
        self.at_the_gate.set()
        await self.gate.wait()
        return await super().store(command, context)


class Plant:
    """A bus with workers, and as many planner processes as a test starts."""

    def __init__(
        self, server: EmbeddedBus, bus: Bus, folder: Path, leaving: AsyncExitStack
    ) -> None:
        self.server = server
        self.bus = bus
        self.workers = GatedWorkers()
        """Who works unless `plant` was given others."""
        self._folder = folder
        self._leaving = leaving
        self._started = 0

    async def start_planner(self) -> OwnedProcess:
        """Start one more planner."""
        self._started += 1
        name = f"planner-{self._started}"
        process = process_of(
            "planner", self.server, self._folder / f"{name}.log", cluster=APP.cluster
        )
        await process.start()
        self._leaving.push_async_callback(process.stop, _STOP_DEADLINE_S)
        return process

    async def until_leads(self, *candidates: OwnedProcess) -> OwnedProcess:
        """Wait until one of these planners has the lease, and return it."""
        leases = self.bus.bucket(streams.LEASES, str)

        async def look() -> OwnedProcess | None:
            lease = await leases.get("planner")
            holder = lease.value if lease else ""
            return next((one for one in candidates if f"-{one.pid}-" in holder), None)

        return await wait_until(look, deadline_s=_LEAD_DEADLINE_S, what="a planner leads")

    async def observe(self) -> None:
        """Let the watcher have told the application, and a planner have heard it.

        Facts and requests travel on streams of their own: a request at once could come first.
        """
        seen = ApplicationObserved(
            app=APP, uid="uid-1", resource_version="1", exists=True, revision="r1"
        )
        await self.bus.publish(seen)
        known = self.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        await wait_until(known.keys, deadline_s=_LEAD_DEADLINE_S, what="the application is known")

    async def ask(self, identity: str) -> str:
        """Ask for a backup and return the id of its run."""
        await self.bus.publish(RequestBackup(app=APP, request_id=identity))
        return run_id("backup", f"request/{identity}")

    async def ended(self, run: str) -> Run:
        """Wait until a run has ended and nothing of it is left to be published."""
        runs = self.bus.bucket(streams.RUNS, Run)

        async def look() -> Run | None:
            entry = await runs.get(run)
            over = entry and entry.value.state in FINAL_STATES and not entry.value.outbox
            return entry.value if entry and over else None

        return await wait_until(look, deadline_s=_RUN_DEADLINE_S, what=f"run {run} ended")

    async def versions(self) -> list[int]:
        """List the numbers of the versions in the catalog."""
        bucket = self.bus.bucket(streams.CATALOG, VersionRecord)
        return sorted([entry.value.facts.number async for entry in bucket.items()])

    async def runs(self) -> list[Run]:
        """List all runs."""
        return [entry.value async for entry in self.bus.bucket(streams.RUNS, Run).items()]

    def done(self, *, times: int) -> bool:
        """Say whether the workers did every step of so many backups, each once.

        What does no harm twice, as opening, may be done again where its order comes again.
        """
        steps = {"TakeSnapshot": 1, "StoreSource": 2, "CommitBackup": 1, "ReleaseSnapshot": 1}
        done = dict(self.workers.done)
        opened = done.pop("OpenRepository", 0)
        return opened >= times and done == {step: n * times for step, n in steps.items()}


@asynccontextmanager
async def plant(
    folder: Path,
    around: Callable[[Bus], Bus] | None = None,
    *,
    workers: Workers | None = None,
) -> AsyncIterator[Plant]:
    """A bus of its own (or what is `around` it) with workers for the time of the block."""
    stopping = asyncio.Event()
    async with (
        running_bus(folder / "bus") as server,
        connect_bus(server.access("tester"), name="tests") as plain,
        asyncio.TaskGroup() as tasks,
        AsyncExitStack() as leaving,
    ):
        leaving.callback(stopping.set)
        bus = around(plain) if around else plain
        await bus.ensure_topology()
        running = Plant(server, bus, folder, leaving)
        run_workers(bus, workers or running.workers, stopping, tasks)
        yield running


def run_workers(
    bus: Bus, workers: Workers, stopping: asyncio.Event, tasks: asyncio.TaskGroup
) -> None:
    """Let workers handle the orders of a bus until told to stop, as an agent on a node too."""
    work = StepWork(bus, worker="worker", handlers=workers.handlers())
    consumers = list(WORKER_CONSUMERS)
    for service in AGENTS:
        agent = Agent(
            service=service, cluster=APP.cluster, worker="worker", node=NODE, seen_at=CUT_AT
        )
        tasks.create_task(announce(bus, agent, stopping))
        consumers.append(agent_consumer(service, APP.cluster, NODE))
    for consumer in consumers:
        tasks.create_task(bus.consume(consumer, work.handle, stopping=stopping))


def freeze(process: OwnedProcess) -> None:
    """Stop a process where it is."""
    os.kill(process.pid or 0, signal.SIGSTOP)


def thaw(process: OwnedProcess) -> None:
    """Let a frozen process go on."""
    os.kill(process.pid or 0, signal.SIGCONT)
