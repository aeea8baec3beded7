"""The command line as a process of its own, and a planner with scripted workers behind it.

Everything is real but the workers: an embedded bus with its users, and the planner's own `serve`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from appshield.bus import Bus, connect_bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    FinishRestore,
    ObjectsApplied,
    PlanRestore,
    RestoreFinished,
    RestorePlanned,
)
from appshield.local.connection import Connection, write_connection
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.home import Home
from appshield.planner.service import serve
from appshield.planner.settings import Settings
from appshield.service.steps import StepContext, StepWork, outcome
from planner_world import Workers
from waiting import wait_until

CLUSTER = "test"
COMMAND_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Said:
    """What a command wrote and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read its result."""
        return msgspec.json.decode(self.out)


class CommandLine:
    """Runs `appshield` against one home."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "APPSHIELD_HOME": str(home),
            "TZ": "UTC",
            **environment,
        }

    async def __call__(self, *arguments: str, stdin: str = "") -> Said:
        """Run a command to its end."""
        process = await self.start(*arguments)
        return await self.ended(process, stdin)

    async def start(
        self, *arguments: str, terminal: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        """Start a command; with a `terminal` standard error goes there."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *("env", "--default-signal=INT"),  # a suite in the background would hand on its own
            *(sys.executable, "-m", "appshield.cli", *arguments),
            env=self.environment,
            stdin=pipe,
            stdout=pipe,
            stderr=terminal,
        )

    async def ended(self, process: asyncio.subprocess.Process, stdin: str = "") -> Said:
        """Wait for its end."""
        async with asyncio.timeout(COMMAND_DEADLINE_S):
            out, err = await process.communicate(stdin.encode())
        return Said(process.returncode or 0, out.decode(), (err or b"").decode())

    async def interrupted(self, process: asyncio.subprocess.Process) -> Said:
        """Press Ctrl-C and wait for its end."""
        process.send_signal(signal.SIGINT)
        return await self.ended(process)


class Stage(Workers):
    """Scripted workers for backups and restores; snapshots wait until `going` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.going = asyncio.Event()
        self.going.set()

    def handlers(self) -> dict[type[StepCommand], Any]:
        return {
            **super().handlers(),
            PlanRestore: self.plan,
            ApplyObjects: self.apply,
            FinishRestore: self.finish,
        }

    async def take(self, command: StepCommand, context: StepContext) -> StepEvent:
        context.progress(1_000_000, 4_000_000, 10)
        await self.going.wait()
        return await super().take(command, context)

    async def plan(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(
            RestorePlanned,
            command,
            objects=("ConfigMap shop/settings", "Deployment shop/web"),
            warnings=("the volume is read live",),
        )

    async def apply(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(ObjectsApplied, command, objects=2)

    async def finish(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(RestoreFinished, command)


class Backstage:
    """The bus, the workers, and what a test does as the watcher."""

    def __init__(self, server: EmbeddedBus, bus: Bus, home: Home) -> None:
        self.server = server
        self.bus = bus
        self.home = home
        self.stage = Stage()

    @property
    def command_line(self) -> CommandLine:
        """The command line of this installation."""
        return CommandLine(self.home.folder)

    async def observe(
        self, namespace: str, name: str, *, uid: str = "", exists: bool = True
    ) -> str:
        """Let the watcher tell an application; return its history once the planner knows it."""
        app = AppRef(cluster=CLUSTER, namespace=namespace, name=name)
        fact = ApplicationObserved(
            app=app,
            uid=uid or f"uid-{namespace}-{name}",
            resource_version="1",
            exists=exists,
            revision="r1",
            application_type="web",
        )
        await self.bus.publish(fact)
        bucket = self.bus.bucket(streams.APPLICATIONS, ApplicationRecord)

        async def known() -> str:
            async for entry in bucket.items():
                record = entry.value
                state = "active" if exists else "orphaned"
                if record.uid == fact.uid and record.state == state:
                    return record.app_id
            return ""

        return await wait_until(known, deadline_s=30, what=f"{app} known to the planner")

    @asynccontextmanager
    async def planning(self) -> AsyncIterator[None]:
        """Run planner and workers for the time of the block."""
        stopping = asyncio.Event()
        access = self.server.access("planner")
        settings = Settings(nats_url=access.url, nats_seed_file=access.seed_file, cluster=CLUSTER)
        work = StepWork(self.bus, worker="worker", handlers=self.stage.handlers())
        node = agent_consumer("uploader", CLUSTER, "node")
        await self.bus.ensure_consumer(node)
        consumers = (
            streams.SNAPSHOTTER_ORDERS,
            streams.UPLOADER_ORDERS,
            streams.RESTORER_ORDERS,
            node,
        )
        running = [asyncio.create_task(serve(settings, stopping))]
        running += [
            asyncio.create_task(self.bus.consume(one, work.handle, stopping=stopping))
            for one in consumers
        ]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*running)


@asynccontextmanager
async def backstage(folder: Path) -> AsyncIterator[Backstage]:
    """Run an installation of its own: a bus with its users, known to the command line."""
    from embedded_bus import running_bus

    home = Home(folder=folder / "home", cache=folder / "cache")
    home.folder.mkdir(parents=True)
    async with (
        running_bus(folder / "bus") as server,
        connect_bus(server.access("tester"), name="backstage") as bus,
    ):
        await bus.ensure_topology()
        person = server.access("person")
        write_connection(
            home,
            Connection(
                nats_url=person.url,
                users_folder=str(Path(person.seed_file).parent),
                kubeconfig="",
                context="",
                cluster=CLUSTER,
            ),
        )
        yield Backstage(server, bus, home)
