"""Workers of restores and backups that note what of a run is in the world, and can be held up."""

import asyncio
from typing import Any

from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    DumpLoaded,
    FinishRestore,
    ImagesPushed,
    LoadDump,
    LoadVolume,
    ObjectsApplied,
    PlanRestore,
    PrepareVolumes,
    PushImages,
    RestoreFinished,
    RestorePlanned,
    VolumeLoaded,
    VolumesPrepared,
)
from appshield.contracts.sources import DumpTarget, VolumeTarget
from appshield.service.steps import StepContext, StepHandler, order_of, outcome
from planner_world import Workers

VOLUME = VolumeTarget(source="volumes/data", claim="data", namespace="shop", node="node")
DUMP = DumpTarget(source="dumps/db", component="db", namespace="shop")
BACKUP_STEPS = ("open", "take", "store", "commit", "release")
RESTORE_STEPS = ("plan", "prepare", "load", "push", "apply", "feed", "finish")


class RestoringWorkers(Workers):
    """Workers that do whole restores, too.

    `world` is what only a run needs and must be gone after it: cuts and quiesced applications,
    loader pods. A step that is held makes its part of it, and goes on when `going` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world: set[str] = set()
        self.held = ""
        self.is_held = asyncio.Event()
        self.going = asyncio.Event()

    def hold(self, step: str) -> None:
        """Hold the next step that begins so."""
        self.held = step
        self.is_held.clear()
        self.going.clear()

    def handlers(self) -> dict[type[StepCommand], Any]:
        all_handlers: dict[type[StepCommand], StepHandler] = {
            **super().handlers(),
            PlanRestore: self.plan,
            PrepareVolumes: self.prepare,
            LoadVolume: self.load,
            PushImages: self.push,
            ApplyObjects: self.apply,
            LoadDump: self.feed,
            FinishRestore: self.finish,
        }
        return {kind: self._holding(handler) for kind, handler in all_handlers.items()}

    def _holding(self, handler: StepHandler) -> StepHandler:
        async def handle(command: StepCommand, context: StepContext) -> StepEvent:
            if self.held and command.step.startswith(self.held):
                self._make(command)
                self.held = ""
                self.is_held.set()
                await self.going.wait()
            return await handler(command, context)

        return handle

    def _make(self, command: StepCommand) -> None:
        if isinstance(command, TakeSnapshot):
            self.world |= {"cut", "quiesced"}
        if isinstance(command, PrepareVolumes):
            self.world.add("loader")

    async def take(self, command: StepCommand, context: StepContext) -> StepEvent:
        self._make(command)
        taken = await super().take(command, context)
        self.world.discard("quiesced")
        return taken

    async def release(self, command: StepCommand, context: StepContext) -> StepEvent:
        self.world -= {"cut", "quiesced"}
        return await super().release(command, context)

    async def plan(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(
            RestorePlanned,
            command,
            objects=("ConfigMap shop/settings",),
            volumes=(VOLUME,),
            dumps=(DUMP,),
            images=("registry/shop:1",),
        )

    async def prepare(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        self._make(command)
        order = order_of(command, PrepareVolumes)
        return outcome(VolumesPrepared, command, volumes=order.volumes)

    async def load(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(VolumeLoaded, command, source=VOLUME.source, bytes_written=1)

    async def push(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(ImagesPushed, command)

    async def apply(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(ObjectsApplied, command, objects=1)

    async def feed(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(DumpLoaded, command, source=DUMP.source, bytes_written=1)

    async def finish(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        self.world.discard("loader")
        return outcome(RestoreFinished, command)
