"""A step is done once in effect, answered from its record, and given up when nobody wants it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.backups import (
    OpenRepository,
    ReleaseSnapshot,
    RepositoryOpened,
    SnapshotReleased,
)
from appshield.contracts.maintenance import PruneRepository, RepositoryPruned
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Run, RunState, Step, StepFailed, StepState, Trigger
from appshield.errors import AppShieldError, NotFoundError, RefusedError, UnavailableError
from appshield.service.steps import StepContext, StepWork, outcome, patient
from memory_bus import MemoryBus
from planner_world import APP
from waiting import wait_until

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORDER = PruneRepository(
    app=APP, run="b-1", step="prune", attempt=1, epoch=3, app_id="a-1", vault="main"
)


def run(
    *, state: RunState = "running", step: StepState = "running", attempt: int = 1, epoch: int = 3
) -> Run:
    return Run(
        id="b-1",
        kind="backup",
        app=APP,
        app_id="a-1",
        vault="main",
        trigger=Trigger(kind="manual", identity="x"),
        state=state,
        epoch=epoch,
        requested_at=NOW,
        steps=(
            Step(
                name="prune",
                state=step,
                attempt=attempt,
                epoch=epoch,
                started_at=NOW,
                deadline_at=NOW,
            ),
        ),
    )


class Place:
    """A bus, a run, and a worker whose handler does as the test says."""

    def __init__(self) -> None:
        self.bus = MemoryBus("uploader")
        self.done = 0
        self.raises: BaseException | None = None
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.cancelled = False
        self.work = StepWork(self.bus, worker="w", handlers={PruneRepository: self.prune})

    async def prune(self, command: StepCommand, _: StepContext) -> StepEvent:
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.raises is not None:
            raise self.raises
        self.done += 1
        return outcome(
            RepositoryPruned,
            command,
            app_id="a-1",
            vault="main",
            pruned_at=NOW,
            bytes_freed=self.done,
        )

    async def write(self, found: Run) -> None:
        await self.bus.bucket(streams.RUNS, Run).put(found.id, found)

    async def open(self, command: StepCommand, _: StepContext) -> StepEvent:
        self.done += 1
        return outcome(RepositoryOpened, command, highest_version=self.done)

    async def order(self, order: PruneRepository = ORDER) -> None:
        await self.bus.publish(order)

    async def deliver(self) -> None:
        await self.bus.deliver(streams.UPLOADER_ORDERS, self.work.handle)

    def outcomes(self) -> list[Any]:
        return self.bus.published(streams.OUTCOMES)


@pytest.fixture
async def place() -> Place:
    made = Place()
    await made.write(run())
    await made.order()
    return made


async def test_an_order_becomes_an_outcome_that_says_who_did_it(place: Place) -> None:
    """Run, step and attempt are those of the order."""
    await place.deliver()
    [event] = place.outcomes()
    assert (event.run, event.step, event.attempt, event.worker) == ("b-1", "prune", 1, "w")


async def test_an_order_that_comes_again_is_answered_from_the_record(place: Place) -> None:
    """The work is done once; the answer is the same, as the same message."""
    await place.deliver()
    place.bus.forget_duplicates()
    await place.bus.redeliver(streams.UPLOADER_ORDERS, place.work.handle)
    assert place.done == 1
    first, again = place.outcomes()
    assert again == first


async def test_what_does_no_harm_twice_is_done_at_once_and_nothing_is_kept_of_it() -> None:
    """Nobody asks for the run first, and what comes again is done again."""
    place = Place()
    work = StepWork(place.bus, worker="w", handlers={OpenRepository: place.open})
    order = OpenRepository(
        app=APP, run="b-1", step="open", attempt=1, epoch=3, app_id="a-1", vault="main", uid="u-1"
    )
    await place.bus.publish(order)
    await place.bus.deliver(streams.UPLOADER_ORDERS, work.handle)
    await place.bus.redeliver(streams.UPLOADER_ORDERS, work.handle)
    assert place.done == 2
    assert await place.bus.bucket(streams.RESULTS, object).keys() == []


@pytest.mark.parametrize(
    "found",
    [
        run(state="cancelled"),
        run(step="done"),
        run(attempt=2),
        run(epoch=4),
        replace(run(), steps=()),
    ],
    ids=["the run has ended", "done", "a later attempt", "a later epoch", "no such step"],
)
async def test_an_order_that_nobody_waits_for_is_dropped(place: Place, found: Run) -> None:
    """Nothing is done and nothing is told."""
    await place.write(found)
    await place.deliver()
    assert (place.done, place.outcomes()) == (0, [])


async def test_what_a_dropped_order_has_made_is_told_until_somebody_hears_it(place: Place) -> None:
    """Its worker was killed before it told; who drops the order looks, and looks again."""
    answers: list[StepEvent | AppShieldError | None] = [
        UnavailableError("the store does not answer"),
        outcome(RepositoryPruned, ORDER, app_id="a-1", vault="main", pruned_at=NOW, bytes_freed=7),
    ]

    async def made(command: StepCommand) -> StepEvent | None:
        assert command == ORDER
        answer = answers.pop(0)
        if isinstance(answer, AppShieldError):
            raise answer
        return answer

    work = StepWork(
        place.bus,
        worker="w",
        handlers={PruneRepository: place.prune},
        aftermaths={PruneRepository: made},
    )
    await place.write(run(state="cancelled"))
    await place.bus.deliver(streams.UPLOADER_ORDERS, work.handle)
    assert place.outcomes() == []
    await place.bus.pass_time(60)
    await place.bus.deliver(streams.UPLOADER_ORDERS, work.handle)
    [event] = place.outcomes()
    assert (event.bytes_freed, place.done) == (7, 0)


async def test_a_step_that_was_done_and_whose_answer_was_lost_has_not_failed(
    place: Place,
) -> None:
    """Nobody need try again; where that cannot be seen it is told as it seems."""
    made = outcome(
        RepositoryPruned, ORDER, app_id="a-1", vault="main", pruned_at=NOW, bytes_freed=7
    )
    answers: list[StepEvent | None] = [None, made]

    async def look(_: StepCommand) -> StepEvent | None:
        return answers.pop(0)

    place.raises = UnavailableError("the store does not answer")
    place.work = StepWork(
        place.bus,
        worker="w",
        handlers={PruneRepository: place.prune},
        aftermaths={PruneRepository: look},
    )
    await place.deliver()
    await place.bus.redeliver(streams.UPLOADER_ORDERS, place.work.handle)
    failed, told = place.outcomes()
    assert isinstance(failed, StepFailed)
    assert told == made


async def test_a_cancel_after_a_failure_that_could_not_be_looked_at_hides_nothing(
    place: Place,
) -> None:
    """The answer of a commit is lost, the store is down, and the run is cancelled meanwhile."""
    made = outcome(
        RepositoryPruned, ORDER, app_id="a-1", vault="main", pruned_at=NOW, bytes_freed=7
    )
    down = UnavailableError("the store does not answer")
    answers: list[StepEvent | AppShieldError] = [down, down, made]

    async def look(_: StepCommand) -> StepEvent | None:
        answer = answers.pop(0)
        if isinstance(answer, AppShieldError):
            raise answer
        return answer

    place.raises = down
    place.work = StepWork(
        place.bus,
        worker="w",
        handlers={PruneRepository: place.prune},
        aftermaths={PruneRepository: look},
    )
    await place.deliver()
    [failed] = place.outcomes()
    assert isinstance(failed, StepFailed)
    await place.write(run(state="cancelled"))
    for _ in range(2):
        await place.bus.pass_time(60)
        await place.deliver()
    assert place.outcomes() == [failed, made]
    await place.bus.pass_time(3_600)
    await place.deliver()
    assert answers == []


async def test_work_that_is_stopped_tells_what_it_has_made_all_the_same(place: Place) -> None:
    """Cancelled in the very moment in which it did what cannot be undone."""
    made = outcome(
        RepositoryPruned, ORDER, app_id="a-1", vault="main", pruned_at=NOW, bytes_freed=7
    )

    async def look(_: StepCommand) -> StepEvent | None:
        return made

    place.work = StepWork(
        place.bus,
        worker="w",
        handlers={PruneRepository: place.prune},
        aftermaths={PruneRepository: look},
    )
    place.may_end.clear()
    working = asyncio.create_task(place.deliver())
    await place.began.wait()
    await place.write(run(state="cancelled"))
    await working
    assert place.outcomes() == [made]


async def test_an_order_of_an_unknown_run_is_dropped() -> None:
    """Its run was removed, or the bus has lost it."""
    place = Place()
    await place.order()
    await place.deliver()
    assert (place.done, place.outcomes()) == (0, [])


async def test_work_that_is_superseded_meanwhile_is_stopped(place: Place) -> None:
    """A cancelled run does not wait for its worker; the order is settled without an outcome."""
    place.may_end.clear()
    working = asyncio.create_task(place.deliver())
    await place.began.wait()
    await place.write(run(state="cancelled"))
    await working
    assert place.cancelled
    assert (place.done, place.outcomes()) == (0, [])


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UnavailableError("away", why="no answer", next_step="Wait."), True),
        (RefusedError("no", why="a rule", next_step="Ask."), False),
        (NotFoundError("not there"), False),
    ],
)
async def test_a_failure_of_ours_is_told_and_whether_another_attempt_may_help(
    place: Place, error: AppShieldError, again: bool
) -> None:
    """What, why and next step arrive as they are; the planner decides."""
    place.raises = error
    await place.deliver()
    [event] = place.outcomes()
    assert isinstance(event, StepFailed)
    assert str(event.failure) == str(error)
    assert event.again is again


async def test_a_defect_goes_back_to_the_loop_and_the_next_delivery_is_as_if_new(
    place: Place,
) -> None:
    """Nothing is recorded of it."""
    place.raises = ZeroDivisionError("a defect")
    await place.deliver()
    assert place.outcomes() == []
    place.raises = None
    await place.deliver()
    assert (place.done, len(place.outcomes())) == (1, 1)


async def test_a_patient_step_says_that_it_works_while_it_waits(place: Place) -> None:
    """Also when nothing moves: what it waits for has a deadline of its own."""
    handler = patient(place.prune)
    work = StepWork(place.bus, worker="w", handlers={PruneRepository: handler})
    place.may_end.clear()
    working = asyncio.create_task(place.bus.deliver(streams.UPLOADER_ORDERS, work.handle))
    await wait_until(lambda: place.bus.told, deadline_s=10, what="a sign of life")
    place.may_end.set()
    await working
    assert place.done == 1
    _, progress = place.bus.told[0]
    assert (getattr(progress, "step", ""), getattr(progress, "worker", "")) == ("prune", "w")


async def test_what_a_run_made_is_removed_when_nothing_more_of_it_is_made_here(
    place: Place,
) -> None:
    """Work that is stopped winds up before the order to remove begins: it may still make things."""
    made: list[str] = []
    winding_up = asyncio.Event()

    async def prune_(command: StepCommand, _: StepContext) -> StepEvent:
        place.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await winding_up.wait()
            made.append("made")
        raise AssertionError("it was not stopped")

    async def release(command: StepCommand, _: StepContext) -> StepEvent:
        made.clear()
        return outcome(SnapshotReleased, command)

    work = StepWork(
        place.bus, worker="w", handlers={PruneRepository: prune_, ReleaseSnapshot: release}
    )
    pruning = asyncio.create_task(place.bus.deliver(streams.UPLOADER_ORDERS, work.handle))
    await place.began.wait()
    ending = run(state="ending", step="failed")
    remove = replace(ending.steps[0], name="release", state="running")
    await place.write(replace(ending, steps=(*ending.steps, remove)))
    order = ReleaseSnapshot(
        app=APP, run="b-1", step="release", attempt=1, epoch=3, app_id="a-1", vault="main"
    )
    await place.bus.publish(order)
    removing = asyncio.create_task(place.bus.deliver(streams.SNAPSHOTTER_ORDERS, work.handle))
    await asyncio.wait({removing}, timeout=0.2)
    winding_up.set()
    await asyncio.gather(pruning, removing)
    assert made == []
