"""How a worker does a step of a run: once in effect, answered from its record, given up in time.

    order arrives ─► done already?          answer from the record
                  ─► still wanted?          a step that moved on or ended is dropped; what its order
                                            made all the same is told, where its kind says how
                  ─► work, watched          another attempt or a cancelled run stops it
                  ─► record the outcome, publish it, acknowledge the order

What does no harm twice is done at once: whether it is still wanted shows while it is done, nothing
is recorded, and an outcome that nobody waits for is nothing to the planner.

A failure that AppShield raises on purpose becomes a `StepFailed`; the planner decides what follows.
Anything unexpected goes back to the consume loop, which delivers the order again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import msgspec
import structlog

from appshield.bus import Bucket, Bus, Delivery, Entry, Retry
from appshield.contracts import subjects
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import FINAL_STATES, Failure, Progress, Run, StepFailed
from appshield.contracts.streams import RESULTS, RUNS
from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeniedError,
    NotFoundError,
    UnavailableError,
)
from appshield.service.pausing import pause
from appshield.service.together import both

PROGRESS_EVERY_S = 0.5
TICK_EVERY_S = 5.0
WATCHED_AFTER_S = 0.05
"""To watch whether a step is wanted costs more than many a step does."""
LOOK_AGAIN_S = 20.0
"""When what an order may have made is looked for again, doubling with each delivery."""

_OF_ONE_VAULT = (UnavailableError, NotFoundError, DamagedError, DeniedError)
"""What a Vault may say while another one that has the version says nothing of the kind."""


class Superseded(Exception):  # noqa: N818  an outcome, not an error
    """The step is no longer wanted: the run went on without it or has ended."""


class StepContext:
    """What a step may use while it works."""

    def __init__(
        self, command: StepCommand, worker: str, delivery: Delivery, work: "StepWork"
    ) -> None:
        self.command = command
        self.worker = worker
        self._delivery = delivery
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._told_at = 0.0
        self._last = (0, 0, 0)

    def moved(self) -> None:
        """Say that the work progresses; a step that never says so is given to another.

        May be called from any thread, as often as one likes.
        """
        self.progress(*self._last)

    def progress(self, bytes_done: int, bytes_total: int = 0, bytes_stored: int = 0) -> None:
        """Say how far the work has come; else as `moved`."""
        now = time.monotonic()
        if now - self._told_at < PROGRESS_EVERY_S:
            return
        self._told_at = now
        self._last = (bytes_done, bytes_total, bytes_stored)
        self._loop.call_soon_threadsafe(self._tell, bytes_done, bytes_total, bytes_stored)

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Count the time of the block as progress: all that it waits for has its own deadline."""
        over = asyncio.Event()

        async def tick() -> None:
            while not over.is_set():
                self._tell(*self._last)
                await pause(over, TICK_EVERY_S)

        ticking = asyncio.create_task(tick(), name="waiting")
        try:
            yield
        finally:
            over.set()
            await ticking

    async def ensure_wanted(self) -> None:
        """Read the run again before anything that cannot be undone.

        Raises:
            Superseded: the run is gone on, cancelled or ended.
        """
        await self._work.ensure_wanted(self.command)

    def _tell(self, bytes_done: int, bytes_total: int, bytes_stored: int) -> None:
        self._delivery.moved()
        self._work.tell(
            Progress(
                app=self.command.app,
                run=self.command.run,
                step=self.command.step,
                worker=self.worker,
                bytes_done=bytes_done,
                bytes_total=bytes_total,
                bytes_stored=bytes_stored,
            )
        )


C = TypeVar("C", bound=StepCommand)
E = TypeVar("E", bound=StepEvent)


def order_of(command: StepCommand, kind: type[C]) -> C:
    """Give the order its own type; a handler is only ever called with its kind."""
    if not isinstance(command, kind):
        raise TypeError(f"expected {kind.__name__}, got {type(command).__name__}")
    return command


def outcome(kind: type[E], order: StepCommand, **brings: Any) -> E:  # noqa: ANN401  its fields
    """Make the outcome of an order."""
    about = {"app": order.app, "run": order.run, "step": order.step, "attempt": order.attempt}
    return kind(**{**about, **brings})


