"""A version number that a backup has taken is never used again, whatever becomes of the run."""

import pytest

from appshield.contracts import streams
from appshield.contracts.requests import RequestBackup, RequestCancel
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import RUNS
from planner_world import APP, Killed, Moment, World

EFFECTS_MAX = 60


async def _begun() -> World:
    """A world in which a backup has begun, and the repository is not asked yet."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.deliver(streams.PLANNER_FACTS)
    await world.ask(RequestBackup(app=APP, request_id="first"))
    await world.deliver(streams.PLANNER_REQUESTS)
    return world


async def _with_number_one_taken() -> tuple[World, Run]:
    """A world in which a backup is under way that has number 1 and made nothing yet."""
    world = await _begun()
    for _ in range(20):
        await world.turn()
        [run] = await world.runs()
        if run.version is not None:
            return world, run
    raise AssertionError("no number was taken")


async def _number_of_the_next(world: World) -> int | None:
    await world.ask(RequestBackup(app=APP, request_id="next"))
    await world.settle()
    [run] = [run for run in await world.runs() if run.trigger.identity.endswith("next")]
    return run.version


async def test_a_backup_takes_its_number_with_its_place() -> None:
    """When the repository is open no more than the run is written."""
    world = await _begun()
    [run] = await world.runs()
    record = await world.record()
    assert (record.active_run, record.active_version, record.highest_version) == (run.id, 1, 1)
    while run.version is None:
        await world.turn()
        [run] = await world.runs()
    assert run.version == 1
    await world.settle()
    ended = await world.record()
    assert (ended.active_run, ended.active_version, ended.highest_version) == ("", None, 1)


async def test_a_repository_with_higher_numbers_gives_a_higher_one() -> None:
    """Its bus was lost, or it was written by another installation."""
    world = await _begun()

    world.workers.highest_version = 14
    await world.settle()
    [run] = await world.runs()
    assert run.version == 15
    assert (await world.record()).highest_version == 15
    assert await _number_of_the_next(world) == 16


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_number_of_a_cancelled_backup_is_a_gap(moment: Moment) -> None:
    """Also where the planner is killed at any effect of the end of the run."""
    for at in range(1, EFFECTS_MAX):
        world, run = await _with_number_one_taken()
        killed = False
        try:
            await world.new_planner(at=at, moment=moment)
            await world.ask(RequestCancel(app=APP, request_id="cancel", run=run.id))
            await world.settle()
        except Killed:
            killed = True
        world.bus.forget_duplicates()
        await world.new_planner()
        await world.settle()
        [ended] = await world.runs()
        assert ended.state in FINAL_STATES
        assert await _number_of_the_next(world) == 2, at
        if not killed:
            return
    pytest.fail("the end of a run has more effects than that")


async def test_the_number_of_a_run_that_is_lost_is_a_gap() -> None:
    """Its work may be under way, and make a version of that number yet."""
    world, run = await _with_number_one_taken()
    await world.bus.bucket(RUNS, Run).delete(run.id)
    await world.new_planner()
    assert await _number_of_the_next(world) == 2
