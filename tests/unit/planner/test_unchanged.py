"""An rpo needs no version where nothing changed: the newest good one still holds it all."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import Protection
from appshield.contracts.backups import CommitBackup
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import run_id
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.requests import RequestBackup, RequestPrune
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG
from appshield.errors import UnavailableError
from appshield.service.steps import StepContext, StepHandler, StepWork
from planner_world import APP, PLANNER_CONSUMERS, Killed, Moment, World

HOURLY = Protection(name="hourly", trigger="rpo", rpo_s=3600)
EFFECTS_MAX = 150
SETTLED = Protection(name="told", trigger="signal", signal="deployed", settle_s=60)


async def _saved(*more: Protection) -> World:
    """A world with version 1, since which nothing has changed."""
    world = World()
    await world.observe(HOURLY, *more)
    await world.new_planner()
    await world.settle()
    assert [one.facts.number for one in await world.versions()] == [1]
    world.workers.unchanged = True
    return world


async def _pass(world: World, **time: float) -> None:
    await world.bus.pass_time(timedelta(**time).total_seconds())
    await world.settle()


async def _last(world: World) -> Run:
    return max(await world.runs(), key=lambda run: run.requested_at)


async def _run(world: World, identity: str) -> Run:
    [run] = [run for run in await world.runs() if run.id == identity]
    return run


async def test_nothing_changed_makes_no_version_and_keeps_the_promise() -> None:
    """The run has succeeded, says since which version, and the next one comes an rpo later."""
    world = await _saved()
    await _pass(world, hours=1)
    run = await _last(world)
    assert run.backup is not None
    assert (run.state, run.version, run.backup.unchanged) == ("succeeded", None, 1)
    [version] = await world.versions()
    record = await world.record()
    assert version.unchanged_at == record.unchanged_at == world.bus.now
    assert record.last_backup_at == version.facts.cut_at
    assert record.rpo is not None
    assert (record.rpo.state, record.rpo.counted_from) == ("kept", world.bus.now)
    runs = len(await world.runs())
    await _pass(world, minutes=59)
    assert len(await world.runs()) == runs
    await _pass(world, minutes=1)
    assert len(await world.runs()) == runs + 1


async def test_a_change_makes_a_version_again() -> None:
    """Numbers of runs without a version are gaps."""
    world = await _saved()
    await _pass(world, hours=1)
    world.workers.unchanged = False
    await _pass(world, hours=1)
    assert [one.facts.number for one in await world.versions()] == [1, 3]


async def test_who_asks_for_a_version_gets_one() -> None:
    """Whatever has changed."""
    world = await _saved()
    await world.ask(RequestBackup(app=APP, request_id="asked"))
    await world.settle()
    assert (await _run(world, run_id("backup", "request/asked"))).version == 2


async def test_a_run_that_stands_for_somebody_who_asked_makes_a_version() -> None:
    """An rpo that waits for its turn takes in what a person asks for, and is then as much his."""
    world = await _saved()
    await _with_prune_under_way(world)
    await world.ask(RequestBackup(app=APP, request_id="asked"))
    await _plan(world)
    await world.settle()
    asked = await _run(world, run_id("backup", "request/asked"))
    stands = await _run(world, asked.folded_into)
    assert (stands.trigger.kind, stands.version) == ("rpo", 2)


async def test_a_run_that_begins_for_others_makes_a_version_if_one_of_them_needs_it() -> None:
    """What was held back until then is done with it."""
    world = await _saved(SETTLED)
    await _with_prune_under_way(world)
    await world.bus.publish_raw("appshield.v1.signal.deployed", b"", message_id="one")
    await _plan(world)
    await world.bus.pass_time(60)
    await _plan(world)
    await world.settle()
    [told] = [run for run in await world.runs() if run.trigger.kind == "signal"]
    stands = await _run(world, told.folded_into)
    assert (stands.trigger.kind, stands.version) == ("rpo", 2)


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "gone"])
async def test_a_version_that_is_found_bad_meanwhile_is_no_reason_to_make_none(
    *, damaged: bool
) -> None:
    """It is looked at again when the backup says that nothing changed."""
    world = await _saved()
    bucket = world.bus.bucket(CATALOG, VersionRecord)
    [version] = await world.versions()
    damage = VersionDamage(number=1, snapshot_id=version.snapshot_id, paths=("a",), paths_total=1)

    async def spoil(command: StepCommand, context: StepContext) -> StepEvent:
        key = f"{version.facts.app_id}.1"
        await (bucket.put(key, replace(version, damage=damage)) if damaged else bucket.delete(key))
        return await world.workers.commit(command, context)

    handlers: dict[type[StepCommand], StepHandler] = world.workers.handlers()
    handlers[CommitBackup] = spoil
    world.work = StepWork(world.bus, worker="worker", handlers=handlers)
    await _pass(world, hours=1)
    run = await _last(world)
    assert run.version == 2
    commits = [step.name for step in run.steps if step.name.startswith("commit")]
    assert commits == ["commit", "commit=2"]


async def test_a_commit_that_is_tried_again_decides_the_same() -> None:
    """A worker that failed on the way leaves nothing to decide otherwise."""
    world = await _saved()
    world.workers.failures[CommitBackup] = [UnavailableError("the store does not answer")]
    await _pass(world, hours=1)
    await _pass(world, minutes=1)
    run = await _last(world)
    assert run.backup is not None
    assert (run.state, run.backup.unchanged) == ("succeeded", 1)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_planner_killed_at_any_effect_confirms_the_version_once(moment: Moment) -> None:
    """Whoever takes over arrives at the same end."""
    for at in range(1, EFFECTS_MAX):
        world = await _saved()
        killed = False
        try:
            await world.new_planner(at=at, moment=moment)
            await _pass(world, hours=1)
        except Killed:
            killed = True
        world.bus.forget_duplicates()
        await world.new_planner()
        await world.settle()
        run = await _last(world)
        assert run.backup is not None
        assert (run.state, run.version, run.backup.unchanged) == ("succeeded", None, 1), at
        [version] = await world.versions()
        assert version.unchanged_at == (await world.record()).unchanged_at is not None
        if not killed:
            return
    pytest.fail("a run has more effects than that")


async def _plan(world: World) -> None:
    """Let the planner do all that it can while no worker does anything."""
    while sum([await world.deliver(consumer) for consumer in PLANNER_CONSUMERS]):
        pass


async def _with_prune_under_way(world: World) -> None:
    """Let an rpo come due while something else has its turn."""
    record = await world.record()
    await world.ask(RequestPrune(app=APP, request_id="prune", app_id=record.app_id))
    await _plan(world)
    await world.bus.pass_time(3600)
    await _plan(world)
    pending = [run.trigger.kind for run in await world.runs() if run.state == "pending"]
    assert pending == ["rpo"]
