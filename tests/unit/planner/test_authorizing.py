"""The planner looks itself who asks, whatever the bus has let pass."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from appshield.bus import DeadLetter, DeadLetters
from appshield.contracts import encode, streams
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.message import Request
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestForget,
    RequestPause,
    RequestPin,
    RequestRestore,
)
from appshield.contracts.runs import Failure, Run
from appshield.doors.actions import Role
from appshield.doors.grants import Grant
from planner_world import APP, World

OTHER = AppRef(cluster="test", namespace="bank", name="ledger")
APP_TEXT = msgspec.json.encode(APP)
BUS: dict[str, Any] = {"door": "bus", "actor": "deploy"}
BACKUP = RequestBackup(app=APP, request_id="one", **BUS)


async def _world(role: Role = "operator", *namespaces: str) -> World:
    """Give a world with two applications and a version each, and a user of the bus."""
    world = World()
    await world.observe()
    await world.bus.publish(
        ApplicationObserved(
            app=OTHER, uid="uid-2", resource_version="1", exists=True, revision="r", targets=("p",)
        )
    )
    await world.new_planner()
    for app in (APP, OTHER):
        await world.ask(RequestBackup(app=app, request_id=f"first-{app.name}"))
    await world.settle()
    grant = Grant(
        name="deploy", role=role, cluster="test", namespaces=namespaces or (APP.namespace,)
    )
    await world.bus.bucket(streams.GRANTS, Grant).put("deploy", grant)
    return world


async def _run(world: World, kind: Any, request: Request) -> Run | None:
    entry = await world.bus.bucket(streams.RUNS, Run).get(
        run_id(kind, f"request/{request.request_id}")
    )
    return entry.value if entry else None


async def _parked(world: World) -> list[DeadLetter]:
    return await DeadLetters(world.bus).list()


async def test_a_user_of_the_bus_asks_for_what_its_grant_gives() -> None:
    """The run says who asked."""
    world = await _world()
    await world.ask(BACKUP)
    await world.settle()
    run = await _run(world, "backup", BACKUP)
    assert run is not None
    assert (run.state, run.trigger.actor) == ("succeeded", "deploy")


@pytest.mark.parametrize(
    "said",
    [
        replace(BACKUP, actor="eve"),
        replace(BACKUP, door="local"),
        replace(BACKUP, door="rest", actor="admin"),
        replace(BACKUP, app=OTHER),
        RequestRestore(app=APP, request_id="one", version=1, **BUS),
    ],
)
async def test_a_request_that_says_something_else_than_its_subject_is_parked(said: Request) -> None:
    """What the server has let pass is the subject; nothing else of a request can be believed."""
    world = await _world("admin")
    before = await world.runs()
    await world.bus.publish_raw(BACKUP.subject(), encode(said), message_id="forged")
    await world.settle()
    assert await world.runs() == before
    (letter,) = await _parked(world)
    assert f"has to be published on {said.subject()}" in letter.reason
    observed = world.bus.published(streams.OBSERVATIONS)
    told = [one for one in observed if isinstance(one, AuditEvent) and "has to" in one.reason]
    assert [(one.door, one.actor, one.outcome) for one in told] == [("bus", "deploy", "refused")]


async def test_a_request_of_an_older_release_names_nobody_and_is_parked() -> None:
    """Its body stays readable; its subject says neither door nor actor."""
    world = await _world()
    old = b'{"type":"appshield.v1.request_backup","request_id":"old","app":%s}' % APP_TEXT
    subject = "appshield.v1.cmd.backup.request.test.shop.shop"
    await world.bus.publish_raw(subject, old, message_id="old")
    await world.settle()
    (letter,) = await _parked(world)
    assert "ends in the place, the door and the actor" in letter.reason


async def test_a_right_that_is_missing_is_told_as_the_end_of_the_run() -> None:
    """Who asks sees it where it looks for its run."""
    world = await _world()
    restore = RequestRestore(app=APP, request_id="r", version=1, **BUS)
    await world.ask(restore)
    await world.settle()
    run = await _run(world, "restore", restore)
    assert run is not None
    assert (run.state, run.started_at) == ("failed", None)
    assert "get versions/data in namespace shop" in str(run.failure)
    assert world.workers.planned == []


async def test_who_restores_from_here_may_not_restore_anywhere() -> None:
    """The target stands in the body, where the server does not look."""
    world = await _world("restorer")
    away = RequestRestore(app=APP, request_id="r", version=1, target_namespace="bank", **BUS)
    await world.ask(away)
    await world.settle()
    run = await _run(world, "restore", away)
    assert run is not None
    assert "create restores in namespace bank" in str(run.failure)
    here = replace(away, request_id="s", target_namespace="")
    await world.ask(here)
    await world.settle()
    assert world.workers.planned


async def test_an_own_place_is_no_way_to_what_is_another_application_s() -> None:
    """Runs and histories are named by id; they have to be of the place that was checked."""
    world = await _world("admin")
    bucket = world.bus.bucket(streams.RUNS, Run)
    theirs = run_id("backup", "request/first-ledger")
    entry = await bucket.get(theirs)
    assert entry is not None
    app_id = entry.value.app_id
    running = replace(entry.value, id="b-running", state="running", finished_at=None)
    await bucket.put("b-running", running)
    await world.ask(RequestCancel(app=APP, request_id="c", run="b-running", **BUS))
    await world.ask(RequestApprove(app=APP, request_id="a", run="b-running", **BUS))
    forget = RequestForget(
        app=APP, request_id="f", app_id=app_id, versions=(1,), even_last=True, **BUS
    )
    pin = RequestPin(app=APP, request_id="p", app_id=app_id, version=1, **BUS)
    restore = RequestRestore(app=APP, request_id="r", version=1, app_id=app_id, **BUS)
    for request in (forget, pin, restore):
        await world.ask(request)
    await world.settle()
    after = await bucket.get("b-running")
    assert after is not None
    assert after.value == running
    reasons = sorted(letter.reason for letter in await _parked(world))
    assert reasons == [
        "b-running is no run of shop/shop",
        "shop/shop has no run b-running to approve of",
    ]
    for kind, request in (("forget", forget), ("pin", pin), ("restore", restore)):
        run = await _run(world, kind, request)
        assert run is not None
        assert run.state == "failed"
        assert f"{app_id}" in str(run.failure)
    assert len(await world.versions()) == 2
    assert world.workers.forgotten == set()


async def test_who_approves_of_a_restore_may_restore_where_it_goes() -> None:
    """Else a restore that another user asked for would be approved of by half."""
    world = await _world("restorer")
    asked = RequestRestore(
        app=APP, request_id="r", version=1, target_namespace="bank", needs_approval=True
    )
    await world.ask(asked)
    await world.settle()
    run = await _run(world, "restore", asked)
    assert run is not None
    approval = RequestApprove(app=APP, request_id="a", run=run.id, **BUS)
    await world.ask(approval)
    await world.settle()
    (letter,) = await _parked(world)
    assert "deploy may not approve restores into bank" in letter.reason
    grant = Grant(name="deploy", role="restorer", cluster="test", namespaces=("shop", "bank"))
    await world.bus.bucket(streams.GRANTS, Grant).put("deploy", grant)
    await world.ask(replace(approval, request_id="again"))
    await world.settle()
    run = await _run(world, "restore", asked)
    assert run is not None
    assert run.approval is not None
    assert run.approval.actor == "deploy"


async def test_who_was_removed_asks_for_nothing_any_more() -> None:
    """What was published before, too."""
    world = await _world()
    pause = RequestPause(app=APP, request_id="p", **BUS)
    await world.ask(BACKUP)
    await world.ask(pause)
    await world.bus.bucket(streams.GRANTS, Grant).delete("deploy")
    await world.settle()
    run = await _run(world, "backup", BACKUP)
    assert run is not None
    assert run.state == "failed"
    assert "deploy may ask for nothing in cluster test" in str(run.failure)
    (letter,) = await _parked(world)
    assert "deploy may ask for nothing" in letter.reason
    assert (await world.record()).paused is None


async def test_nobody_takes_the_identity_of_somebody_else_s_request() -> None:
    """Neither to end its run by a refusal, nor to be taken for it."""
    world = await _world("restorer", "shop", "bank")
    theirs = RequestRestore(app=OTHER, request_id="r", version=1, needs_approval=True)
    await world.ask(theirs)
    await world.settle()
    before = await _run(world, "restore", theirs)
    mine = RequestRestore(app=APP, request_id="r", version=1, **BUS)
    await world.bus.publish_raw(mine.subject(), encode(mine), message_id="mine")
    await world.settle()
    assert await _run(world, "restore", theirs) == before
    (letter,) = await _parked(world)
    assert "the request id r is that of somebody else's request" in letter.reason


async def test_other_doors_have_looked_already() -> None:
    """Their services say who asks; no grant is needed."""
    world = await _world("viewer")
    for door in ("local", "rest", "object", "gate"):
        request = replace(BACKUP, request_id=door, door=door, actor="alice@example.com")
        await world.ask(request)
        await world.settle()
        run = await _run(world, "backup", request)
        assert run is not None
        assert (run.state, run.trigger.actor) == ("succeeded", "alice@example.com")


@pytest.mark.parametrize("outcome", ["denied", "refused"])
async def test_what_its_door_does_not_let_pass_is_a_failed_run_and_on_record(outcome: str) -> None:
    """Asked again it stays so; whoever wrote the object is named with it."""
    world = await _world()
    why = Failure(what="ann may not restore this", why="the right to create routes is missing")
    wish = RequestRestore(
        app=APP,
        version=1,
        request_id="restore-u-1",
        door="object",
        actor="ann",
        about="Restore shop/w",
        refusal=why,
        denied=outcome == "denied",
    )
    for _ in range(2):
        await world.ask(wish)
        await world.settle()
    run = await _run(world, "restore", wish)
    assert run is not None
    assert (run.state, run.failure, run.started_at) == ("failed", why, None)
    observed = world.bus.published(streams.OBSERVATIONS)
    told = [one for one in observed if isinstance(one, AuditEvent) and one.object]
    said = {(one.actor, one.object, one.action, one.outcome) for one in told}
    assert said == {("ann", "Restore shop/w", "restore", outcome)}
