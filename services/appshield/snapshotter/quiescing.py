"""Quiesce and resume: the promise to resume is written before the first quiesce hook runs.

    can every hook run? ─► promise written ─► quiesce hooks ─► (the cut) ─► resume hooks ─► promise
    removed

Whoever finds a promise whose time has passed, or whose maker is dead, resumes the application, with
the hooks that were staged when the promise was made; it is tried again, less and less often, until
it succeeds or there is nothing left to resume. Resuming twice is harmless: that is asked of every
resume hook.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import timedelta
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec
import structlog

from appshield.bus import Bucket, Bus, Entry, KeyExistsError, StaleRevisionError
from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.agents import Agent, QuiesceLease
from appshield.contracts.message import StepCommand
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import AGENTS, QUIESCED, RUNS
from appshield.errors import AppShieldError, RunFailedError, UnavailableError
from appshield.podvolumes.components import NoWorkloadError
from appshield.service import Clock, pause
from appshield.service.steps import Superseded, unwanted
from appshield.vault import ApplicationShelf

_LOOK_EVERY_S = 2.0
_GRACE_S = 15.0
_AGAIN_MAX_S = 60.0


class Hooks(Protocol):
    """Runs hooks in the pods of a component."""

    async def ensure_possible(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        """Find what the hook would run in.

        Raises:
            NotFoundError: there is no such pod or container.
        """
        ...

    async def run(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        """Run a hook where it says.

        Raises:
            NoWorkloadError: the component's workload does not exist (any more).
            RunFailedError: it ended with another code than 0, or not in its time.
        """
        ...


class Shelves(Protocol):
    """Finds shelves of applications in Vaults."""

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        """Find one."""
        ...


class Quiesced(msgspec.Struct):
    """What there is to say about a block in which the application is quiesced.

    After it, `whole` says whether every component was quiesced to its end, and `lasted_ms` how
    long the application waited.
    """

    components: tuple[str, ...] = ()
    whole: bool = True
    lasted_ms: int = 0


class _Kept(msgspec.Struct):
    """When a promise that could not be kept is tried again."""

    failures: int = 0
    not_before: float = 0.0


class Quiescing:
    """Keeps applications quiesced for as short as can be, whatever happens."""

    def __init__(
        self, *, bus: Bus, hooks: Hooks, shelves: Shelves, clock: Clock, worker: str
    ) -> None:
        self._promises: Bucket[QuiesceLease] = bus.bucket(QUIESCED, QuiesceLease)
        self._agents: Bucket[Agent] = bus.bucket(AGENTS, Agent)
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._worker = worker
        self._hooks = hooks
        self._shelves = shelves
        self._clock = clock
        self._tried: dict[str, _Kept] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def quiesced(
        self,
        order: StepCommand,
        application: CapturedApplication,
        staged_sha256: str,
        *,
        block_s: float,
    ) -> AsyncIterator[Quiesced]:
        """Quiesce the application for the time of the block, which takes at most `block_s`.

        It is resumed whatever happens, and that is promised before it is quiesced.

        Raises:
            NotFoundError: a hook has nothing to run in; nothing was quiesced.
            Superseded: the run went on without us while we promised; nothing was quiesced.
            RunFailedError: a quiesce hook failed whose failure ends the backup, or a resume hook.
        """
        parts, state = await self._possible(application)
        if not parts:
            yield state
            return
        promising = asyncio.ensure_future(
            self._promise(order, application, staged_sha256, parts, block_s)
        )
        started = time.monotonic()
        try:
            promise = await asyncio.shield(promising)
            await self._ensure_wanted(order)
            await self._quiesce(application, parts, state)
            yield state
        except BaseException:
            await asyncio.shield(self._resume_after_failure(promising, application))
            raise
        state.whole &= await asyncio.shield(self._resume(promise, application))
        state.lasted_ms = round((time.monotonic() - started) * 1000)

    async def release(self, app_id: str, run: str) -> None:
        """Resume an application that this run left quiesced.

        Raises:
            UnavailableError: another snapshotter is at it right now.
        """
        entry = await self._promises.get(app_id)
        if entry is None or entry.value.run != run:
            return
        await self._keep_promise(entry)
        if await self._promises.get(app_id) is not None:
            raise UnavailableError(
                f"application {entry.value.namespace}/{entry.value.name} has not resumed yet",
                why="another snapshotter is resuming it",
                next_step="The step is tried again in a moment.",
            )

    async def keep_promises(self, stopping: asyncio.Event) -> None:
        """Resume whatever is past its time, until told to stop."""
        while not stopping.is_set():
            try:
                await self.resume_late()
            except AppShieldError as error:
                structlog.get_logger().warning("promises not read", problem=str(error))
            await pause(stopping, _LOOK_EVERY_S)

    async def resume_late(self) -> None:
        """Resume every application whose promise is past its time, or made by a dead worker."""
        alive = await self._alive()
        promises = [entry async for entry in self._promises.items()]
        self._tried = {e.key: self._tried.get(e.key, _Kept()) for e in promises}
        for entry in promises:
            promise, tried = entry.value, self._tried[entry.key]
            if self._clock.now() < promise.resume_by and promise.worker in alive:
                continue
            if self._clock.now().timestamp() < tried.not_before:
                continue
            try:
                await self._keep_promise(entry)
                await self._unstage(promise)
                structlog.get_logger().warning("resumed late", application=promise.name)
            except AppShieldError as error:
                tried.failures += 1
                tried.not_before = self._clock.now().timestamp() + again_s(tried.failures)
                structlog.get_logger().error("not resumed yet", problem=str(error))

    async def _possible(
        self, application: CapturedApplication
    ) -> tuple[list[CapturedComponent], Quiesced]:
        """Choose the components to quiesce: those whose hooks have something to run in."""
        wanted, state = quiesced_parts(application.components), Quiesced()
        possible: list[CapturedComponent] = []
        for part in wanted:
            try:
                for hook in (part.quiesce, part.resume):
                    if hook is not None:
                        await self._hooks.ensure_possible(application, part, hook)
                possible.append(part)
            except AppShieldError as error:
                _raise_unless_told_to_continue(part, error)
        state.components = tuple(part.name for part in possible)
        state.whole = len(possible) == len(wanted)
        return possible, state

    async def _promise(
        self,
        order: StepCommand,
        application: CapturedApplication,
        staged_sha256: str,
        parts: Sequence[CapturedComponent],
        block_s: float,
    ) -> Entry[QuiesceLease]:
        hooks_s = sum(part.quiesce.timeout_s for part in parts if part.quiesce)
        lease = QuiesceLease(
            worker=self._worker,
            run=order.run,
            app_id=order.app_id,
            cluster=order.app.cluster,
            namespace=application.namespace,
            name=application.name,
            vault=order.vault,
            staged_sha256=staged_sha256,
            components=tuple(part.name for part in parts),
            resume_by=self._clock.now() + timedelta(seconds=hooks_s + block_s + _GRACE_S),
        )
        revision = await self._promises.put(lease.app_id, lease)
        return Entry(key=lease.app_id, value=lease, revision=revision)

    async def _quiesce(
        self,
        application: CapturedApplication,
        parts: Sequence[CapturedComponent],
        state: Quiesced,
    ) -> None:
        for part in parts:
            if part.quiesce is None:
                continue
            try:
                await self._hooks.run(application, part, part.quiesce)
            except AppShieldError as error:
                _raise_unless_told_to_continue(part, error)
                state.whole = False

    async def _ensure_wanted(self, order: StepCommand) -> None:
        """Look at the run once more under the promise: what is needed to keep it goes with the run.

        A release that is ordered after this look finds the promise, and keeps it before that goes.
        """
        run = await self._runs.get(order.run)
        if run is not None and (why := unwanted(run.value, order)) is not None:
            raise Superseded(why)

    async def _resume_after_failure(
        self, promising: Awaitable[Entry[QuiesceLease]], application: CapturedApplication
    ) -> None:
        """Resume; what failed first is what the run tells, so that a failure here is only noted."""
        try:
            await self._resume(await promising, application)
        except AppShieldError as error:
            structlog.get_logger().error("not resumed yet", problem=str(error))

    async def _resume(self, promise: Entry[QuiesceLease], application: CapturedApplication) -> bool:
        """Run every resume hook, all of them whatever one does, then take the promise back.

        Returns whether the promise was still ours: if not, we were thought dead, and somebody has
        resumed before us and may have quiesced anew. Then we resume when that is over, as our own
        quiesce hook may have run late.

        Raises:
            RunFailedError: a hook failed; the promise stays and is due now.
        """
        ours = await self._until_free(promise)
        parts = [p for p in application.components if p.name in promise.value.components]
        failed = await asyncio.gather(*(self._resume_one(application, part) for part in parts))
        if any(failed):
            await self._owe(promise)
            raise RunFailedError(
                f"application {application.namespace}/{application.name} did not resume",
                why="; ".join(text for text in failed if text),
                next_step="It is tried again and again; look at the component.",
            )
        found = await self._promises.get(promise.key)
        if found is None or found.revision != promise.revision:
            return False
        with contextlib.suppress(StaleRevisionError):  # written anew at this moment: not ours
            await self._promises.delete(promise.key, revision=promise.revision)
        return ours

    async def _owe(self, promise: Entry[QuiesceLease]) -> None:
        """Let the promise be due now; one that somebody else has kept meanwhile is made again."""
        due = msgspec.structs.replace(promise.value, resume_by=self._clock.now())
        with contextlib.suppress(KeyExistsError, StaleRevisionError):
            if await self._promises.get(promise.key) is None:
                await self._promises.create(promise.key, due)
            else:
                await self._promises.update(promise.key, due, promise.revision)

    async def _until_free(self, promise: Entry[QuiesceLease]) -> bool:
        """Wait while another promise holds the application; say whether ours still does."""
        while (found := await self._promises.get(promise.key)) is not None:
            if found.revision == promise.revision:
                return True
            if self._clock.now() > found.value.resume_by + timedelta(seconds=_GRACE_S):
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
        return False

    async def _resume_one(self, application: CapturedApplication, part: CapturedComponent) -> str:
        """Resume one component; say what failed, or nothing."""
        if part.resume is None:
            return ""
        try:
            await self._hooks.run(application, part, part.resume)
        except NoWorkloadError:
            return ""  # what is not there waits for nothing
        except AppShieldError as error:
            return f"{part.name}: {error}"
        return ""

    async def _unstage(self, promise: QuiesceLease) -> None:
        """Remove what a promise was staged with, unless its run goes on and does so itself."""
        run = await self._runs.get(promise.run)
        if run is None or run.value.state in FINAL_STATES:
            shelf = await self._shelves.shelf(promise.vault, promise.app_id)
            await asyncio.to_thread(shelf.unstage, promise.run)

    async def _keep_promise(self, entry: Entry[QuiesceLease]) -> None:
        """Take a promise over and keep it, unless it is in other hands by now.

        Taken over first, so that none of our resume hooks runs late, into the next time that the
        application is quiesced: whoever does that first waits here, or sees whose it is.
        """
        promise = entry.value
        shelf = await self._shelves.shelf(promise.vault, promise.app_id)
        content = await asyncio.to_thread(shelf.staged, promise.run, promise.staged_sha256)
        application = CapturedApplication.decode(content)
        async with self._turns.setdefault(entry.key, asyncio.Lock()):
            with contextlib.suppress(StaleRevisionError):
                ours = await self._take_over(entry.key, application)
                if ours is not None:
                    await self._resume(ours, application)

    async def _take_over(
        self, key: str, application: CapturedApplication
    ) -> Entry[QuiesceLease] | None:
        found = await self._promises.get(key)
        if found is None or not self._is_free(found.value, await self._alive()):
            return None
        hooks_s = sum(part.resume.timeout_s for part in application.components if part.resume)
        ours = msgspec.structs.replace(
            found.value,
            worker=self._worker,
            resume_by=self._clock.now() + timedelta(seconds=hooks_s + _GRACE_S),
        )
        revision = await self._promises.update(key, ours, found.revision)
        return Entry(key=key, value=ours, revision=revision)

    def _is_free(self, promise: QuiesceLease, alive: set[str]) -> bool:
        """Say whether we may keep a promise: it is ours, late, or its maker is dead."""
        late = self._clock.now() >= promise.resume_by
        return late or promise.worker == self._worker or promise.worker not in alive

    async def _alive(self) -> set[str]:
        return {self._worker, *[entry.value.worker async for entry in self._agents.items()]}


def quiesced_parts(components: Sequence[CapturedComponent]) -> list[CapturedComponent]:
    """Choose the components that are quiesced for a cut."""
    return [part for part in components if part.quiesce is not None and part.strategy != "none"]


def again_s(failures: int) -> float:
    """Say how long a promise waits after it could not be kept: 2 s, doubling up to a minute."""
    return min(_LOOK_EVERY_S * 2.0 ** min(failures - 1, 10), _AGAIN_MAX_S)


def _raise_unless_told_to_continue(part: CapturedComponent, error: AppShieldError) -> None:
    if part.quiesce is None or part.quiesce.on_error == "fail":
        raise error
    structlog.get_logger().warning("goes on without quiesce", problem=str(error))
