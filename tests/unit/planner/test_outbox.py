"""What a run promises is written with it, published, and cleared by whichever write comes next."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from appshield.bus import Entry, StaleRevisionError
from appshield.contracts.identities import run_id
from appshield.contracts.runs import OutboxEntry, Run, Step, StepDue, Trigger, WaitOver
from appshield.contracts.streams import COMMANDS, OUTCOMES, RUNS
from appshield.contracts.subjects import ROOT
from appshield.planner.leading import Leadership
from appshield.planner.promising import promise_timer, step_timer
from appshield.planner.runs import Runs
from memory_bus import MemoryBus
from planner_world import APP, CUT_AT


class Written:
    """A run that is written down with a promise, by a planner that leads."""

    def __init__(self) -> None:
        self.bus = MemoryBus("planner", now=CUT_AT)
        self.run = Run(
            id=run_id("backup", "request/one"),
            kind="backup",
            app=APP,
            app_id="a-1",
            uid="uid-1",
            vault="primary",
            state="pending",
            epoch=0,
            trigger=Trigger(kind="manual", identity="request/one", at=CUT_AT),
            requested_at=CUT_AT,
        )

    async def lead(self) -> None:
        leadership = Leadership(self.bus, "planner")
        await leadership.acquire(asyncio.Event())
        self.runs = Runs(self.bus, leadership)

    async def begin(self) -> Entry[Run]:
        await self.lead()
        return await self.promise(await self.runs.create(self.run))

    async def promise(self, entry: Entry[Run]) -> Entry[Run]:
        running = replace(entry.value, state="running", outbox=(TOLD,))
        written = await self.runs.write(entry, running)
        await self.runs.tell()
        return written

    async def stored(self) -> Entry[Run]:
        entry = await self.bus.bucket(RUNS, Run).get(self.run.id)
        assert entry is not None
        return entry

    async def known(self) -> Entry[Run]:
        entry = await self.runs.get(self.run.id)
        assert entry is not None
        return entry

    def published(self) -> list[str]:
        streams = (COMMANDS, OUTCOMES)
        return [one.headers["Nats-Msg-Id"] for name in streams for one in self.bus.stored(name)]


TOLD = promise_timer(
    "wait.one", WaitOver(app=APP, run="one", at=CUT_AT), CUT_AT + timedelta(hours=1)
)


@pytest.fixture
def written() -> Written:
    """A run that is not written yet."""
    return Written()


async def test_what_is_published_stays_written_until_it_is_cleared(written: Written) -> None:
    """Whoever is asked here sees it published; whoever takes over publishes it again."""
    entry = await written.begin()
    assert entry.value.outbox == ()
    assert await written.runs.get(written.run.id) == entry
    assert (await written.stored()).value.outbox == (TOLD,)
    assert [run.id for run in written.runs.uncleared()] == [written.run.id]

    await written.runs.clear(written.run.id)
    assert (await written.stored()).value.outbox == ()
    assert written.runs.uncleared() == []


async def test_the_next_write_of_a_run_makes_the_clearing_needless(written: Written) -> None:
    """It carries what is promised then, and nothing that was published before."""
    entry = await written.begin()
    await written.runs.write(entry, replace(entry.value, priority=7))
    stored = await written.stored()
    assert (stored.value.priority, stored.value.outbox) == (7, ())

    await written.runs.clear(written.run.id)
    assert await written.stored() == stored


async def test_a_run_that_has_ended_is_cleared_at_once(written: Written) -> None:
    """No other write of it follows."""
    entry = await written.begin()
    await written.runs.write(entry, replace(entry.value, state="succeeded", outbox=(TOLD,)))
    assert (await written.stored()).value.outbox == ()
    assert written.runs.uncleared() == []


async def test_a_planner_that_takes_over_publishes_and_clears_at_once(written: Written) -> None:
    """So that a late write of the planner before it is in vain."""
    await written.begin()
    found = await written.stored()
    other = Runs(written.bus, written.runs._leadership)
    taken_up = await other.write(found, found.value)
    assert taken_up.revision > found.revision
    assert (await written.stored()).value.outbox == ()


async def test_what_nobody_waits_for_is_told_later(written: Written) -> None:
    """Orders at once; what else is promised stays written down until it is told."""
    entry = await written.begin()
    order = OutboxEntry(
        subject=f"{ROOT}.cmd.repository.open.x", message_id="order", body=msgspec.Raw(b"{}")
    )
    later = OutboxEntry(subject=f"{ROOT}.evt.run.x", message_id="told", body=msgspec.Raw(b"{}"))
    await written.runs.write(entry, replace(entry.value, priority=7, outbox=(later, order)))
    assert written.published() == ["order"]
    assert written.runs.has_to_tell
    assert written.runs.uncleared() == []
    await written.runs.tell()
    assert written.published() == ["order", "told"]
    assert not written.runs.has_to_tell


async def test_a_write_takes_along_what_was_not_told_before_it(written: Written) -> None:
    """But for the timer of a step that has ended: nobody would take it."""
    entry = await written.begin()
    told = OutboxEntry(subject=f"{ROOT}.evt.run.x", message_id="told", body=msgspec.Raw(b"{}"))
    due = StepDue(app=APP, run=written.run.id, step="open", attempt=1, epoch=1)
    timed = promise_timer(step_timer(written.run.id, "open"), due, CUT_AT)
    step = Step(
        name="open", state="running", attempt=1, epoch=1, started_at=CUT_AT, deadline_at=CUT_AT
    )
    running = replace(entry.value, steps=(step,), outbox=(timed, told))
    entry = await written.runs.write(entry, running)
    again = await written.runs.write(entry, replace(entry.value, priority=7))
    assert (await written.stored()).value.outbox == (timed, told)
    done = replace(again.value, steps=(replace(step, state="done"),), outbox=(TOLD,))
    await written.runs.write(again, done)
    assert (await written.stored()).value.outbox == (told, TOLD)
    await written.runs.tell()
    assert written.published() == ["told"]
    ended = await written.stored()
    await written.runs.write(await written.known(), replace(ended.value, state="failed", outbox=()))
    assert (await written.stored()).value.outbox == ()


async def test_a_run_that_was_withdrawn_is_never_born_under_way(written: Written) -> None:
    """Whoever leads by then withdraws it; whoever was stopped fails when it writes at last."""
    await written.lead()
    assert await written.runs.withdraw(written.run.id) is None
    with pytest.raises(StaleRevisionError):
        await written.runs.begin(replace(written.run, state="running"))
    assert await written.bus.bucket(RUNS, Run).get(written.run.id) is None
    assert (await written.runs.create(written.run)).value.state == "pending"


async def test_a_run_that_came_before_it_was_withdrawn_goes_on(written: Written) -> None:
    """It is found instead."""
    await written.lead()
    await written.runs.begin(replace(written.run, state="running", outbox=(TOLD,)))
    found = await written.runs.withdraw(written.run.id)
    assert found is not None
    assert (found.value.state, found.value.outbox) == ("running", (TOLD,))
