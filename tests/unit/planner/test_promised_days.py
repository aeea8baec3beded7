"""How promises were kept is written down day by day, and reports reach back over a year of it."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Rpo
from appshield.contracts.promised_days import PromisedDays
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import APPLICATIONS, PROMISES, RUNS
from appshield.doors.objectives import Span
from appshield.doors.reporting import Objectives, objectives
from appshield.doors.run_rows import row_of
from appshield.planner import promised_days
from appshield.planner.promised_days import write_days
from appshield.planner.trimming import forget_runs
from memory_bus import MemoryBus
from planner_world import APP

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
BEFORE = 28
"""A planner that begins writes down the days of all runs that can be there, though nothing was."""


def application(number: int = 0) -> ApplicationRecord:
    """An application that promises a version of the last two hours."""
    rpo = Rpo(promised_s=7_200, state="kept", since=MIDNIGHT, counted_from=MIDNIGHT)
    return ApplicationRecord(
        app_id=f"a{number}",
        app=replace(APP, name=f"app{number}"),
        uid="u",
        vault="primary",
        state="active",
        criticality="gold",
        rpo=rpo,
    )


def backup(record: ApplicationRecord, begins: datetime) -> Run:
    """A backup that takes no time."""
    return Run(
        id=f"{record.app_id}-{begins:%Y%m%d%H}",
        kind="backup",
        app=record.app,
        app_id=record.app_id,
        vault="primary",
        trigger=Trigger(kind="schedule", identity=f"{begins}"),
        epoch=1,
        state="succeeded",
        requested_at=begins,
        started_at=begins,
        finished_at=begins,
    )


class World:
    """Applications of which each has a backup at noon of every day."""

    def __init__(self, applications: int = 1) -> None:
        self.bus = MemoryBus()
        self.records = [application(number) for number in range(applications)]

    async def live(self, days: int) -> datetime:
        """Let days go by, and a planner do every night what it does; return when that is."""
        for record in self.records:
            await self.bus.bucket(APPLICATIONS, ApplicationRecord).put(record.app_id, record)
        now = MIDNIGHT
        runs = self.bus.bucket(RUNS, Run)
        for _ in range(days):
            for record in self.records:
                made = backup(record, now + 12 * HOUR)
                await runs.put(made.id, made)
            now += DAY
            await write_days(self.bus, now + HOUR, YEAR)
            await forget_runs(runs, now + HOUR)
        return now + HOUR

    async def report(self, begin: datetime, now: datetime) -> Objectives:
        rows = [row_of(entry.value) async for entry in self.bus.bucket(RUNS, Run).items()]
        span = Span(begin, now)
        return await objectives(self.bus, self.records, rows, by="criticality", span=span, now=now)

    async def keys(self) -> list[str]:
        return await self.bus.bucket(PROMISES, PromisedDays).keys()


async def test_a_report_reaches_back_to_days_whose_runs_are_gone() -> None:
    """Each day kept for two hours of its twenty-four, from the first backup on."""
    world = World()
    now = await world.live(50)
    assert len([entry async for entry in world.bus.bucket(RUNS, Run).items()]) < 32
    told = await world.report(MIDNIGHT, now)
    assert len(told.days) == 51
    assert [day.rpo_kept for day in told.days[1:50]] == [pytest.approx(2 / 24)] * 49
    [row] = told.items
    assert row.rpo_kept == pytest.approx(50 * 2 / (49 * 24 + 12 + 1))
    assert row.rpo_broken_s == pytest.approx((49 * 22 + 10 + 1) * 3600)


async def test_a_day_is_written_once_and_goes_when_it_is_too_old() -> None:
    """Whoever leads writes what is missing; a year is what this planner keeps."""
    world = World()
    now = await world.live(40)
    written = await world.keys()
    assert len(written) == BEFORE + 40
    assert await write_days(world.bus, now, YEAR) == 0
    later = now + YEAR - 5 * DAY
    assert await write_days(world.bus, later, YEAR) > 0
    assert set(written) & set(await world.keys()) == set(written[-5:])


async def test_many_applications_are_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no message is larger than the bus takes; together they are the day."""
    monkeypatch.setattr(promised_days, "APPLICATIONS_IN_PART", 2)
    world = World(applications=5)
    now = await world.live(32)
    assert len(await world.keys()) == BEFORE + 32 * 3
    told = await world.report(MIDNIGHT, now)
    [row] = told.items
    assert row.rpo_kept == pytest.approx(32 * 2 / (31 * 24 + 12 + 1))
