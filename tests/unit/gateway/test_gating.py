"""The gate over the planner's world: what a try does, and does not do a second time."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

import pytest
from msgspec.structs import replace

from admission_reviews import deployment, review, rollout
from appshield.bus import Bucket, Bus
from appshield.contracts import decode
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.gates import GateOverridden, Hold
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.message import Message
from appshield.contracts.policies import PolicyObserved, PolicyRecord, policy_place
from appshield.contracts.runs import RestoreProgress, Run, Trigger
from appshield.contracts.streams import (
    APPLICATIONS,
    HOLDS,
    OBSERVATIONS,
    PLANNER_FACTS,
    PLANNER_REQUESTS,
    POLICIES,
    RUNS,
)
from appshield.errors import InvalidInputError, UnavailableError
from appshield.gateway.gated import GatedApplications
from appshield.gateway.gating import Gate
from appshield.gateway.reviewing import AdmissionRequest, Answer, read_review
from appshield.planner.policing import Policing
from appshield.planner.turns import Turns
from planner_world import APP, BusClock, World
from waiting import wait_until

RULE = Protection(name="before-change", trigger="gate", before=("rollout", "delete"))
OURSELVES = "system:appshield"
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "space"}}


class Cluster:
    """What the gate may ask the API server."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.there = True

    async def own_user(self) -> str | None:
        """Say who we are."""
        return OURSELVES

    async def is_there(self, _: AdmissionRequest) -> bool:
        """Say whether the object is there."""
        return self.there

    async def states_in(self, _: str) -> Mapping[str, str]:
        """Say what stands in the namespace."""
        return self.states


def records_on(bus: Bus) -> Bucket[ApplicationRecord]:
    """Return what is known of applications."""
    return bus.bucket(APPLICATIONS, ApplicationRecord)


def gated_on(bus: Bus) -> GatedApplications:
    """Build what follows records and policies."""
    return GatedApplications(records_on(bus), bus.bucket(POLICIES, PolicyRecord), "test")


class Gatehouse:
    """A gate in front of the planner's world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cluster = Cluster()
        self.gated = gated_on(world.bus)
        self._numbers = count(1)
        self.gate = self.gate_over(world.bus)

    def gate_over(self, bus: Bus) -> Gate:
        """Build a gate; all of them share what is known."""
        return Gate(
            bus=bus,
            gated=self.gated,
            standing=self.cluster,
            cluster="test",
            clock=BusClock(self.world.bus),
            mint=lambda: f"try-{next(self._numbers)}",
        )

    async def knows(self) -> None:
        """Take in what the registry says now."""
        gated = self.gated = gated_on(self.world.bus)
        self.gate = self.gate_over(self.world.bus)
        stopping = asyncio.Event()
        following = asyncio.create_task(gated.keep(stopping))
        await wait_until(lambda: gated.complete, deadline_s=5, what="the registry known")
        stopping.set()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    async def sees_a_policy(self) -> bool:
        """Say whether a policy is in force."""
        bucket = self.world.bus.bucket(POLICIES, PolicyRecord)
        known = [entry.value async for entry in bucket.items()]
        return any(policy.in_force_since is not None for policy in known)

    async def asks(self, body: bytes, gate: Gate | None = None) -> Answer:
        """Let the API server ask."""
        return await (gate or self.gate).answer(read_review(body))


@pytest.fixture
async def house() -> Gatehouse:
    """An application with a gate, which has no version yet."""
    world = World()
    await world.observe(RULE)
    await world.new_planner()
    await world.settle()
    house = Gatehouse(world)
    await house.knows()
    return house


async def test_a_try_begins_one_run_and_later_tries_find_it(house: Gatehouse) -> None:
    """However often it is tried before the planner gets to it, and whatever it shall become."""
    for colour in ("blue", "green", "blue"):
        answer = await house.asks(rollout(colour))
        assert not answer.allowed
        assert run_id("backup", "request/try-1") in answer.why
    await house.world.settle()
    [run] = await house.world.runs()
    assert (run.trigger.kind, run.trigger.name) == ("gate", "before-change")
    assert (await house.asks(rollout())).allowed


async def test_two_tries_at_one_moment_begin_one_run(house: Gatehouse) -> None:
    """Also at two gateways."""
    other = house.gate_over(house.world.bus)
    first, second = await asyncio.gather(house.asks(rollout()), house.asks(rollout(), other))
    assert first.why == second.why
    await house.world.settle()
    assert len(await house.world.runs()) == 1


async def test_a_request_that_was_lost_is_made_by_the_next_try(
    house: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold was written before: the run is the one that it names."""
    with monkeypatch.context() as losing:
        losing.setattr(house.world.bus, "publish", _lost)
        with pytest.raises(UnavailableError):
            await house.asks(rollout())
    assert not (await house.asks(rollout())).allowed
    await house.world.settle()
    assert [run.id for run in await house.world.runs()] == [run_id("backup", "request/try-1")]


