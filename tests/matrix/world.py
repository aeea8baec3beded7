"""A real message bus and real services, in which one accident happens at a time.

The cluster is a fake on which something acts, the store lies in memory; both are proven by
tests/conformance.

Processes are parts of this one: the world stands between them and the deliveries of the bus, and
gives a message back for one that is gone, as the server does when its wait is over. A successor
starts at once; leases and announcements of what is gone end as if their time were over.
"""

import asyncio
import gc
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from msgspec.structs import replace

from appshield.bus import Delivery, Handler, Retry, connect_bus
from appshield.bus.api import ConsumerInfo
from appshield.bus.jetstream import JetStreamBus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent, ServiceName
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, application_id
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestPrune
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.planner import leading
from appshield.snapshotter import quiescing
from embedded_bus import running_bus
from matrix.effects import Effect, Moment, operation_of
from matrix.process import RUNNING, DoomedProcess
from matrix.services import serve
from matrix.surroundings import Surroundings, surroundings
from simulation.chance import Chance
from simulation.line import Line
from simulation.services import CLUSTER, SERVICES
from simulation.workers import NODE
from waiting import wait_until

DEADLINE_S = 180.0
WINDOW_S = 0.1
_THREADS = 32
"""Those of a process that was killed wait until it is ended."""
LOOK_EVERY_S = 0.05
_BY_TIME = ("APPSHIELD_LEASES", "APPSHIELD_AGENTS", "appshield.v1.audited")
"""Written as time passes, so many as came meanwhile; what ends them is done from outside."""
_NUMBER = re.compile(r"(APP\.|/highest/)\d+")
_DIGEST = re.compile(r"([0-9a-f]{2}/)?([0-9a-f]{32}){1,2}")
_NO_TARGET = "nowhere"
_AGENTS = tuple(agent_consumer(name, CLUSTER, NODE) for name in ("uploader", "restorer"))


class Accident(msgspec.Struct):
    """What happens at the n-th time of an effect; `happened` once it has."""

    effect: Effect
    nth: int
    moment: Moment
    happened: bool = False


