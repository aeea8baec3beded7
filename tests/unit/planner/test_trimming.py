"""Runs that ended long ago go; what has not ended, or is not told yet, stays."""

from datetime import timedelta

from msgspec.structs import replace

from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Run
from appshield.contracts.streams import RUNS
from appshield.doors.promised_days import RUNS_KEPT
from appshield.planner.promising import promise
from appshield.planner.trimming import forget_runs
from planner_world import APP, World


async def test_only_runs_that_ended_long_ago_and_were_told_are_forgotten() -> None:
    """Versions are no runs: the catalog keeps them."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    [ended] = await world.runs()
    runs = world.bus.bucket(RUNS, Run)
    told = promise(RequestBackup(app=APP, request_id="untold"))
    await runs.create("b-1", replace(ended, id="b-1", state="running"))
    await runs.create("b-2", replace(ended, id="b-2", outbox=(told,)))

    assert ended.finished_at is not None
    assert await forget_runs(runs, ended.finished_at + RUNS_KEPT - timedelta(hours=1)) == 0
    assert await forget_runs(runs, ended.finished_at + RUNS_KEPT + timedelta(hours=1)) == 1
    assert {run.id for run in await world.runs()} == {"b-1", "b-2"}
    assert len(await world.versions()) == 1
