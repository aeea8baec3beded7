"""Policies on a real message bus: they take effect, and survive the planner that took them in."""

from pathlib import Path

from msgspec.structs import replace

from appshield.contracts import streams, subjects
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, Protection
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyObserved, PolicyRecord, policy_key, policy_place
from planner_processes import Plant, plant
from planner_world import APP
from waiting import wait_until

APPLICATIONS = 20
POLICY = PolicyObserved(
    app=policy_place(APP.cluster, "gold"),
    uid="p-1",
    resource_version="1",
    exists=True,
    generation=1,
    revision="r1",
    match="app.criticality == 'gold'",
    protections=(Protection(name="nightly", trigger="schedule", schedule="30 2 * * *"),),
)


def seen(number: int) -> ApplicationObserved:
    return ApplicationObserved(
        app=AppRef(cluster=APP.cluster, namespace="shop", name=f"shop-{number}"),
        uid=f"uid-{number}",
        resource_version="1",
        exists=True,
        revision="a1",
        criticality="gold" if number % 2 else "silver",
    )


async def in_force(running: Plant, rule: str) -> list[str]:
    """List the applications that have exactly this rule."""
    bucket = running.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
    found = [entry.value async for entry in bucket.items()]
    return sorted(
        record.app.name
        for record in found
        if [protection.name for protection in record.protections] == [rule]
    )


async def until_settled(running: Plant, policy: PolicyObserved) -> None:
    bucket = running.bus.bucket(streams.POLICIES, PolicyRecord)

    async def look() -> bool:
        entry = await bucket.get(policy_key(policy.app))
        return bool(entry and entry.value.revision == policy.revision and entry.value.settled)

    await wait_until(look, deadline_s=30, what=f"policy {policy.revision} is in force")


async def timers(running: Plant) -> set[str]:
    found = running.bus.read(streams.TIMERS, filters=(subjects.timer("schedule.>"),))
    return {stored.subject.rpartition(".")[2] async for stored in found}


async def test_a_policy_takes_effect_and_is_kept_by_the_next_planner(tmp_path: Path) -> None:
    """The first planner is killed; what it knew of policies is on the bus, and goes on."""
    gold = [f"shop-{number}" for number in range(APPLICATIONS) if number % 2]
    async with plant(tmp_path) as running:
        planner = await running.start_planner()
        await running.until_leads(planner)
        for number in range(APPLICATIONS):
            await running.bus.publish(seen(number))
        await running.bus.publish(POLICY)
        await until_settled(running, POLICY)

        async def all_known() -> bool:
            return await in_force(running, "gold/nightly") == sorted(gold)

        await wait_until(all_known, deadline_s=30, what="every gold application is protected")
        assert await timers(running) == {"gold/nightly"}
        planner.kill()
        await planner.wait()
        hourly = Protection(name="hourly", trigger="schedule", schedule="0 * * * *")
        changed = replace(POLICY, resource_version="2", revision="r2", protections=(hourly,))
        await running.bus.publish(changed)
        await running.bus.publish(replace(seen(0), resource_version="2", criticality="gold"))
        other = await running.start_planner()
        await running.until_leads(other)
        await until_settled(running, changed)

        async def all_changed() -> bool:
            return await in_force(running, "gold/hourly") == sorted([*gold, "shop-0"])

        await wait_until(all_changed, deadline_s=30, what="the changed policy is in force")
        assert await timers(running) == {"gold/hourly"}