class World:
    """See the module; made by `world`."""

    def __init__(self, bus: JetStreamBus, tasks: asyncio.TaskGroup, around: Surroundings) -> None:
        self.bus = bus
        self.app = around.app
        self.around = around
        self.seen: Counter[Effect] = Counter()
        """What was done since the present run was asked for."""
        self.accident: Accident | None = None
        self._run = "-"
        self._app_id = "-"
        self._histories = 0
        self._target = _NO_TARGET
        self._tasks = tasks
        self._stopping = asyncio.Event()
        self._calm = Chance(0)
        self._calm.calm = True
        self._started = 0
        self._processes: dict[ServiceName, DoomedProcess] = {}
        self._gone: list[DoomedProcess] = []
        self._takers: dict[str, tuple[DoomedProcess, Handler]] = {}
        self._taken: dict[str, asyncio.Event] = {}
        self._handling: Counter[str] = Counter()

    def now(self) -> datetime:
        """Return the present moment; the world is the clock of its services."""
        return datetime.now(UTC)

    async def start(self) -> None:
        """Start one process of each service, and let the application be known."""
        for service in SERVICES:
            self._start(service)
        await self.begin_history()

    async def begin_history(self) -> None:
        """Let the application be a new one of its name: without versions, without a repository."""
        self._histories += 1
        uid = f"uid-{self._histories}"
        await self.bus.publish(
            ApplicationObserved(
                app=self.app, uid=uid, resource_version="1", exists=True, revision="r1"
            )
        )
        self._app_id = application_id(CLUSTER, uid)
        await wait_until(self.record, deadline_s=DEADLINE_S, what="it is known")
        await self._at_rest()

    async def live_through(self, request: Message, run: str, accident: Accident | None) -> Run:
        """Ask for a run, let the accident happen, and return the run when all is at rest."""
        self.seen.clear()
        self._run, self.accident = run, accident
        self._target = getattr(request, "target_namespace", "") or _NO_TARGET
        await self.bus.publish(request)
        await self._wait(lambda: self._ended(run), f"{run} ended")
        await self._at_rest()
        await self._go_on_late()
        self.accident = None
        if accident is not None and accident.moment == "late":
            await self._upkeep()
        entry = await self.bus.bucket(streams.RUNS, Run).get(run)
        assert entry is not None
        return entry.value

    async def record(self) -> ApplicationRecord | None:
        """Read what the planner knows of the application."""
        entry = await self.bus.bucket(streams.APPLICATIONS, ApplicationRecord).get(self._app_id)
        return entry.value if entry is not None else None

    async def catalog(self) -> list[VersionRecord]:
        """List the versions of the application that the catalog knows."""
        bucket = self.bus.bucket(streams.CATALOG, VersionRecord)
        return [entry.value async for entry in bucket.items(f"{self._app_id}.")]

    async def dead(self) -> list[str]:
        """List the subjects of what was given up."""
        return [stored.subject async for stored in self.bus.read(streams.DEAD)]

    async def end(self) -> None:
        """End everything."""
        self._stopping.set()
        for process in [*self._gone, *self._processes.values()]:
            await process.end()

    def subscribe(self, consumer: ConsumerSpec, process: DoomedProcess, handler: Handler) -> None:
        """Let a process handle what comes from a consumer, until it is gone or another does."""
        if consumer.name not in self._taken:
            self._taken[consumer.name] = asyncio.Event()
            consuming = self.bus.consume(
                consumer,
                lambda delivery: self._give(consumer.name, delivery),
                stopping=self._stopping,
            )
            self._tasks.create_task(consuming)
        self._takers[consumer.name] = (process, handler)
        self._taken[consumer.name].set()

    async def _give(self, consumer: str, delivery: Delivery) -> None:
        await self._taken[consumer].wait()
        process, handler = self._takers[consumer]
        handling = process.spawn(_call(handler, delivery))
        self._handling[process.name] += 1

        def handled(done: asyncio.Task[None]) -> None:
            self._handling[process.name] -= 1
            _ = done.cancelled() or done.exception()  # of one that is gone nobody hears

        handling.add_done_callback(handled)
        gone = asyncio.create_task(process.gone.wait())
        await asyncio.wait({handling, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if process.gone.is_set():
            raise Retry("nobody hears how it ended", after_s=0)
        handling.result()

    def _start(self, service: ServiceName) -> None:
        self._started += 1
        process = DoomedProcess(
            service,
            f"{service}-{self._started}",
            fate=self._fate,
            ended=lambda: self._succeed(process),
            calm=self._calm,
        )
        self._processes[service] = process
        process.spawn(
            serve(service, process, _RealLine(self, process), self.around.kubernetes, self)
        )

    def _succeed(self, process: DoomedProcess) -> None:
        """Let a successor take over from a process that is gone."""
        self._gone.append(process)
        for consumer, (taker, _) in self._takers.items():
            if taker is process:
                self._taken[consumer].clear()
        self._tasks.create_task(self._replace(process))

    async def _replace(self, process: DoomedProcess) -> None:
        if process.service == "planner":
            await self.bus.bucket(streams.LEASES, str).delete("planner")
        agents = self.bus.bucket(streams.AGENTS, Agent)
        async for entry in agents.items():
            if entry.value.worker == process.name:
                await agents.delete(entry.key)
        self._start(process.service)

    def _fate(self, process: DoomedProcess, what: str) -> Moment | None:
        if any(bucket in what for bucket in _BY_TIME):
            return None
        effect = Effect(process.service, operation_of(what), self._named(what))
        self.seen[effect] += 1
        accident = self.accident
        if accident is None or accident.happened or effect != accident.effect:
            return None
        if self.seen[effect] != accident.nth:
            return None
        accident.happened = True
        return accident.moment

    def _named(self, what: str) -> str:
        """Name an effect as it is named in every run."""
        named = what.replace(self._run, "RUN").replace(self._app_id, "APP")
        named = named.replace(self._target, "TARGET").removeprefix("object ")
        return _NUMBER.sub(r"\1NUMBER", _DIGEST.sub("DIGEST", named))

    async def _go_on_late(self) -> None:
        """Let what was stopped go on, and end what is gone."""
        for process in self._gone:
            if process.alive:
                await self._end_late(process)
            await process.end()
        self._gone.clear()

    async def _end_late(self, process: DoomedProcess) -> None:
        process.go_on()
        await self._until(lambda: not self._handling[process.name], "the late one is done")
        await self._at_rest()

    async def _upkeep(self) -> None:
        """What a worker did after its run had ended is found by those that come after it."""
        if self.around.made():
            self._processes["snapshotter"].kill()
            await self._until(lambda: not self.around.made(), "swept")
            await self._at_rest()
        if self.around.staged():
            request = RequestPrune(app=self.app, request_id=self._run, app_id=self._app_id)
            await self.bus.publish(request)
            await self._until(lambda: not self.around.staged(), "pruned")
            await self._at_rest()
        await self._go_on_late()

    async def _ended(self, run: str) -> bool:
        entry = await self.bus.bucket(streams.RUNS, Run).get(run)
        return entry is not None and entry.value.state in FINAL_STATES and not entry.value.outbox

    async def _at_rest(self) -> None:
        await self._wait(self._rests, "everything is handled and nobody is quiesced")

    async def _rests(self) -> bool:
        for consumer in (*streams.CONSUMERS, *_AGENTS):
            operation = f"CONSUMER.INFO.{consumer.stream}.{consumer.name}"
            info = await self.bus._api.call(operation, None, ConsumerInfo)
            if consumer.name in self._taken and (info.num_pending or info.num_ack_pending):
                return False
        record = await self.record()
        promises = await self.bus.bucket(streams.QUIESCED, msgspec.Raw).keys()
        return record is not None and not record.active_run and not promises

    async def _wait(self, check: Callable[[], Coroutine[Any, Any, bool]], what: str) -> None:
        await wait_until(check, deadline_s=DEADLINE_S, what=what, every_s=LOOK_EVERY_S)

    async def _until(self, check: Callable[[], bool], what: str) -> None:
        await wait_until(check, deadline_s=DEADLINE_S, what=what, every_s=LOOK_EVERY_S)


class _RealLine(Line):
    """The real bus as one process of the world sees it."""

    def __init__(self, world: World, process: DoomedProcess) -> None:
        super().__init__(world.bus, process)
        self._world = world
        self._doomed = process

    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        self._world.subscribe(consumer, self._doomed, handler)
        await stopping.wait()


async def _call(handler: Handler, delivery: Delivery) -> None:
    await handler(delivery)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A world with a bus of its own, which forgets at once what it has stored."""
    async with (
        running_bus(folder) as server,
        connect_bus(server.access("tester"), name="matrix") as bus,
        surroundings(folder, AppRef(cluster=CLUSTER, namespace="shop", name="shop")) as around,
        asyncio.TaskGroup() as tasks,
    ):
        assert isinstance(bus, JetStreamBus)
        await bus.ensure_topology()
        for spec in streams.STREAMS:
            await bus.ensure_stream(replace(spec, duplicate_window_s=WINDOW_S))
        for consumer in _AGENTS:
            await bus.ensure_consumer(consumer)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        with _quick(), _collecting_little():
            made = World(bus, tasks, around)
            try:
                await made.start()
                yield made
            finally:
                await made.end()


@contextmanager
def _collecting_little() -> Iterator[None]:
    """Let a worker that collects its garbage look at what it made, not at all that is loaded."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _quick() -> Iterator[None]:
    """Look often, and let each process have a clock of its own for its lease."""

    def monotonic_s() -> float:
        process = RUNNING.get(None)
        return asyncio.get_running_loop().time() + (process.overslept_s if process else 0.0)

    with (
        mock.patch.object(quiescing, "_LOOK_EVERY_S", LOOK_EVERY_S),
        mock.patch.object(leading, "_monotonic_s", monotonic_s),
    ):
        yield
