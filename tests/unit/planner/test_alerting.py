"""A promise about recovery in the planner: told when it is at risk, broken, and kept again."""

from datetime import timedelta

from appshield.contracts import decode, streams
from appshield.contracts.applications import Protection, RpoChanged
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.errors import RefusedError
from planner_world import APP, PLANNER_CONSUMERS, World

HOURLY = Protection(name="fresh", trigger="rpo", rpo_s=3600)


async def _world(*, failures: int = 0) -> World:
    world = World()
    world.workers.failures[TakeSnapshot] = [RefusedError("no")] * failures
    await world.observe(HOURLY)
    await world.new_planner()
    await world.settle()
    return world


async def _told(world: World) -> list[str]:
    found = [decode(stored.body) async for stored in world.bus.read(streams.OUTCOMES)]
    return [fact.rpo.state for fact in found if isinstance(fact, RpoChanged)]


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
    from msgspec.structs import replace

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
