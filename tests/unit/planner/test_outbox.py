"""What a run promises is written with it, published, and cleared by whichever write comes next."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from appshield.bus import Entry
from appshield.contracts.identities import run_id
from appshield.contracts.runs import Run, Trigger, WaitOver
from appshield.contracts.streams import RUNS
from appshield.planner.leading import Leadership
from appshield.planner.promising import promise_timer
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

    async def begin(self) -> Entry[Run]:
        leadership = Leadership(self.bus, "planner")
        await leadership.acquire(asyncio.Event())
        self.runs = Runs(self.bus, leadership)
        return await self.promise(await self.runs.create(self.run))

    async def promise(self, entry: Entry[Run]) -> Entry[Run]:
        return await self.runs.write(entry, replace(entry.value, state="running", outbox=(TOLD,)))

    async def stored(self) -> Entry[Run]:
        entry = await self.bus.bucket(RUNS, Run).get(self.run.id)
        assert entry is not None
        return entry


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