StepHandler = Callable[[StepCommand, StepContext], Awaitable[StepEvent]]
StepAftermath = Callable[[StepCommand], Awaitable[StepEvent | None]]
"""Looks whether an order that is dropped has made what cannot be undone; None where it has not."""


def patient(handler: StepHandler) -> StepHandler:
    """Let a handler be silent: all that it waits for has a deadline of its own."""

    async def handle(command: StepCommand, context: StepContext) -> StepEvent:
        async with context.waiting():
            return await handler(command, context)

    return handle


class StepWork:
    """Handles the orders of one worker; one without memory does again what comes again."""

    def __init__(
        self,
        bus: Bus,
        *,
        worker: str,
        handlers: Mapping[type[StepCommand], StepHandler],
        aftermaths: Mapping[type[StepCommand], StepAftermath] | None = None,
        remembers: bool = True,
    ) -> None:
        self._bus = bus
        self._remembers = remembers
        self._worker = worker
        self._handlers = handlers
        self._aftermaths = aftermaths or {}
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._results: Bucket[msgspec.Raw] = bus.bucket(RESULTS, msgspec.Raw)
        self._telling: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def handle(self, delivery: Delivery) -> None:
        """Do what the order says, or answer from the record; for the consume loop.

        Orders for the same step take turns: one that came twice is done once, and a new attempt
        begins when the one before it has wound up its work.
        """
        command = delivery.message
        if not isinstance(command, StepCommand):
            raise TypeError(f"not an order for a worker: {type(command).__name__}")
        turn = self._turns.setdefault((command.run, command.step), asyncio.Lock())
        await _take(turn, delivery)
        try:
            await self._handle(command, delivery)
        finally:
            turn.release()

    async def _handle(self, command: StepCommand, delivery: Delivery) -> None:
        log = structlog.get_logger().bind(step=command.step, attempt=command.attempt)
        key = f"{command.run}.{command.step}.{command.attempt}"
        try:
            if not command.harmless_twice and await self._is_done(command, key, delivery):
                log.info("answered from the record")
                return
            event = await self._watched(command, delivery)
        except Superseded as reason:
            log.info("dropped an order that is no longer wanted", reason=str(reason))
            await self._tell_made(command, delivery)
            return
        except AppShieldError as error:
            log.warning("step failed", problem=str(error))
            await self._tell_failed(command, error, delivery)
            return
        if self._remembers and not command.harmless_twice:
            await self._results.put(key, msgspec.Raw(_record(event)))
        await self._bus.publish(event)
        log.info("step done", outcome=type(event).__name__, took_ms=event.took_ms)

    async def _is_done(self, command: StepCommand, key: str, delivery: Delivery) -> bool:
        """Answer an order that was done before; else see that it is wanted, and may be done now.

        Raises:
            Superseded: the run does not wait for it.
        """
        done, run = await both(self._recorded(key), self._runs.get(command.run))
        if done is not None:
            told = msgspec.json.decode(done.value, type=_Outcome)
            await self._bus.publish_raw(told.subject, bytes(told.body), message_id=told.message_id)
            return True
        if _wanted(run, command).state == "ending":
            await self._until_others_end(command, delivery)
        return False

    async def _recorded(self, key: str) -> Entry[msgspec.Raw] | None:
        return await self._results.get(key) if self._remembers else None

    async def _tell_failed(
        self, command: StepCommand, error: AppShieldError, delivery: Delivery
    ) -> None:
        """Tell of a failure, unless the step was done and only its answer was lost.

        Where that cannot be seen now both happen: it has failed, and is looked at again later, for
        the run may be cancelled before anybody tries once more.
        """
        try:
            made = await self._tell_made(command, delivery)
        except Retry:
            await self._bus.publish(self._failed(command, error))
            raise
        if not made:
            await self._bus.publish(self._failed(command, error))

    async def _tell_made(self, command: StepCommand, delivery: Delivery) -> bool:
        """Tell of what an order that is dropped, or has failed, has made all the same.

        Whoever made it may have been killed before it was told, or nobody heard it.

        Raises:
            Retry: that cannot be seen now; the order comes again, less and less soon.
        """
        aftermath = self._aftermaths.get(type(command))
        if aftermath is None:
            return False
        try:
            made = await aftermath(command)
        except AppShieldError as error:
            after_s = LOOK_AGAIN_S * 2.0 ** (delivery.deliveries - 1)
            raise Retry(f"nobody knows whether it was done: {error}", after_s=after_s) from error
        if made is None:
            return False
        await self._bus.publish(made)
        return True

    async def ensure_wanted(self, command: StepCommand) -> Run:
        """Compare the order with the run as it stands now, and return the run.

        Raises:
            Superseded: the order is not (or no longer) what the run waits for.
        """
        return _wanted(await self._runs.get(command.run), command)

    async def _until_others_end(self, command: StepCommand, delivery: Delivery) -> None:
        """Wait until nothing more is made for a run here, before what it made is removed."""
        of_the_run = [key for key in self._turns if key[0] == command.run]
        for turn in [self._turns[key] for key in of_the_run if key[1] != command.step]:
            await _take(turn, delivery)
            turn.release()

    def tell(self, progress: Progress) -> None:
        """Publish progress without waiting for it; it may be lost."""
        task = asyncio.get_running_loop().create_task(
            self._bus.tell(subjects.live("progress", progress.app), progress), name="progress"
        )
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _watched(self, command: StepCommand, delivery: Delivery) -> StepEvent:
        """Do the work; stop it as soon as the run no longer wants it."""
        started = time.monotonic()
        handler = self._handlers[type(command)]
        context = StepContext(command, self._worker, delivery, self)
        work = asyncio.ensure_future(handler(command, context))
        watch = asyncio.create_task(self._until_unwanted(command), name="wanted?")
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                took_ms = round((time.monotonic() - started) * 1000)
                return msgspec.structs.replace(work.result(), worker=self._worker, took_ms=took_ms)
            raise Superseded(watch.result())
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _until_unwanted(self, command: StepCommand) -> str:
        await asyncio.sleep(WATCHED_AFTER_S)
        async for change in self._runs.watch(command.run, stopping=asyncio.Event()):
            if change.value is not None and (why := unwanted(change.value, command)) is not None:
                return why
        return "the bus is gone"

    def _failed(self, command: StepCommand, error: AppShieldError) -> StepFailed:
        return StepFailed(
            app=command.app,
            run=command.run,
            step=command.step,
            attempt=command.attempt,
            worker=self._worker,
            failure=Failure(what=error.what, why=error.why, next_step=error.next_step),
            again=isinstance(error, UnavailableError),
            elsewhere=isinstance(error, _OF_ONE_VAULT),
        )