async def test_a_run_that_folds_into_another_passes_by_that_one(house: Gatehouse) -> None:
    """Two objects wait for one version."""
    other = deployment(name="api", uid="another")
    assert not (await house.asks(rollout())).allowed
    assert not (await house.asks(review("DELETE", other))).allowed
    third = deployment(name="job", uid="third")
    assert not (await house.asks(review("DELETE", third))).allowed
    await house.world.settle()
    states = {run.state for run in await house.world.runs()}
    assert "folded" in states
    for body in (rollout(), review("DELETE", other), review("DELETE", third)):
        assert (await house.asks(body)).allowed


async def test_a_dry_run_and_an_object_that_is_not_there_begin_nothing(house: Gatehouse) -> None:
    """Nobody makes versions by asking our port."""
    assert not (await house.asks(rollout(dryRun=True))).allowed
    house.cluster.there = False
    with pytest.raises(InvalidInputError, match="knows no such Deployment web"):
        await house.asks(rollout())
    await house.world.settle()
    assert await house.world.runs() == []
    assert await house.world.bus.bucket(HOLDS, Hold).keys() == []


async def test_nothing_is_decided_before_the_applications_are_known(house: Gatehouse) -> None:
    """An empty registry lets nothing pass."""
    house.gated = gated_on(house.world.bus)
    with pytest.raises(UnavailableError, match="does not know"):
        await house.asks(rollout(), house.gate_over(house.world.bus))


async def test_what_is_elsewhere_or_no_operation_goes_on(house: Gatehouse) -> None:
    """No hold, no run."""
    elsewhere = deployment(namespace="other")
    assert (await house.asks(review("DELETE", elsewhere))).allowed
    assert (await house.asks(review("UPDATE", deployment(), deployment(replicas=3)))).allowed
    assert await house.world.bus.bucket(HOLDS, Hold).keys() == []


async def test_a_broken_glass_is_told_once_for_each_admission(house: Gatehouse) -> None:
    """With who, what and why; a repeated question of the API server is the same fact."""
    broken = deployment(annotations={"appshield.io/break-glass": "incident 17"})
    for _ in range(2):
        answer = await house.asks(review("DELETE", broken, user="ben"))
        assert answer.allowed
        assert "incident 17" in answer.warning
    told = [decode(stored.body) async for stored in house.world.bus.read(OBSERVATIONS)]
    assert len(told) == 1
    assert isinstance(told[0], GateOverridden)
    assert (told[0].actor, told[0].about) == ("ben", "Deployment web")
    assert told[0].app == (await house.world.record()).app


async def test_a_glass_that_is_broken_before_the_applications_are_known_is_on_record(
    house: Gatehouse,
) -> None:
    """Under the namespace alone: nobody who breaks it waits for the gate to know more."""
    house.gated = gated_on(house.world.bus)
    broken = deployment(annotations={"appshield.io/break-glass": "incident 17"})
    gate = house.gate_over(house.world.bus)
    assert (await house.asks(review("DELETE", broken, user="ben"), gate)).allowed
    [told] = [decode(stored.body) async for stored in house.world.bus.read(OBSERVATIONS)]
    assert (told.app.namespace, told.app.name) == ("shop", "")


