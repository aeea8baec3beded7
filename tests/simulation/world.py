"""One simulated system: a bus, an outside, two of each service that die and are started again.

Planners are the real ones, led by the real lease; workers do real step work over a told outside.
`live` lets a story happen among accidents, then lets everything work and waits until the system is
at rest; what must hold then is in `claims`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from appshield.contracts import streams
from appshield.contracts.agents import ServiceName
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestPrune
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.errors import AppShieldError
from simulation import virtual_time
from simulation.bus import SimulatedBus
from simulation.chance import LONGEST_STOP_S, Chance
from simulation.line import SimulatedLine
from simulation.outside import Application, Outside, Store
from simulation.process import Process
from simulation.services import CLUSTER, SERVICES, serve

_REST_WITHIN_S = 7_200.0
_LOOK_EVERY_S = 5.0
_BESIDE = frozenset({"catalog", "check", "pin", "copy"})


class NoRestError(AssertionError):
    """The system did not come to rest, though everything worked."""


class World:
    """See the module; made inside a running virtual loop."""

    def __init__(self, seed: int, chance: Chance | None = None) -> None:
        self.seed = seed
        self.chance = chance or Chance(seed)
        self.trace: list[str] = []
        self.bus = SimulatedBus(self.chance)
        self.applications = [
            Application(AppRef(cluster=CLUSTER, namespace=name, name=name), f"uid-{name}")
            for name in ("shop", "blog")
        ]
        self.outside = Outside(self.applications, [Store("primary"), Store("offsite")])
        self.processes: list[Process] = []
        self.seen_wrong: list[str] = []
        """What was seen on the way that must never be."""
        self.lease_taken = False
        """Whether a person has taken the lease from a planner, which goes on until it looks."""
        self._loop = asyncio.get_running_loop()
        self._started = 0

    def now(self) -> datetime:
        """Return the present moment; the world is the clock of its services."""
        return self.bus.time

    def start(self, service: ServiceName) -> None:
        """Start a process of a service; it is started again whenever it ends."""
        self._started += 1
        name = f"{service}-{self._started}"

        def ended() -> None:
            self._loop.call_later(self.chance.delay_s() + 0.5, self.start, service)

        process = Process(name, self.chance, ended=ended, trace=self.trace)
        self.processes.append(process)
        process.spawn(self._main(service, process))

    async def live(self, story: Callable[["World"], Awaitable[None]]) -> None:
        """Start everything, tell the story, and come to rest."""
        self.begin()
        await story(self)
        await self.end()

    def begin(self) -> None:
        """Start everything."""
        for spec in streams.BUCKETS:
            self.bus.add_bucket(spec)
        for service in SERVICES:
            self.start(service)
            self.start(service)
        self._watching = self._loop.create_task(self._watch_runs())

    async def end(self) -> None:
        """Let everything work, and come to rest.

        Raises:
            NoRestError: it does not.
        """
        self.chance.calm = True
        await asyncio.sleep(LONGEST_STOP_S)
        await self._rest()
        await self._look_for_unreleased()
        for record in await self.records():  # as the daily upkeep does
            await self.bus.publish(
                RequestPrune(app=record.app, request_id=record.app_id, app_id=record.app_id)
            )
        for process in [one for one in self.processes if one.name.startswith("snapshotter")]:
            process.kill()  # those that come after them sweep
        await self._rest()

    async def runs(self) -> list[Run]:
        """List all runs."""
        return [entry.value async for entry in self.bus.bucket(streams.RUNS, Run).items()]

    async def records(self) -> list[ApplicationRecord]:
        """List the applications that the planner knows."""
        bucket = self.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        return [entry.value async for entry in bucket.items()]

    async def catalog(self) -> list[VersionRecord]:
        """List the versions that the catalog knows."""
        bucket = self.bus.bucket(streams.CATALOG, VersionRecord)
        return [entry.value async for entry in bucket.items()]

    async def _watch_runs(self) -> None:
        """See that at most one run at a time changes an application, and one planner a run."""
        under_way: dict[str, Run] = {}
        epochs: dict[str, int] = {}
        async for change in self.bus.bucket(streams.RUNS, Run).watch(stopping=asyncio.Event()):
            run = change.value
            if run is None:
                continue
            if run.epoch < epochs.get(run.id, 0) and not self.lease_taken:
                self.seen_wrong.append(f"{run.id} was written by a planner that led before")
            epochs[run.id] = run.epoch
            if run.kind in _BESIDE:
                continue
            under_way.pop(run.id, None)
            if run.state in {"running", "ending"}:
                under_way[run.id] = run
                others = [one.id for one in under_way.values() if one.app_id == run.app_id]
                if len(others) > 1:
                    self.seen_wrong.append(f"{' and '.join(others)} ran at once")

    async def _look_for_unreleased(self) -> None:
        """Before anything is swept: a run removes itself what was made until it released that.

        What a stopped worker cuts after that, as after the end of the run, is swept.
        """
        ended = {run.id: run.finished_at for run in await self.runs()}
        for one in self.applications:
            for each in one.snapshots:
                over_at = ended.get(each.run) and one.released.get(each.run, ended[each.run])
                if over_at is not None and each.cut_at < over_at:
                    self.seen_wrong.append(f"{each.run} has not released its snapshots")

    async def _main(self, service: ServiceName, process: Process) -> None:
        line = SimulatedLine(self.bus, process)
        try:
            await serve(service, process, line, self.outside, self)
        except Exception as error:  # noqa: BLE001 - a service that fails ends, and is started again
            process.note(f"fails: {error!r}")
            self.seen_wrong += [
                f"{process.name} fails by a mistake: {one!r}" for one in _mistakes(error)
            ]
            process.kill()

    async def _rest(self) -> None:
        until_s = self._loop.time() + _REST_WITHIN_S
        endless = virtual_time.endless()
        while self._loop.time() < until_s and not endless.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await endless.wait()
            if not await self._open():
                return
        raise NoRestError(f"seed {self.seed} does not come to rest: {await self._open()}")

    async def _open(self) -> list[str]:
        """Say what is still to be done."""
        runs = [
            f"run {run.id} is {run.state}, outbox {len(run.outbox)}"
            for run in await self.runs()
            if run.state not in FINAL_STATES or run.outbox
        ]
        records = [
            f"{record.app} has {record.active_run} active, {record.pending_runs} pending"
            for record in await self.records()
            if record.active_run or record.pending_runs
        ]
        rest = [f"{one.app} is at rest" for one in self.applications if one.at_rest]
        return [*runs, *records, *rest, *self.bus.open_messages()]


def _mistakes(error: BaseException) -> list[BaseException]:
    """Return what no accident explains: starting a service again would only hide it."""
    if isinstance(error, BaseExceptionGroup):
        return [mistake for one in error.exceptions for mistake in _mistakes(one)]
    return [] if isinstance(error, AppShieldError) else [error]
