"""Which runs are meant, whichever door asks."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import RUNS
from appshield.doors.naming import wanted
from appshield.doors.records import ALL_RUNS, RunFilter, runs
from memory_bus import MemoryBus

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
RUN = Run(
    id="b-1",
    kind="backup",
    app=AppRef(cluster="test", namespace="shop", name="web"),
    app_id="a-1",
    vault="primary",
    trigger=Trigger(kind="manual", identity="request/1"),
    state="failed",
    epoch=1,
    requested_at=NOW,
)


@pytest.mark.parametrize(
    ("meant", "fits"),
    [
        (ALL_RUNS, True),
        (RunFilter(app=wanted("shop/web")), True),
        (RunFilter(app=wanted("other")), False),
        (RunFilter(namespace="shop"), True),
        (RunFilter(namespace="blog"), False),
        (RunFilter(kinds=frozenset({"backup", "copy"})), True),
        (RunFilter(kinds=frozenset({"restore"})), False),
        (RunFilter(states=frozenset({"failed"})), True),
        (RunFilter(states=frozenset({"running"})), False),
        (RunFilter(since=NOW), True),
        (RunFilter(since=NOW + timedelta(seconds=1)), False),
        (RunFilter(kinds=frozenset({"backup"}), states=frozenset({"running"})), False),
    ],
)
def test_a_filter_leaves_what_it_names(meant: RunFilter, *, fits: bool) -> None:
    """All of what it names must fit; what it leaves open fits."""
    assert meant.fits(RUN) is fits


async def test_runs_come_newest_first_and_filtered() -> None:
    """As they are listed everywhere."""
    bus = MemoryBus()
    bucket = bus.bucket(RUNS, Run)
    for number in range(3):
        run = replace(RUN, id=f"b-{number}", requested_at=NOW - timedelta(hours=number))
        await bucket.put(run.id, run if number else replace(run, state="running"))
    assert [run.id for run in await runs(bus)] == ["b-0", "b-1", "b-2"]
    failed = RunFilter(states=frozenset({"failed"}), since=NOW - timedelta(minutes=90))
    assert [run.id for run in await runs(bus, failed)] == ["b-1"]
