"""A planner that is killed at any instruction: the next one ends the run, once in effect."""

from datetime import timedelta

import pytest

from appshield.contracts.applications import Keep, Protection
from appshield.contracts.requests import RequestBackup, RequestPin
from planner_world import APP, Killed, Moment, World

EFFECTS_OF_A_BACKUP = 42
"""More than a backup has; the test fails if this is not so."""


async def test_a_backup_makes_one_version_and_leaves_nothing_open() -> None:
    """Without any accident, each step is done once."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()

    [run] = await world.runs()
    assert run.state == "succeeded"
    assert run.outbox == ()
    assert [version.facts.number for version in await world.versions()] == [1]
    assert world.workers.done["StoreSource"] == 2
    assert (await world.record()).active_run == ""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS_OF_A_BACKUP))
async def test_killed_at_any_effect_the_run_goes_on_once(at: int, moment: Moment) -> None:
    """One version, one commit, one release, whichever instruction was the planner's last."""
    world = World()
    await world.observe()
    killed = False
    try:
        await world.new_planner(at=at, moment=moment)
        await world.ask(RequestBackup(app=APP, request_id="one"))
        await world.settle()
    except Killed:
        killed = True
    if not killed:
        assert world.mortal.effects < at  # the backup was over before: nothing to kill
    world.bus.forget_duplicates()
    await world.new_planner()
    await world.settle()

    [run] = await world.runs()
    assert run.state == "succeeded"
    assert run.outbox == ()
    assert len(await world.versions()) == 1
    assert len(world.workers.versions) == 1
    assert world.workers.done["ReleaseSnapshot"] == 1
    assert (await world.record()).active_run == ""


async def test_the_matrix_above_covers_every_effect_of_a_backup() -> None:
    """A new effect that nobody kills the planner at is seen here."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    assert 20 < world.mortal.effects < EFFECTS_OF_A_BACKUP


async def test_every_message_delivered_again_changes_nothing() -> None:
    """At least once is once in effect."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    before = (await world.runs(), await world.versions(), dict(world.workers.done))

    assert world.planner is not None
    world.bus.forget_duplicates()
    from planner_world import PLANNER_CONSUMERS

    for consumer in PLANNER_CONSUMERS:
        await world.bus.redeliver(consumer, world.planner.handle)
    await world.settle()

    assert (await world.runs(), await world.versions(), dict(world.workers.done)) == before


EFFECTS_OF_UPKEEP = 110
"""More than a scheduled backup with all the upkeep that follows has."""
KEEP_ONE = Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=1))


async def _with_one_version() -> World:
    world = World()
    await world.observe(KEEP_ONE)
    await world.new_planner()
    await world.settle()
    await world.bus.pass_time(60)
    await world.settle()
    assert [version.facts.number for version in await world.versions()] == [1]
    return world


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS_OF_UPKEEP))
async def test_killed_at_any_effect_upkeep_is_done_once(at: int, moment: Moment) -> None:
    """One backup, and what follows it: one forget, one prune, one check, each ended well."""
    world = await _with_one_version()
    try:
        await world.new_planner(at=at, moment=moment)
        await world.bus.pass_time(60)
        await world.settle()
    except Killed:
        pass
    world.bus.forget_duplicates()
    await world.new_planner()
    await world.settle()

    runs = await world.runs()
    assert {run.state for run in runs} == {"succeeded"}
    assert sorted(run.kind for run in runs) == ["backup", "backup", "check", "forget", "prune"]
    assert all(run.outbox == () for run in runs)
    assert [version.facts.number > 1 for version in await world.versions()] == [True]
    assert world.workers.forgotten == {1}
    for kind in ("ForgetVersions", "PruneRepository", "CheckRepository"):
        assert world.workers.done[kind] == 1
    record = await world.record()
    assert (record.active_run, record.pending_runs) == ("", ())


async def test_the_matrix_above_covers_every_effect_of_upkeep() -> None:
    """A new effect that nobody kills the planner at is seen here."""
    world = await _with_one_version()
    await world.new_planner()
    await world.bus.pass_time(60)
    await world.settle()
    assert 60 < world.mortal.effects < EFFECTS_OF_UPKEEP


async def test_messages_about_upkeep_delivered_again_change_nothing() -> None:
    """Also days later, when other versions have come and gone."""
    world = await _with_one_version()
    await world.ask(
        RequestPin(app=APP, request_id="p", app_id=(await world.record()).app_id, version=1)
    )
    for _ in range(3):
        await world.bus.pass_time(60)
        await world.settle()
    before = await _everything(world)

    assert world.planner is not None
    world.bus.forget_duplicates()
    world.bus.now += timedelta(seconds=10)
    from planner_world import PLANNER_CONSUMERS

    for consumer in PLANNER_CONSUMERS:
        await world.bus.redeliver(consumer, world.planner.handle)
    await world.settle()

    assert await _everything(world) == before


async def _everything(world: World) -> tuple[object, ...]:
    runs = sorted(await world.runs(), key=lambda run: run.id)
    versions = sorted(await world.versions(), key=lambda version: version.facts.number)
    return runs, versions, dict(world.workers.done)
