"""Quiesce and resume: the promise to resume is written before the first hook runs.

    promise written ─► quiesce hooks ─► (the cut) ─► resume hooks ─► promise removed

Whoever finds a promise whose time has passed, or whose maker is dead, resumes the application, with
the hooks that were staged when the promise was made. Resuming twice is harmless: that is asked of
every resume hook.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from appshield.bus import Bucket, Bus
from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.agents import Agent, QuiesceLease
from appshield.contracts.message import StepCommand
from appshield.contracts.streams import AGENTS, QUIESCED
from appshield.errors import AppShieldError, RunFailedError
from appshield.service import Clock, pause
from appshield.vault import ApplicationShelf

_LOOK_EVERY_S = 2.0
_GRACE_S = 15.0


class Hooks(Protocol):
    """Runs hooks in the pods of a component."""

    async def run(self, namespace: str, component: CapturedComponent, hook: CapturedHook) -> None:
        """Run a hook where it says.

        Raises:
            RunFailedError: it ended with another code than 0.
            DeadlineError: it did not end in its time.
        """
        ...


class Shelves(Protocol):
    """Finds shelves of applications in Vaults."""

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        """Find one."""
        ...


class Quiescing:
    """Keeps applications quiesced for as short as can be, whatever happens."""

    def __init__(
        self, *, bus: Bus, hooks: Hooks, shelves: Shelves, clock: Clock, worker: str
    ) -> None:
        self._promises: Bucket[QuiesceLease] = bus.bucket(QUIESCED, QuiesceLease)
        self._agents: Bucket[Agent] = bus.bucket(AGENTS, Agent)
        self._worker = worker
        self._hooks = hooks
        self._shelves = shelves
        self._clock = clock

    async def promise(
        self,
        order: StepCommand,
        application: CapturedApplication,
        staged_sha256: str,
        cut_timeout_s: float,
    ) -> None:
        """Promise to resume before anything is quiesced; nothing to promise without hooks."""
        parts = quiesced_parts(application.components)
        if not parts:
            return
        hooks_s = sum(hook.timeout_s for part in parts for hook in (part.quiesce,) if hook)
        by = self._clock.now() + timedelta(seconds=hooks_s + cut_timeout_s + _GRACE_S)
        await self._promises.put(
            order.app_id,
            QuiesceLease(
                worker=self._worker,
                run=order.run,
                app_id=order.app_id,
                cluster=order.app.cluster,
                namespace=application.namespace,
                name=application.name,
                vault=order.vault,
                staged_sha256=staged_sha256,
                components=tuple(part.name for part in parts),
                resume_by=by,
            ),
        )

    async def quiesce(self, application: CapturedApplication) -> bool:
        """Run every quiesce hook; return whether all succeeded.

        Raises:
            RunFailedError: one failed that says that its failure ends the backup.
            DeadlineError: the same, by hanging.
        """
        whole = True
        for part in quiesced_parts(application.components):
            if part.quiesce is None:
                continue
            try:
                await self._hooks.run(application.namespace, part, part.quiesce)
            except AppShieldError as error:
                if part.quiesce.on_error == "fail":
                    raise
                structlog.get_logger().warning("quiesce failed", problem=str(error))
                whole = False
        return whole

    async def resume(self, app_id: str, application: CapturedApplication) -> None:
        """Run every resume hook, all of them whatever one does, then take the promise back.

        Raises:
            RunFailedError: a hook failed; the promise stays, and it is tried again.
        """
        failed: list[str] = []
        for part in quiesced_parts(application.components):
            if part.resume is None:
                continue
            try:
                await self._hooks.run(application.namespace, part, part.resume)
            except AppShieldError as error:
                failed.append(f"{part.name}: {error}")
        if failed:
            raise RunFailedError(
                f"application {application.namespace}/{application.name} did not resume",
                why="; ".join(failed),
                next_step="It is tried again every few seconds; look at the component.",
            )
        await self._promises.delete(app_id)

    async def release(self, app_id: str, run: str) -> None:
        """Resume an application that this run left quiesced."""
        entry = await self._promises.get(app_id)
        if entry is not None and entry.value.run == run:
            await self._keep_promise(entry.value)

    async def keep_promises(self, stopping: asyncio.Event) -> None:
        """Resume whatever is past its time, until told to stop."""
        while not stopping.is_set():
            try:
                await self.resume_late(self._clock.now())
            except AppShieldError as error:
                structlog.get_logger().warning("promises not read", problem=str(error))
            await pause(stopping, _LOOK_EVERY_S)

    async def resume_late(self, now: datetime) -> None:
        """Resume every application whose promise is past its time, or made by a dead worker."""
        alive = {self._worker, *[entry.value.worker async for entry in self._agents.items()]}
        async for entry in self._promises.items():
            if now < entry.value.resume_by and entry.value.worker in alive:
                continue
            try:
                await self._keep_promise(entry.value)
                structlog.get_logger().warning("resumed late", application=entry.value.name)
            except AppShieldError as error:
                structlog.get_logger().error("not resumed yet", problem=str(error))

    async def _keep_promise(self, promise: QuiesceLease) -> None:
        shelf = await self._shelves.shelf(promise.vault, promise.app_id)
        content = await asyncio.to_thread(shelf.staged, promise.run, promise.staged_sha256)
        await self.resume(promise.app_id, CapturedApplication.decode(content))


def quiesced_parts(components: Sequence[CapturedComponent]) -> list[CapturedComponent]:
    """Choose the components that are quiesced for a cut."""
    return [part for part in components if part.quiesce is not None and part.strategy != "none"]
