"""What the planner tells the audit: every wish with its outcome, and how every run ended."""

from typing import Any

from msgspec.structs import replace

from appshield.bus import DeadLetters
from appshield.contracts import encode, streams
from appshield.contracts.audit import AuditEvent
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestPause,
    RequestRestore,
)
from appshield.contracts.runs import Failure
from appshield.planner import deciding, witnessing
from appshield.planner.minting import asked, new_run
from planner_world import APP, CUT_AT, World

SECRET = "hunter2-in-the-output-of-a-hook"


async def told(world: World) -> list[AuditEvent]:
    """List what the planner has told."""
    return [one for one in world.bus.published(streams.OBSERVATIONS) if isinstance(one, AuditEvent)]


async def world_with(*requests: Any) -> World:
    """Let a planner handle requests about an application to the end."""
    world = World()
    await world.new_planner()
    await world.observe()
    await world.settle()
    for request in requests:
        await world.ask(request)
        await world.settle()
    return world


def outcomes(events: list[AuditEvent]) -> list[tuple[str, str, str]]:
    return [(event.action, event.outcome, event.actor) for event in events]


async def test_a_wish_over_the_bus_is_told_with_its_run_and_how_that_ended() -> None:
    """Whichever tool asked, and without its help."""
    world = await world_with(
        RequestBackup(app=APP, request_id="r1", actor="anna", reason="before the move")
    )
    wish, end = [one for one in await told(world) if one.actor == "anna"]
    assert (wish.action, wish.outcome, wish.door, wish.cause) == (
        "backup",
        "admitted",
        "local",
        "before the move",
    )
    assert (end.action, end.outcome, end.versions, end.door) == (
        "backup",
        "succeeded",
        (1,),
        "local",
    )
    assert wish.run == end.run
    assert wish.request_id == end.request_id == "r1"


async def test_a_wish_that_is_refused_is_told_once_with_the_reason() -> None:
    """By the planner's words; its run tells nothing more."""
    world = await world_with(RequestRestore(app=APP, request_id="r1", actor="eve", version=9))
    (refused,) = [one for one in await told(world) if one.actor == "eve"]
    assert (refused.action, refused.outcome, refused.versions) == ("restore", "refused", (9,))
    assert "no version 9" in refused.reason


async def test_a_wish_that_is_rejected_is_told() -> None:
    """Also where nothing becomes of it but a dead letter."""
    world = await world_with(
        RequestApprove(app=APP, request_id="r1", actor="eve", run="b-none"),
        RequestCancel(app=APP, request_id="r2", actor="eve", run="b-none"),
        RequestPause(app=replace(APP, name="other"), request_id="r3", actor="eve"),
    )
    events = [one for one in await told(world) if one.actor == "eve"]
    assert outcomes(events) == [
        ("approve", "refused", "eve"),
        ("cancel", "refused", "eve"),
        ("pause", "refused", "eve"),
    ]
    assert events[0].run == "b-none"


async def test_a_wish_that_is_sent_again_by_its_operator_is_told_again() -> None:
    """It was refused and parked, and is in force now."""
    world = World()
    await world.new_planner()
    await world.ask(RequestPause(app=APP, request_id="r1", actor="anna"))
    await world.settle()
    (letter,) = await DeadLetters(world.bus).list()
    await world.observe()
    await world.settle()
    world.bus.forget_duplicates()
    await DeadLetters(world.bus).replay(letter.sequence)
    await world.settle()
    events = [one for one in await told(world) if one.actor == "anna"]
    assert outcomes(events) == [("pause", "refused", "anna"), ("pause", "admitted", "anna")]
    assert events[0].id != events[1].id  # else the audit would take the second for the first


async def test_pausing_is_told_and_so_is_resuming() -> None:
    """Each under its own name."""
    world = await world_with(
        RequestPause(app=APP, request_id="r1", actor="anna", reason="the move"),
        RequestPause(app=APP, request_id="r2", actor="anna", paused=False),
    )
    assert outcomes(await told(world)) == [
        ("pause", "admitted", "anna"),
        ("resume", "admitted", "anna"),
    ]


async def test_a_wish_behind_the_id_of_another_is_told_all_the_same() -> None:
    """Its content is a part of what names it."""
    pause = RequestPause(app=APP, request_id="r1", actor="anna")
    world = await world_with(pause)
    world.bus.forget_duplicates()
    await world.ask(replace(pause, actor="eve", paused=False))
    await world.settle()
    assert outcomes(await told(world)) == [
        ("pause", "admitted", "anna"),
        ("resume", "admitted", "eve"),
    ]


async def test_a_wish_that_comes_again_is_told_under_the_same_identity() -> None:
    """A planner that died after telling and before acknowledging tells it once more."""
    request = RequestBackup(app=APP, request_id="r1", actor="anna")
    world = await world_with(request)
    world.bus.forget_duplicates()
    assert world.planner is not None
    await world.bus.redeliver(streams.PLANNER_REQUESTS, world.planner.handle)
    first, _, again = [one for one in await told(world) if one.actor == "anna"]
    assert first.id == again.id


def test_what_an_application_said_is_not_told() -> None:
    """Why something failed may quote anything, so it stays in the run; so does all content."""
    trigger = asked(RequestBackup(app=APP, request_id="r1", actor="anna"), CUT_AT)
    begun = replace(new_run("backup", APP, trigger, CUT_AT), state="running", started_at=CUT_AT)
    failure = Failure(what="the hook of db failed", why=f"it said: {SECRET}", next_step=SECRET)
    failed = replace(begun, state="failed", failure=failure, finished_at=CUT_AT)
    event = witnessing.ended(failed)
    assert event is not None
    assert (event.outcome, event.reason) == ("failed", "the hook of db failed")
    assert SECRET.encode() not in encode(event)


def test_what_appshield_did_by_itself_names_what_it_acted_on() -> None:
    """A schedule, a reaction, upkeep: nobody asked, and the audit says why it was done."""
    trigger = replace(
        asked(RequestBackup(app=APP, request_id="r1"), CUT_AT),
        kind="schedule",
        name="nightly",
        identity="schedule/x",
        door=None,
    )
    done = replace(
        new_run("backup", APP, trigger, CUT_AT),
        state="succeeded",
        started_at=CUT_AT,
        finished_at=CUT_AT,
    )
    event = witnessing.ended(done)
    assert event is not None
    assert (event.door, event.cause, event.actor) == ("appshield", "schedule nightly", "")
    by_policy = replace(done, trigger=replace(trigger, kind="reaction"))
    told_of = witnessing.ended(by_policy)
    assert told_of is not None
    assert told_of.door == "policy"


def test_a_run_that_a_reaction_wanted_and_that_was_refused_is_told() -> None:
    """Nobody asked for it, so no wish tells it."""
    trigger = replace(
        asked(RequestBackup(app=APP, request_id="x"), CUT_AT),
        kind="reaction",
        identity="reaction/x",
    )
    pending = new_run("restore", APP, trigger, CUT_AT)
    refused = deciding.refuse(pending, Failure(what="no such version"), now=CUT_AT)
    event = witnessing.ended(refused)
    assert event is not None
    assert event.outcome == "refused"


def test_texts_of_others_become_one_short_line() -> None:
    """Whatever an actor calls itself."""
    assert witnessing.plain("a\nb\x1b[31m") == "a b [31m"
    assert len(witnessing.plain("x" * 10_000)) == witnessing.TEXT_MAX
