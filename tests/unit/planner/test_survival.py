"""A planner that is killed at any instruction: the next one ends the run, once in effect."""

import pytest

from appshield.contracts.requests import RequestBackup
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
