"""A paused application: nothing begins by itself, everything that is asked for does."""

from datetime import timedelta

from msgspec.structs import replace

from appshield.contracts import decode, streams
from appshield.contracts.applications import Keep, Pause, PauseChanged, Protection
from appshield.contracts.requests import RequestBackup, RequestPause
from planner_world import APP, World

OFTEN = Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=1))


async def _paused() -> World:
    world = World()
    await world.observe(OFTEN)
    await world.new_planner()
    await world.settle()
    await _pause(world, "p1")
    return world


async def _pause(world: World, identity: str, *, paused: bool = True) -> None:
    await world.ask(
        RequestPause(app=APP, request_id=identity, paused=paused, actor="eve", reason="a move")
    )
    await world.settle()


async def _minute(world: World) -> None:
    await world.bus.pass_time(60)
    await world.settle()


async def test_a_pause_says_who_why_and_since_when() -> None:
    """The record keeps it, and a fact tells it."""
    world = await _paused()
    expected = Pause(at=world.bus.now, actor="eve", reason="a move")
    assert (await world.record()).paused == expected
    assert [fact.paused for fact in await _facts(world)] == [True]


async def test_no_schedule_acts_while_an_application_is_paused_and_it_does_afterwards() -> None:
    """What fell into the pause is not made up for."""
    world = await _paused()
    for _ in range(3):
        await _minute(world)
    assert await world.runs() == []
    await _pause(world, "p2", paused=False)
    assert await world.runs() == []
    await _minute(world)
    assert [run.trigger.name for run in await world.runs()] == ["often"]


async def test_what_is_asked_for_is_done_while_an_application_is_paused() -> None:
    """A person's wish is no trigger."""
    world = await _paused()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    assert [version.facts.number for version in await world.versions()] == [1]


async def test_no_version_expires_while_an_application_is_paused() -> None:
    """Whoever looks into what went wrong finds all there was; the day's check is made."""
    world = World()
    await world.observe(replace(OFTEN, keep=None))
    await world.new_planner()
    for _ in range(3):
        await _minute(world)
    await _pause(world, "p1")
    await world.observe(OFTEN, resource_version="2")
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    assert world.workers.forgotten == set()
    assert world.workers.done["CheckRepository"] == 1

    await _pause(world, "p2", paused=False)
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    assert world.workers.forgotten >= {1}


async def test_pausing_again_changes_nothing() -> None:
    """The first reason and the first moment stay."""
    world = await _paused()
    before = await world.record()
    world.bus.now += timedelta(hours=1)
    await _pause(world, "p2")
    assert await world.record() == before
    assert len(await _facts(world)) == 1


async def test_a_new_planner_knows_of_the_pause() -> None:
    """It is in the record, not in a planner's memory."""
    world = await _paused()
    await world.new_planner()
    await _minute(world)
    assert await world.runs() == []


async def test_pausing_an_unknown_application_is_parked_with_the_reason() -> None:
    """A person finds it among the dead letters."""
    world = World()
    await world.new_planner()
    await _pause(world, "p1")
    [letter] = [stored async for stored in world.bus.read(streams.DEAD)]
    assert "shop/shop is unknown" in " ".join(letter.headers.values())


async def _facts(world: World) -> list[PauseChanged]:
    found = [decode(stored.body) async for stored in world.bus.read(streams.OUTCOMES)]
    return [fact for fact in found if isinstance(fact, PauseChanged)]
