"""A promise about recovery in the planner: told when it is at risk, broken, and kept again."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts import decode, streams
from appshield.contracts.applications import Protection, RpoChanged, RtoChanged
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.health import NotifyAction, Reaction
from appshield.contracts.message import Message
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.contracts.requests import RequestBackup, RequestCancel, RequestRestore
from appshield.errors import RefusedError
from planner_world import APP, PLANNER_CONSUMERS, World

GIB = 1 << 30
HOURLY = Protection(name="fresh", trigger="rpo", rpo_s=3600)


async def _world(*, failures: int = 0) -> World:
    world = World()
    world.workers.failures[TakeSnapshot] = [RefusedError("no")] * failures
    await world.observe(HOURLY)
    await world.new_planner()
    await world.settle()
    return world


async def _facts(world: World) -> list[Message]:
    return [decode(stored.body) async for stored in world.bus.read(streams.OUTCOMES)]


async def _told(world: World) -> list[str]:
    return [fact.rpo.state for fact in await _facts(world) if isinstance(fact, RpoChanged)]


async def _told_of_restores(world: World) -> list[str]:
    return [fact.rto.state for fact in await _facts(world) if isinstance(fact, RtoChanged)]


async def _pass(world: World, minutes: int) -> None:
    """Let minutes pass, ten at a time, under a planner that has just taken over."""
    await world.new_planner()  # its lease is of real time
    for _ in range(minutes // 10):
        await world.bus.pass_time(600)
        await world.settle()


async def test_a_promise_that_is_broken_is_told_once() -> None:
    """Backups fail: the alert stays until there is a version again."""
    world = await _world(failures=1000)
    await _pass(world, 80)
    assert await _told(world) == ["broken"]
    record = await world.record()
    assert record.rpo is not None
    assert (record.rpo.state, record.rpo.version) == ("broken", 0)

    world.workers.failures.clear()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    assert await _told(world) == ["broken", "kept"]


async def test_an_alert_comes_before_the_promise_is_broken() -> None:
    """By as long as the last backup took."""
    world = await _world()
    record = await world.record()
    bucket = world.bus.bucket(streams.APPLICATIONS, type(record))
    await bucket.put(record.app_id, replace(record, expected_backup_s=600))
    world.workers.failures[TakeSnapshot] = [RefusedError("no")] * 1000
    await _pass(world, 60)
    assert await _told(world) == ["at-risk", "broken"]


async def test_a_new_planner_and_messages_that_come_again_tell_nothing_twice() -> None:
    """The record and the timers know how far it is."""
    world = await _world(failures=1000)
    await _pass(world, 70)
    assert world.planner is not None
    world.bus.forget_duplicates()
    for consumer in PLANNER_CONSUMERS:
        await world.bus.redeliver(consumer, world.planner.handle)
    await world.new_planner()
    await world.settle()
    before = (await world.record()).rpo
    await _pass(world, 10)
    assert (await world.record()).rpo == before
    assert (await _told(world))[-1] == "broken"


async def test_a_promise_that_is_taken_back_is_not_watched_any_more() -> None:
    """The document says nothing about an age any more."""
    world = await _world(failures=1000)
    await world.observe(resource_version="2")
    await world.settle()
    await _pass(world, 70)
    assert (await world.record()).rpo is None
    assert await _told(world) == []


async def test_how_long_a_restore_took_is_measured() -> None:
    """Of the last one that succeeded; a dry run measures nothing."""
    world = await _world()
    await world.ask(RequestRestore(app=APP, request_id="dry", version=1, dry_run=True))
    await world.settle()
    assert (await world.record()).last_restore is None
    await world.ask(RequestRestore(app=APP, request_id="real", version=1))
    await world.settle()
    measured = (await world.record()).last_restore
    assert measured is not None
    assert (measured.version, measured.took_s) == (1, 0)


async def _with_promise(*, rto_s: int = 120, reactions: tuple[Reaction, ...] = ()) -> World:
    """An application with a version, of which a policy promises how long a restore takes."""
    world = World()
    await world.observe()
    await world.new_planner()
    for message in (_policy(rto_s, reactions), RequestBackup(app=APP, request_id="first")):
        await world.bus.publish(message)
        await world.settle()
    return world


def _policy(rto_s: int, reactions: tuple[Reaction, ...] = ()) -> PolicyObserved:
    return PolicyObserved(
        app=policy_place("test", "gold"),
        uid="p-1",
        resource_version=str(rto_s),
        exists=True,
        revision=f"r{rto_s}",
        match="true",
        reactions=reactions,
        rto_alert_s=rto_s,
    )


async def _begin_restore(world: World, name: str) -> str:
    """Let a restore begin, whose worker says nothing yet; return the run."""
    await world.ask(RequestRestore(app=APP, request_id=name, version=1))
    await _let_the_planner(world)
    return (await world.record()).active_run


async def _let_pass(world: World, seconds: int) -> None:
    """Let time pass in which no worker says anything."""
    for _ in range(seconds // 10):
        await world.bus.pass_time(10)
        await _let_the_planner(world)


async def _let_the_planner(world: World) -> None:
    for _ in range(3):
        for consumer in PLANNER_CONSUMERS:
            await world.deliver(consumer)


async def test_a_restore_that_takes_too_long_is_told_before_it_ends_and_when_one_is_in_time() -> (
    None
):
    """The promise counts also for the first restore, of which nothing is expected."""
    world = await _with_promise()
    assert (await world.record()).rto is not None
    assert await _told_of_restores(world) == []
    run = await _begin_restore(world, "slow")
    await _let_pass(world, 130)
    rto = (await world.record()).rto
    assert rto is not None
    assert (rto.state, rto.run) == ("broken", run)
    assert await _told_of_restores(world) == ["broken"]
    await world.settle()
    assert await _told_of_restores(world) == ["broken"]
    await _begin_restore(world, "fast")
    await world.settle()
    assert await _told_of_restores(world) == ["broken", "kept"]


async def test_a_restore_that_was_late_and_is_cancelled_proves_nothing() -> None:
    """What was known before counts again."""
    world = await _with_promise()
    run = await _begin_restore(world, "slow")
    await _let_pass(world, 130)
    await world.ask(RequestCancel(app=APP, request_id="enough", run=run))
    await world.settle()
    assert await _told_of_restores(world) == ["broken", "unproved"]


async def test_data_that_has_grown_puts_the_promise_about_a_restore_at_risk() -> None:
    """After the backup that holds it: nobody has to restore it to hear of that."""
    world = await _with_promise(rto_s=600)
    await _begin_restore(world, "first")
    await world.settle()
    record = await world.record()
    assert record.last_restore is not None
    grown = replace(record.last_restore, took_s=500, loading_s=400, content_bytes=GIB)
    await world.bus.bucket(streams.APPLICATIONS, type(record)).put(
        record.app_id, replace(record, last_restore=grown)
    )
    await world.new_planner()
    world.workers.volume_bytes = 2 * GIB
    await world.ask(RequestBackup(app=APP, request_id="grown"))
    await world.settle()
    rto = (await world.record()).rto
    assert rto is not None
    assert (rto.state, rto.version) == ("at-risk", 2)
    assert rto.expected_s == pytest.approx(900, rel=0.01)
    assert await _told_of_restores(world) == ["kept", "at-risk"]
    await world.bus.publish(_policy(1200))
    await world.settle()
    assert await _told_of_restores(world) == ["kept", "at-risk", "kept"]


async def test_reactions_hear_of_promises_that_are_late() -> None:
    """As of the newest version: by the moment that the promise itself is late."""
    late = Reaction(
        digest="d1", policy="gold", when="rto.state == 'broken'", action=NotifyAction(signal="late")
    )
    world = await _with_promise(reactions=(late,))
    await _begin_restore(world, "slow")
    await _let_pass(world, 110)
    assert [stored async for stored in world.bus.read(streams.SIGNALS)] == []
    await _let_pass(world, 20)
    assert len([stored async for stored in world.bus.read(streams.SIGNALS)]) == 1


async def test_the_planner_gives_what_there_is_to_measure() -> None:
    """Ages and promises, by application."""
    world = await _world()
    world.bus.now += timedelta(seconds=90)
    assert world.planner is not None
    found = {gauge.name: gauge.samples for gauge in world.planner.gauges()}
    [age] = found["appshield_recovery_point_age_seconds"]
    assert (age.labels["application"], age.value) == ("shop", 90)
    assert [one.value for one in found["appshield_recovery_point_promised_seconds"]] == [3600]
    assert [one.value for one in found["appshield_recovery_point_late"]] == [0]


async def test_the_planner_gives_how_long_restores_take_to_measure() -> None:
    """What is promised, whether that is proved, and how late it is."""
    world = await _with_promise()
    assert world.planner is not None
    found = {gauge.name: gauge.samples for gauge in world.planner.gauges()}
    assert [one.value for one in found["appshield_restore_promised_seconds"]] == [120]
    assert [one.value for one in found["appshield_restore_unproved"]] == [1]
    await _begin_restore(world, "slow")
    await _let_pass(world, 130)
    found = {gauge.name: gauge.samples for gauge in world.planner.gauges()}
    assert [one.value for one in found["appshield_restore_late"]] == [2]
    assert [one.value for one in found["appshield_restore_expected_seconds"]] == [120]
