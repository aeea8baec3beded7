"""What a Vault is found to hold becomes the catalog, and nothing that is true is lost by it."""

from datetime import timedelta

from msgspec.structs import replace

from appshield.contracts.applications import ApplicationObserved, ApplicationRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import ApplicationFound, CatalogRebuilt, VersionRecord
from appshield.contracts.identities import application_id
from appshield.contracts.requests import RequestBackup, RequestCatalog
from appshield.contracts.streams import APPLICATIONS
from planner_world import APP, CUT_AT, World

OLD_ID = application_id("test", "uid-of-old")


def version(number: int, *, app_id: str = OLD_ID) -> VersionRecord:
    facts = VersionFacts(
        app=APP,
        app_id=app_id,
        uid="uid-of-old",
        number=number,
        run=f"b-{number}",
        revision="r1",
        consistency="crash-group",
        cut_at=CUT_AT - timedelta(days=1),
        trigger="manual",
    )
    return VersionRecord(
        facts=facts, snapshot_id=f"s-{number}", vault="primary", stored_at=facts.cut_at
    )


def found(*numbers: int) -> ApplicationFound:
    return ApplicationFound(
        app=APP,
        run="c-1",
        step="rebuild",
        attempt=1,
        app_id=OLD_ID,
        uid="uid-of-old",
        vault="primary",
        highest_version=9,
        versions=tuple(version(number) for number in numbers),
        listed_at=CUT_AT,
    )


async def _told(world: World, *findings: ApplicationFound) -> list[int]:
    for finding in findings:
        await world.bus.publish(finding)
        await world.settle()
        world.bus.forget_duplicates()
    return sorted(one.facts.number for one in await world.versions())


async def _world() -> World:
    world = World()
    await world.new_planner()
    return world


async def test_an_empty_catalog_learns_every_version_and_the_highest_number() -> None:
    """The next number is above what was ever given, not above what is still there."""
    world = await _world()
    assert await _told(world, found(1, 4)) == [1, 4]
    record = await world.record()
    assert (record.state, record.last_version, record.highest_version) == ("orphaned", 4, 9)


async def test_a_version_that_was_forgotten_leaves_the_catalog() -> None:
    """The Vault is the truth."""
    world = await _world()
    assert await _told(world, found(1, 2, 4), found(1, 4)) == [1, 4]


async def test_parts_may_come_in_any_order_and_each_speaks_for_its_numbers_only() -> None:
    """What another part tells is not removed by this one."""
    world = await _world()
    await _told(world, found(1, 2, 3, 4, 5))
    low = replace(found(1, 2), last=3)
    high = replace(found(5), first=4)
    assert await _told(world, high, low) == [1, 2, 5]
    assert (await world.record()).last_version == 5


async def test_a_finding_is_not_the_end_of_its_run() -> None:
    """The run goes on until the whole Vault was read."""
    world = await _world()
    await world.ask(RequestCatalog(app=APP, request_id="one", vault="primary"))
    await world.settle()
    [run] = await world.runs()
    await _told(world, replace(found(1), run=run.id))
    assert [run.state for run in await world.runs()] == ["running"]
    rebuilt = CatalogRebuilt(
        app=APP, run=run.id, step="rebuild", attempt=1, applications=1, versions=1
    )
    await world.bus.publish(rebuilt)
    await world.settle()
    assert [run.state for run in await world.runs()] == ["succeeded"]


async def test_what_could_not_be_read_is_not_taken_for_gone() -> None:
    """A damaged repository empties no catalog."""
    world = await _world()
    await _told(world, found(1, 2))
    assert await _told(world, replace(found(), damaged=("it cannot be opened",))) == [1, 2]


async def test_a_version_made_while_the_vault_was_read_stays() -> None:
    """It came after the listing, which therefore says nothing about it."""
    world = await _world()
    await world.observe()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    [record] = [await world.record()]
    late = replace(found(), app_id=record.app_id, uid=record.uid)
    assert await _told(world, replace(late, listed_at=CUT_AT - timedelta(seconds=1))) == [1]
    assert await _told(world, replace(late, listed_at=CUT_AT + timedelta(seconds=1))) == []


async def test_an_object_that_continues_a_history_finds_it_once_that_is_known() -> None:
    """An empty bus sees the object first and learns of the history later."""
    world = await _world()
    seen = ApplicationObserved(
        app=APP, uid="uid-of-new", resource_version="1", exists=True, revision="r1", adopts=OLD_ID
    )
    await world.bus.publish(seen)
    await world.settle()
    await _told(world, found(1, 4))
    bucket = world.bus.bucket(APPLICATIONS, ApplicationRecord)
    states = {entry.value.app_id: entry.value.state async for entry in bucket.items()}
    assert states == {OLD_ID: "active", application_id("test", "uid-of-new"): "orphaned"}