async def _take(turn: asyncio.Lock, delivery: Delivery) -> None:
    """Wait for the turn; that somebody else works on the step is progress."""
    while True:
        delivery.moved()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_EVERY_S):
                await turn.acquire()
            return


class NamedStep(Protocol):
    """An order, or what is asked about one."""

    @property
    def step(self) -> str:
        """The step's name within its run."""
        ...

    @property
    def attempt(self) -> int:
        """Which attempt of it."""
        ...

    @property
    def epoch(self) -> int:
        """Of which planner."""
        ...


def unwanted(run: Run, command: NamedStep) -> str | None:
    """Say why `run` does not wait for this order, or None when it does."""
    if run.state in FINAL_STATES:
        return f"the run has {run.state}"
    step = next((step for step in run.steps if step.name == command.step), None)
    if step is None:
        return "the run has no such step"
    if step.state != "running":
        return f"the step is {step.state}"
    if step.attempt != command.attempt or command.epoch < step.epoch:
        return f"attempt {step.attempt} of epoch {step.epoch} is under way"
    return None


def _wanted(entry: Entry[Run] | None, command: StepCommand) -> Run:
    if entry is None:
        raise Superseded("the run is unknown")
    if (why := unwanted(entry.value, command)) is not None:
        raise Superseded(why)
    return entry.value


class _Outcome(msgspec.Struct, frozen=True):
    subject: str
    message_id: str
    body: msgspec.Raw


def _record(event: StepEvent) -> bytes:
    body = msgspec.Raw(msgspec.json.encode(event))
    return msgspec.json.encode(_Outcome(event.subject(), event.message_id(), body))
