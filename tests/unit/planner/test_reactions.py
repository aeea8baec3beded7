"""Reactions in effect: each acts once, whatever happens in between."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from appshield.contracts import decode, streams
from appshield.contracts.applications import ApplicationObserved, Keep, Protection
from appshield.contracts.cloud_events import CloudEvent
from appshield.contracts.health import (
    Action,
    BackupAction,
    Health,
    HealthChanged,
    HealthReason,
    HealthStatus,
    NotifyAction,
    PauseAction,
    Reaction,
    RestoreAction,
    SendNotice,
)
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.contracts.requests import RequestApprove, RequestBackup, RequestPause
from appshield.contracts.runs import Run
from planner_world import APP, Killed, World

GONE = HealthReason(object="ConfigMap c", why="gone", named=True, path="manifests/configmap/c.json")
MISSING = "health == 'Missing'"


def reaction(when: str, action: Action, lasts_s: int = 0) -> Reaction:
    return Reaction(digest="d1", when=when, action=action, lasts_s=lasts_s)


def policy(*reactions: Reaction, protections: tuple[Protection, ...] = ()) -> PolicyObserved:
    return PolicyObserved(
        app=policy_place("test", "gold"),
        uid="p-1",
        resource_version="1",
        exists=True,
        generation=1,
        revision="r1",
        match="true",
        protections=protections,
        reactions=reactions,
    )


SEEN = ApplicationObserved(
    app=APP, uid="uid-1", resource_version="1", exists=True, revision="a1", criticality="gold"
)


class Shop:
    """An application with a version and a reaction."""

    def __init__(self, *reactions: Reaction, protections: tuple[Protection, ...] = ()) -> None:
        self.world = World()
        self.policy = policy(*reactions, protections=protections)
        self.change = 0

    async def begin(self) -> World:
        await self.world.new_planner()
        for message in (
            SEEN,
            self.policy,
            RequestBackup(app=APP, request_id="first"),
        ):
            await self.world.bus.publish(message)
            await self.world.settle()
        await self.pass_time(60)
        await self.be("Healthy")
        return self.world

    async def be(
        self,
        status: HealthStatus,
        *reasons: HealthReason,
        deliberate: str = "",
        settle: bool = True,
    ) -> None:
        self.change += 1
        health = Health(
            status=status,
            since=self.world.bus.now,
            reasons=reasons,
            reasons_total=len(reasons),
            deliberate=deliberate,
        )
        fact = HealthChanged(app=APP, uid="uid-1", change=self.change, health=health)
        await self.world.bus.publish(fact)
        if settle:
            await self.world.settle()

    async def pass_time(self, seconds: float) -> None:
        await self.world.bus.pass_time(seconds)
        await self.world.settle()

    async def runs(self, kind: str) -> list[Run]:
        found = [run for run in await self.world.runs() if run.trigger.kind == "reaction"]
        return [run for run in found if run.kind == kind]


async def shop(*reactions: Reaction, protections: tuple[Protection, ...] = ()) -> Shop:
    made = Shop(*reactions, protections=protections)
    await made.begin()
    return made


async def test_an_application_that_becomes_degraded_is_saved() -> None:
    """The version is kept as the reaction says: it is made by a rule of that name."""
    kept = Protection(name="react-d1", trigger="reaction", keep=Keep(last=2))
    made = await shop(reaction("health == 'Degraded'", BackupAction()), protections=(kept,))
    for _ in range(3):
        await made.be("Degraded")
        await made.be("Healthy")
        await made.pass_time(60)
    (run, *_) = await made.runs("backup")
    assert (run.state, run.trigger.name) == ("succeeded", "gold/react-d1")
    assert run.trigger.reason == "health == 'Degraded' holds"
    by_reaction = [
        one for one in await made.world.versions() if one.facts.trigger_name == "gold/react-d1"
    ]
    assert len(by_reaction) == 2


async def test_what_is_missing_comes_back_when_somebody_approves() -> None:
    """Only what is missing, onto what is there, of the last version of a healthy time."""
    made = await shop(reaction(MISSING, RestoreAction(), 120))
    await made.be("Missing", GONE)
    await made.world.bus.publish(RequestBackup(app=APP, request_id="later"))
    await made.pass_time(60)
    assert await made.runs("restore") == []
    await made.pass_time(61)
    (run,) = await made.runs("restore")
    assert run.state == "awaiting-approval"
    assert run.restore is not None
    assert (run.restore.version, run.restore.paths, run.restore.existing) == (1, (GONE.path,), True)
    await made.world.bus.publish(
        RequestApprove(app=APP, request_id="yes", run=run.id, actor="somebody")
    )
    await made.world.settle()
    (run,) = await made.runs("restore")
    assert run.approval is not None
    assert run.state not in ("awaiting-approval", "pending")


async def test_what_the_document_names_comes_back_by_itself_where_that_is_asked() -> None:
    made = await shop(reaction(MISSING, RestoreAction(approved_by_person=False)))
    await made.be("Missing", GONE)
    (run,) = await made.runs("restore")
    assert run.state != "awaiting-approval"


async def test_what_the_document_does_not_name_waits_for_a_person_all_the_same() -> None:
    """Somebody may have deleted it on purpose."""
    made = await shop(reaction(MISSING, RestoreAction(approved_by_person=False)))
    await made.be("Missing", GONE, replace(GONE, named=False))
    (run,) = await made.runs("restore")
    assert run.state == "awaiting-approval"


async def test_a_version_that_somebody_verified_is_not_to_be_had_yet() -> None:
    made = await shop(reaction(MISSING, RestoreAction(choice="last-verified")))
    await made.be("Missing", GONE)
    assert await made.runs("restore") == []
    (state,) = (await made.world.record()).reacted
    assert state.problem == "no version has been verified, so none is restored"


async def test_a_deleted_namespace_brings_nothing_back() -> None:
    made = await shop(reaction(MISSING, RestoreAction(approved_by_person=False), 60))
    await made.be("Missing", GONE)
    await made.pass_time(30)
    await made.be("Missing", GONE, deliberate="namespace shop is being deleted")
    await made.pass_time(3600)
    assert await made.runs("restore") == []


async def test_an_application_whose_object_is_gone_brings_nothing_back() -> None:
    made = await shop(reaction(MISSING, RestoreAction(approved_by_person=False), 60))
    await made.be("Missing", GONE)
    await made.world.bus.publish(replace(SEEN, exists=False, resource_version="9"))
    await made.pass_time(3600)
    assert await made.runs("restore") == []


async def test_people_and_tools_are_told() -> None:
    """By a signal that is a CloudEvent, and an order to send the same to a webhook."""
    made = await shop(reaction("health == 'Degraded'", NotifyAction(signal="late", webhook=True)))
    await made.be("Degraded", replace(GONE, object="Pod p"))
    bus = made.world.bus
    (signal,) = [stored async for stored in bus.read(streams.SIGNALS)]
    event = msgspec.json.decode(signal.body, type=CloudEvent)
    assert signal.subject == "appshield.v1.signal.late"
    assert (event.subject, event.type) == ("shop/shop", "io.appshield.reaction.v1")
    assert event.data.health is not None
    assert event.data.health.reasons[0].object == "Pod p"
    orders = [decode(stored.body) async for stored in bus.read(streams.COMMANDS)]
    (order,) = [order for order in orders if isinstance(order, SendNotice)]
    assert (order.notice, order.policy, order.reaction) == (event.id, "gold", "d1")


async def test_an_application_is_paused_and_goes_on_when_the_time_is_over() -> None:
    made = await shop(reaction("health == 'Degraded'", PauseAction(lasts_s=3600)))
    await made.be("Degraded")
    paused = (await made.world.record()).paused
    assert paused is not None
    assert paused.actor == "policy gold, reaction d1"
    await made.pass_time(3590)
    assert (await made.world.record()).paused is not None
    await made.pass_time(20)
    assert (await made.world.record()).paused is None


async def test_a_pause_by_a_person_is_not_ended() -> None:
    made = await shop(reaction("health == 'Degraded'", PauseAction(lasts_s=60)))
    await made.world.bus.publish(RequestPause(app=APP, request_id="p", actor="me"))
    await made.world.settle()
    await made.be("Degraded")
    await made.pass_time(3600)
    assert (await made.world.record()).paused is not None


async def test_a_policy_that_comes_later_reacts_to_what_is() -> None:
    made = Shop()
    await made.begin()
    await made.be("Degraded")
    later = policy(reaction("health == 'Degraded'", BackupAction()))
    await made.world.bus.publish(replace(later, resource_version="2", generation=2))
    await made.world.settle()
    assert len(await made.runs("backup")) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "action",
    [RestoreAction(approved_by_person=False), BackupAction(), PauseAction(lasts_s=60)],
    ids=["restore", "backup", "pause"],
)
async def test_a_planner_killed_at_any_effect_lets_a_reaction_act_once(
    moment: str, action: Action
) -> None:
    """Redelivered to the next planner, which also finds what the last one wrote."""
    at = 0
    while True:
        at += 1
        made = await shop(reaction("health in ['Degraded', 'Missing']", action, 30))
        await made.world.new_planner(at=at, moment="before" if moment == "before" else "after")
        killed = False
        try:
            await made.be("Missing", GONE)
            await made.pass_time(31)
        except Killed:
            killed = True
            await made.world.new_planner()
            await made.world.settle()
            await made.pass_time(31)
            await made.pass_time(3600)
        expected = 0 if isinstance(action, PauseAction) else 1
        found = [run for run in await made.world.runs() if run.trigger.kind == "reaction"]
        assert len(found) == expected, f"killed {moment} effect {at}"
        (state,) = (await made.world.record()).reacted
        assert (state.done, state.acting, len(state.acted_at)) == (True, False, 1), at
        if not killed:
            break
    assert at > 5


async def test_a_fact_that_comes_twice_is_one_reaction() -> None:
    made = await shop(reaction("health == 'Degraded'", BackupAction()))
    await made.be("Degraded")
    planner = made.world.planner
    assert planner is not None
    record = await made.world.record()
    assert record.health is not None
    fact = HealthChanged(app=APP, uid="uid-1", change=made.change, health=record.health)
    await made.world.bus.publish_raw(fact.subject(), msgspec.json.encode(fact), message_id="again")
    await made.world.settle()
    await made.pass_time(timedelta(days=2).total_seconds())
    assert len(await made.runs("backup")) == 1