async def test_who_only_finds_our_port_puts_nothing_on_record(house: Gatehouse) -> None:
    """An object that the API server does not have is nobody's broken glass."""
    broken = deployment(annotations={"appshield.io/break-glass": "made up"})
    house.cluster.there = False
    with pytest.raises(InvalidInputError, match="knows no such"):
        await house.asks(review("DELETE", broken, user="anna"))
    assert [stored async for stored in house.world.bus.read(OBSERVATIONS)] == []


async def test_a_broken_glass_does_not_wait_for_an_api_server_that_is_away(
    house: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is for when nothing else works, and is on record all the same."""

    async def away(_: object) -> bool:
        raise UnavailableError("the API server is away")

    monkeypatch.setattr(house.cluster, "is_there", away)
    broken = deployment(annotations={"appshield.io/break-glass": "incident 17"})
    assert (await house.asks(review("DELETE", broken, user="ben"))).allowed
    assert len([stored async for stored in house.world.bus.read(OBSERVATIONS)]) == 1


async def test_our_own_restore_passes_where_it_restores_and_nowhere_else(house: Gatehouse) -> None:
    """By our user, while the run is active; a person does not pass by it."""
    assert not (await house.asks(rollout(user=OURSELVES))).allowed
    record = await house.world.record()
    run = Run(
        id="r-1",
        kind="restore",
        app=APP,
        app_id=record.app_id,
        vault="primary",
        trigger=Trigger(kind="manual", identity="request/restore"),
        state="running",
        epoch=1,
        requested_at=datetime.now(UTC),
        restore=RestoreProgress(version=1, snapshot_id="s", target_namespace="shop"),
    )
    await house.world.bus.bucket(RUNS, Run).put("r-1", run)
    restoring = replace(record, active_run="r-1")
    await records_on(house.world.bus).put(record.app_id, restoring)
    await house.knows()
    assert (await house.asks(rollout(user=OURSELVES))).allowed
    assert not (await house.asks(rollout(user="anna"))).allowed


async def test_a_namespace_goes_when_all_in_it_is_in_the_version(house: Gatehouse) -> None:
    """What changed after the cut is saved once more."""
    house.cluster.states = {"Deployment/web": "one"}
    body = review("DELETE", SPACE)
    house.world.workers.states = {"Deployment/web": "one"}
    assert not (await house.asks(body)).allowed
    await house.world.settle()
    assert (await house.asks(body)).allowed
    house.cluster.states = {"Deployment/web": "two"}
    assert not (await house.asks(body)).allowed


async def _lost(_: Message) -> None:
    raise UnavailableError("the bus is gone")


async def test_a_gate_of_a_policy_holds_while_the_record_of_its_application_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From when the policy is in force, also at a gateway that starts then; its run is made."""
    world, go_on = World(), asyncio.Event()
    await world.observe()
    await world.new_planner()
    await world.settle()
    follow = Policing._take_turns

    async def wait(self: Policing, turns: Turns, apps: list[AppRef]) -> None:
        await go_on.wait()
        await follow(self, turns, apps)

    monkeypatch.setattr(Policing, "_take_turns", wait)
    policy = PolicyObserved(
        app=policy_place("test", "guard"),
        uid="p-1",
        resource_version="1",
        exists=True,
        generation=1,
        revision="r1",
        match="app.namespace == 'shop'",
        protections=(RULE,),
    )
    await world.bus.publish(policy)
    taking_in = asyncio.create_task(world.deliver(PLANNER_FACTS))
    house = Gatehouse(world)
    await wait_until(house.sees_a_policy, deadline_s=30, what="the policy in force")
    await house.knows()
    assert (await world.record()).protections == ()
    assert not (await house.asks(rollout())).allowed
    await world.deliver(PLANNER_REQUESTS)
    [run] = await world.runs()
    assert (run.trigger.kind, run.trigger.name) == ("gate", "guard/before-change")
    go_on.set()
    await taking_in
    await world.settle()
    assert (await house.asks(rollout())).allowed
