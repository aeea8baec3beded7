"""The workers of the simulation: real step work, real promises to resume, over the outside.

What the snapshotter and restorer do with a cluster is told here (the uploader: `uploader.py`) in
a few lines each, in the order in which they do it, every effect one at which they may be killed.
"""

import asyncio
from collections.abc import Mapping

from appshield.bus import Bucket, Bus
from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.backups import (
    ReleaseSnapshot,
    SnapshotReleased,
    SnapshotTaken,
    TakeSnapshot,
)
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    FinishRestore,
    LoadVolume,
    ObjectsApplied,
    PlanRestore,
    PrepareVolumes,
    RestoreFinished,
    RestorePlanned,
    VolumeLoaded,
    VolumesPrepared,
)
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.sources import (
    AnySource,
    ManifestsSource,
    VolumeSource,
    VolumeTarget,
)
from appshield.contracts.streams import RUNS
from appshield.errors import NotFoundError
from appshield.service import Clock, pause
from appshield.service.steps import StepContext, StepHandler, order_of, outcome, patient
from appshield.snapshotter.quiescing import Quiescing
from appshield.snapshotter.shelves import VaultShelves
from appshield.snapshotter.sweeping import SWEEP_EVERY_S
from appshield.vault import ApplicationShelf
from simulation.outside import CLAIMS, Application, Outside, Snapshot
from simulation.process import Process

Handlers = Mapping[type[StepCommand], StepHandler]
NODE = "node"


class Hooks:
    """Hooks that bring the application to rest and back, as far as they are not cut short."""

    def __init__(self, process: Process, outside: Outside) -> None:
        self._process = process
        self._outside = outside

    async def ensure_possible(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        await self._process.reach()

    async def run(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        [word] = hook.command
        one = next(
            each for each in self._outside.applications.values() if each.uid == application.uid
        )

        async def do() -> None:
            getattr(one, word)(asyncio.get_running_loop().time())

        # what runs in a container cannot be fenced: a process that is stopped just between its
        # look at the promise and the hook is more than is promised
        await self._process.effect(f"{word} {one.app}", do, at_once=word == "resume")


def build_quiescing(
    bus: Bus, process: Process, outside: Outside, clock: Clock, worker: str
) -> Quiescing:
    """Build the real keeper of promises over the simulated hooks."""
    return Quiescing(
        bus=bus,
        hooks=Hooks(process, outside),
        shelves=VaultShelves(outside),
        clock=clock,
        worker=worker,
    )


class Snapshotter:
    """Takes and releases snapshots."""

    def __init__(
        self,
        process: Process,
        outside: Outside,
        bus: Bus,
        quiescing: Quiescing,
        clock: Clock,
    ) -> None:
        self._process = process
        self._outside = outside
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._quiescing = quiescing
        self._clock = clock

    def handlers(self) -> Handlers:
        return {TakeSnapshot: patient(self.take), ReleaseSnapshot: patient(self.release)}

    async def take(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, TakeSnapshot)
        one = self._outside.applications[order.app]
        await self._quiescing.release(order.app_id, order.run)
        await self._remove(one, order.run)
        captured = one.captured()
        shelf = self._shelf(order)

        async def stage() -> str:
            return shelf.stage(order.run, captured.encode())

        staged = await self._process.effect("stage", stage)
        await context.ensure_wanted()
        cut: dict[str, Snapshot] = {}
        async with self._quiescing.quiesced(order, captured, staged, block_s=60) as quiesced:
            for claim in CLAIMS:
                cut[claim] = await self._cut(one, order.run, claim)
        whole = bool(quiesced.components) and quiesced.whole
        volumes: list[AnySource] = [
            VolumeSource(
                name=f"volumes/{claim}",
                node=NODE,
                method="snapshot",
                pod_namespace="appshield-system",
                pod="holder",
                pod_uid="0",
                claim=f"{claim}@{snapshot.period}",
                original_claim=claim,
            )
            for claim, snapshot in cut.items()
        ]
        return outcome(
            SnapshotTaken,
            order,
            sources=(ManifestsSource(name="manifests", sha256=staged, objects=1), *volumes),
            consistency="application" if whole else "crash-group",
            revision="r1",
            cut_at=self._clock.now(),
        )

    async def release(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, ReleaseSnapshot)
        try:
            await self._quiescing.release(order.app_id, order.run)
        finally:
            one = self._outside.applications[order.app]
            await self._remove(one, order.run)
            one.released[order.run] = self._clock.now()
        shelf = self._shelf(order)

        async def unstage() -> None:
            shelf.unstage(order.run)

        await self._process.effect("unstage", unstage)
        return outcome(SnapshotReleased, order)

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            for one in self._outside.applications.values():
                for run in {each.run for each in one.snapshots} | one.loaders:
                    entry = await self._runs.get(run)
                    if entry is not None and entry.value.state in FINAL_STATES:
                        await self._remove(one, run)
            await pause(stopping, SWEEP_EVERY_S)

    async def _cut(self, one: Application, run: str, claim: str) -> Snapshot:
        async def do() -> Snapshot:
            snapshot = Snapshot(run, claim, one.period, self._clock.now())
            one.snapshots.add(snapshot)
            return snapshot

        return await self._process.effect(f"snapshot {claim}", do)

    async def _remove(self, one: Application, run: str) -> None:
        async def do() -> None:
            one.snapshots = {each for each in one.snapshots if each.run != run}
            one.loaders.discard(run)

        await self._process.effect(f"remove snapshots of {run}", do)

    def _shelf(self, order: StepCommand) -> ApplicationShelf:
        return self._outside.stores[order.vault].vault.application(order.app_id)


class Restorer:
    """Brings a version back."""

    def __init__(self, process: Process, outside: Outside) -> None:
        self._process = process
        self._outside = outside

    def handlers(self) -> Handlers:
        return {
            PlanRestore: patient(self.plan),
            PrepareVolumes: patient(self.prepare),
            LoadVolume: self.load,
            ApplyObjects: patient(self.apply),
            FinishRestore: patient(self.finish),
        }

    async def plan(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, PlanRestore)
        await self._process.reach()
        if order.snapshot_id not in self._outside.stores[order.vault].of(order.app_id):
            raise NotFoundError(f"version {order.version} is not in {order.vault}")
        volumes = tuple(
            VolumeTarget(
                source=f"volumes/{claim}", claim=claim, namespace=order.target_namespace, node=NODE
            )
            for claim in CLAIMS
        )
        return outcome(RestorePlanned, order, objects=("Deployment shop/web",), volumes=volumes)

    async def prepare(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, PrepareVolumes)
        one = self._outside.applications[order.app]
        await context.ensure_wanted()

        async def do() -> None:
            one.loaders.add(order.run)

        await self._process.effect("loader pods", do)
        return outcome(VolumesPrepared, order, volumes=order.volumes)

    async def load(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, LoadVolume)
        await self._process.reach()
        return outcome(VolumeLoaded, order, source=order.volume.source)

    async def apply(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, ApplyObjects)
        one = self._outside.applications[order.app]
        await context.ensure_wanted()

        async def do() -> None:
            one.restored[order.run] += 1

        await self._process.effect("apply", do)
        return outcome(ObjectsApplied, order, objects=1)

    async def finish(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, FinishRestore)
        one = self._outside.applications[order.app]

        async def do() -> None:
            one.loaders.discard(order.run)

        await self._process.effect("remove loader pods", do)
        return outcome(RestoreFinished, order)
