"""A policy is in force before the records of the applications that it concerns say so."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.application.rules_in_force import RulesInForce
from appshield.contracts import streams, subjects
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, Protection
from appshield.contracts.identities import AppRef, application_id
from appshield.contracts.policies import PolicyObserved, PolicyRecord, policy_place
from appshield.contracts.streams import APPLICATIONS
from appshield.planner import policing
from appshield.planner.turns import Turns
from planner_world import APP, Killed, World

HOURLY = Protection(name="hourly", trigger="schedule", schedule="0 * * * *")
NIGHTLY = Protection(name="nightly", trigger="schedule", schedule="30 2 * * *")
DEPLOYED = Protection(name="deployed", trigger="signal", signal="deployed")
SEEN = ApplicationObserved(app=APP, uid="uid-1", resource_version="1", exists=True, revision="a1")
OTHER = replace(SEEN, app=AppRef(cluster="test", namespace="shop", name="other"), uid="uid-2")


def policy(number: int, rule: Protection) -> PolicyObserved:
    return PolicyObserved(
        app=policy_place("test", "all"),
        uid="p-1",
        resource_version=str(number),
        exists=True,
        generation=number,
        revision=f"r{number}",
        match="app.namespace == 'shop'",
        protections=(rule,),
    )


async def world_with(*facts: PolicyObserved | ApplicationObserved) -> World:
    world = World()
    await world.new_planner()
    for fact in facts:
        await world.bus.publish(fact)
        await world.settle()
    return world


async def policy_record(world: World) -> PolicyRecord:
    bucket = world.bus.bucket(streams.POLICIES, PolicyRecord)
    return await anext(entry.value async for entry in bucket.items())


async def rules(world: World) -> dict[str, list[str]]:
    bucket = world.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
    records = [entry.value async for entry in bucket.items()]
    return {record.app.name: [rule.name for rule in record.protections] for record in records}


async def until_at_rest() -> None:
    """Let everything go on that waits for nothing but its turn in the loop."""
    for _ in range(100):
        await asyncio.sleep(0)


class Held:
    """Lets a planner's next effect wait that comes once the policy is in force, until let go."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = asyncio.Event()
        self._world = world
        self._holds = True
        self._effect = world.mortal.effect
        monkeypatch.setattr(world.mortal, "effect", self._wait)
        monkeypatch.setattr(policing, "_AT_ONCE", 1)

    async def _wait(self, do: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        record = await policy_record(self._world)
        if self._holds and record.in_force_since is not None and record.generation == 2:
            self._holds = False
            await self.go_on.wait()
        return await self._effect(do, *given, **named)


async def test_what_is_decided_after_a_policy_came_in_force_is_decided_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The timer of its old rule fires for an application whose record still has that rule."""
    world = await world_with(SEEN, OTHER, policy(1, HOURLY))
    held = Held(world, monkeypatch)
    await world.bus.publish(policy(2, NIGHTLY))
    taking_in = asyncio.create_task(world.deliver(streams.PLANNER_FACTS))
    await until_at_rest()
    told = await policy_record(world)
    assert (told.generation, told.in_force_since, told.settled) == (2, world.bus.now, False)
    assert await rules(world) == {"shop": ["all/hourly"], "other": ["all/hourly"]}
    await world.bus.cancel_timer(f"schedule.{application_id('test', SEEN.uid)}.all/hourly")
    await world.bus.pass_time(timedelta(hours=1).total_seconds())
    assert await world.deliver(streams.PLANNER_TIMERS) > 0
    assert (await rules(world))["other"] == ["all/nightly"]
    held.go_on.set()
    await taking_in
    await world.settle()
    assert await rules(world) == {"shop": ["all/nightly"], "other": ["all/nightly"]}
    assert (await policy_record(world)).settled
    assert await world.runs() == []


async def test_a_signal_finds_the_rules_of_a_policy_that_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await world_with(SEEN, OTHER, policy(1, HOURLY))
    held = Held(world, monkeypatch)
    await world.bus.publish(policy(2, DEPLOYED))
    taking_in = asyncio.create_task(world.deliver(streams.PLANNER_FACTS))
    await until_at_rest()
    assert (await policy_record(world)).in_force_since is not None
    await world.bus.publish_raw(subjects.signal("deployed"), b"{}", message_id="1")
    hearing = asyncio.create_task(world.deliver(streams.PLANNER_SIGNALS))
    await until_at_rest()
    held.go_on.set()
    await asyncio.gather(taking_in, hearing)
    assert {run.trigger.name for run in await world.runs()} == {"all/deployed"}
    assert {run.app.name for run in await world.runs()} == {"shop", "other"}


async def test_no_moment_is_lost_of_a_policy_that_is_in_force() -> None:
    """The planner ends when it has said so, and the next one begins after the moment."""
    for effect in range(1, 10):
        world = await world_with(SEEN, policy(1, NIGHTLY))
        await world.new_planner(at=effect, moment="after")
        await world.bus.publish(policy(2, HOURLY))
        with pytest.raises((Killed, BaseExceptionGroup)):
            await world.settle()
        if (await policy_record(world)).in_force_since is not None:
            break
    assert await rules(world) == {"shop": ["all/nightly"]}
    await world.bus.pass_time(timedelta(minutes=65).total_seconds())
    await world.new_planner()
    await world.settle()
    (version,) = await world.versions()
    assert version.facts.trigger_name == "all/hourly"


async def test_the_turns_under_way_are_over_once_they_have_ended() -> None:
    """Those of applications: who asks has one of another kind itself."""

    async def in_line(_: AppRef) -> None:
        return

    turns, ends = Turns(in_line), asyncio.Event()

    async def take(whose: AppRef | str) -> None:
        async with turns.of(whose):
            await ends.wait()

    taken = [asyncio.create_task(take(whose)) for whose in (APP, OTHER.app)]
    async with turns.of("policy all"):
        await until_at_rest()
        over = asyncio.create_task(turns.over())
        await until_at_rest()
        assert not over.done()
        ends.set()
        await asyncio.gather(over, *taken)


async def test_who_goes_by_policies_finds_the_rules_that_the_record_will_have() -> None:
    """Of the kind that is asked for; overridden, stated twice and of other policies as well."""
    changed = Protection(name="changed", trigger="change", change_of=("secrets",))
    other = replace(changed, change_of=("configmaps",))
    own = (replace(HOURLY, name="mine"), replace(changed, name="own"))
    seen = replace(SEEN, protections=own, criticality="gold")
    policies = {
        "a": (changed, HOURLY),
        "b": (changed, other),
        "c": (other, replace(changed, name="mine")),
        "d": (NIGHTLY,),
        "e": (replace(changed, name="never"),),
    }
    facts = [
        replace(
            policy(1, HOURLY),
            app=policy_place("test", name),
            uid=name,
            protections=rules,
            match=f"app.namespace == 'shop' && app.criticality != {name!r}".replace(
                "'e'", "'gold'"
            ),
        )
        for name, rules in policies.items()
    ]
    world = await world_with(seen, *facts)
    (record,) = [
        one.value async for one in world.bus.bucket(APPLICATIONS, ApplicationRecord).items()
    ]
    found = RulesInForce(lambda rule: rule.trigger == "change")
    async for entry in world.bus.bucket(streams.POLICIES, PolicyRecord).items():
        found.take(entry.key, entry.value)
    behind = replace(record, protections=(), policies=())
    expected = [rule.name for rule in record.protections if rule.trigger == "change"]
    assert [rule.name for rule in found.of(behind)] == expected
    assert {"own", "a/changed", "b/changed"} == set(expected)
    assert found.of(replace(behind, state="orphaned")) == ()
