"""A run that somebody has to approve of: what it waits for, and what it does not hold up."""

from datetime import timedelta

import pytest

from appshield.contracts.applications import Keep, Protection
from appshield.contracts.identities import run_id
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestForget,
    RequestRestore,
)
from appshield.contracts.runs import Run
from planner_world import APP, PLANNER_CONSUMERS, Killed, Moment, World

EFFECTS_OF_AN_APPROVAL = 16
"""More than an approved restore has; the test fails if this is not so."""


async def _asked(world: World | None = None) -> World:
    """Give a world in which a restore of version 1 waits for approval."""
    world = world or World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    await world.ask(RequestRestore(app=APP, request_id="two", version=1, needs_approval=True))
    await world.settle()
    return world


async def _restore(world: World, request: str = "two") -> Run:
    wanted = run_id("restore", f"request/{request}")
    return next(run for run in await world.runs() if run.id == wanted)


async def _approve(world: World) -> None:
    run = (await _restore(world)).id
    await world.ask(RequestApprove(app=APP, request_id="yes", actor="eve@here", run=run))


async def test_nothing_happens_before_somebody_approves() -> None:
    """The run waits, the application's record names it, no worker is told anything."""
    world = await _asked()
    run = await _restore(world)
    assert (run.state, run.steps, run.outbox) == ("awaiting-approval", (), ())
    record = await world.record()
    assert (record.awaiting_approval, record.active_run) == ((run.id,), "")
    assert world.workers.planned == []


async def test_a_version_that_waits_for_approval_is_not_forgotten_by_hand() -> None:
    """Whoever approves finds what was asked for; who cancels the restore may forget it."""
    world = await _asked()
    restore = (await _restore(world)).id
    app_id = (await world.record()).app_id
    await world.ask(RequestBackup(app=APP, request_id="three"))
    await world.settle()

    async def forget(request: str) -> Run:
        await world.ask(RequestForget(app=APP, request_id=request, app_id=app_id, versions=(1,)))
        await world.settle()
        wanted = run_id("forget", f"request/{request}")
        return next(run for run in await world.runs() if run.id == wanted)

    refused = await forget("early")
    assert refused.state == "failed"
    assert refused.failure is not None
    assert refused.failure.what == f"restore {restore} of version 1 waits for approval"
    await world.ask(RequestCancel(app=APP, request_id="no", run=restore))
    await world.settle()
    assert (await forget("late")).state == "succeeded"


async def test_what_was_approved_of_runs_and_says_who_did() -> None:
    """Actor and time of the approval stay with the run."""
    world = await _asked()
    world.bus.now += timedelta(hours=2)
    await _approve(world)
    await world.settle()
    run = await _restore(world)
    assert run.state == "succeeded"
    assert run.approval is not None
    assert (run.approval.actor, run.approval.at) == ("eve@here", world.bus.now)
    assert (await world.record()).awaiting_approval == ()


async def test_others_go_on_while_a_run_waits_for_approval() -> None:
    """A backup is made meanwhile: what waits for a person is in nobody's way."""
    world = await _asked()
    await world.ask(RequestBackup(app=APP, request_id="three"))
    await world.settle()
    assert [version.facts.number for version in await world.versions()] == [1, 2]
    assert (await _restore(world)).state == "awaiting-approval"


async def test_a_run_that_waits_for_approval_can_be_cancelled_and_never_runs() -> None:
    """An approval that comes too late changes nothing."""
    world = await _asked()
    await world.ask(RequestCancel(app=APP, request_id="no", run=(await _restore(world)).id))
    await world.settle()
    await _approve(world)
    await world.settle()
    run = await _restore(world)
    assert (run.state, run.approval) == ("cancelled", None)
    assert world.workers.planned == []
    assert (await world.record()).awaiting_approval == ()


async def test_the_same_restore_asked_again_waits_once() -> None:
    """A reaction that comes again asks for nothing new."""
    world = await _asked()
    await world.ask(RequestRestore(app=APP, request_id="three", version=1, needs_approval=True))
    await world.settle()
    again = await _restore(world, "three")
    assert (again.state, again.folded_into) == ("folded", (await _restore(world)).id)


async def test_a_new_planner_lets_it_wait_on() -> None:
    """Taking over approves of nothing."""
    world = await _asked()
    await world.new_planner()
    await world.settle()
    assert (await _restore(world)).state == "awaiting-approval"
    assert world.workers.planned == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS_OF_AN_APPROVAL))
async def test_killed_at_any_effect_an_approved_restore_runs_once(at: int, moment: Moment) -> None:
    """Whichever instruction was the planner's last, between the wish and the end."""
    world = await _asked()
    try:
        await world.new_planner(at=at, moment=moment)
        await _approve(world)
        await world.settle()
    except Killed:
        pass
    world.bus.forget_duplicates()
    await world.new_planner()
    await world.settle()
    run = await _restore(world)
    assert (run.state, run.outbox) == ("succeeded", ())
    assert len(world.workers.planned) == 1
    record = await world.record()
    assert (record.awaiting_approval, record.pending_runs, record.active_run) == ((), (), "")


async def test_the_matrix_above_covers_every_effect_of_an_approval() -> None:
    """A new effect that nobody kills the planner at is seen here."""
    world = await _asked()
    await world.new_planner()
    await _approve(world)
    await world.settle()
    assert 8 < world.mortal.effects < EFFECTS_OF_AN_APPROVAL


async def test_an_approval_delivered_again_changes_nothing() -> None:
    """At least once is once in effect."""
    world = await _asked()
    await _approve(world)
    await world.settle()
    before = await world.runs()
    assert world.planner is not None
    world.bus.forget_duplicates()
    for consumer in PLANNER_CONSUMERS:
        await world.bus.redeliver(consumer, world.planner.handle)
    await world.settle()
    assert await world.runs() == before
    assert len(world.workers.planned) == 1


async def test_a_version_that_a_restore_waits_for_does_not_expire() -> None:
    """Whoever approves of it finds it."""
    rule = Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=1))
    world = World()
    await world.observe(rule)
    await world.new_planner()
    await world.settle()

    async def minute() -> None:
        await world.bus.pass_time(60)
        await world.settle()

    await minute()
    await world.ask(RequestRestore(app=APP, request_id="two", version=1, needs_approval=True))
    await world.settle()
    await minute()
    assert world.workers.forgotten == set()
    await _approve(world)
    await world.settle()
    assert (await _restore(world)).state == "succeeded"
    await minute()
    assert world.workers.forgotten == {1, 2}
