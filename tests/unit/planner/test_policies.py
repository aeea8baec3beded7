"""Policies take effect on the applications that they match, and whatever happens in between."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved, Described, Keep, Protection
from appshield.contracts.backups import DocumentRevision
from appshield.contracts.policies import PolicyObserved, PolicyRecord, policy_place
from planner_world import APP, Killed, Moment, World

NIGHTLY = Protection(
    name="nightly", trigger="schedule", schedule="30 2 * * *", keep=Keep(last=3), targets=("x",)
)
POLICY = PolicyObserved(
    app=policy_place("test", "gold"),
    uid="p-1",
    resource_version="1",
    exists=True,
    generation=1,
    revision="r1",
    match="app.criticality == 'gold'",
    protections=(NIGHTLY,),
)
SEEN = ApplicationObserved(
    app=APP, uid="uid-1", resource_version="1", exists=True, revision="a1", criticality="gold"
)


def changed(number: int, **fields: Any) -> PolicyObserved:
    return replace(POLICY, resource_version=str(number), generation=number, **fields)


async def world_with(*facts: PolicyObserved | ApplicationObserved) -> World:
    world = World()
    await world.new_planner()
    for fact in facts:
        await world.bus.publish(fact)
        await world.settle()
    return world


async def names(world: World) -> list[str]:
    return [rule.name for rule in (await world.record()).protections]


def timers(world: World) -> set[str]:
    return {name.partition(".a-")[2].partition(".")[2] for name in world.bus._timers} - {""}


async def policy_record(world: World) -> PolicyRecord:
    bucket = world.bus.bucket(streams.POLICIES, PolicyRecord)
    return await anext(entry.value async for entry in bucket.items())


@pytest.mark.parametrize("policy_first", [True, False])
async def test_a_matching_policy_makes_versions_by_its_schedule(policy_first: bool) -> None:
    """Whichever is seen first; the version says which rule of which policy made it."""
    world = await world_with(*((POLICY, SEEN) if policy_first else (SEEN, POLICY)))
    record = await world.record()
    assert record.policies == ("gold",)
    assert record.protections == (replace(NIGHTLY, name="gold/nightly"),)
    assert (await policy_record(world)).settled
    assert timers(world) == {"gold/nightly"}
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    (version,) = await world.versions()
    assert (version.facts.trigger, version.facts.trigger_name) == ("schedule", "gold/nightly")


async def test_a_version_names_the_content_of_the_policies_that_made_it() -> None:
    """Of those that matched at the cut, and as they were then."""
    other = replace(POLICY, app=policy_place("test", "other"), match="app.criticality == 'low'")
    world = await world_with(SEEN, other, POLICY, changed(2, revision="r2"))
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    (version,) = await world.versions()
    assert version.facts.documents == (DocumentRevision(kind="Policy", name="gold", revision="r2"),)


async def test_a_changed_policy_replaces_its_rules_and_their_timers() -> None:
    world = await world_with(SEEN, POLICY)
    hourly = replace(NIGHTLY, name="hourly", schedule="0 * * * *")
    await world.bus.publish(changed(2, protections=(hourly,)))
    await world.settle()
    assert await names(world) == ["gold/hourly"]
    assert timers(world) == {"gold/hourly"}


async def test_a_policy_that_matches_no_more_takes_its_rules_along() -> None:
    world = await world_with(SEEN, POLICY, changed(2, match="app.criticality == 'platinum'"))
    assert (await world.record()).policies == ()
    assert timers(world) == set()
    await world.bus.publish(replace(SEEN, resource_version="2", criticality="platinum"))
    await world.settle()
    assert timers(world) == {"gold/nightly"}


async def test_a_deleted_policy_takes_its_rules_along() -> None:
    world = await world_with(SEEN, POLICY, changed(2, exists=False))
    assert await names(world) == []
    assert timers(world) == set()


async def test_a_refused_policy_leaves_its_last_good_document_in_force() -> None:
    """The watcher tells that one beside the reason."""
    world = await world_with(SEEN, POLICY, changed(2, refused="line 3 is wrong"))
    assert await names(world) == ["gold/nightly"]
    assert (await policy_record(world)).refused == "line 3 is wrong"


async def test_a_policy_that_was_never_accepted_protects_nothing() -> None:
    never = replace(POLICY, refused="wrong", match="", protections=())
    world = await world_with(SEEN, never)
    assert (await world.record()).policies == ()


async def test_an_expression_without_an_answer_is_kept_with_the_reason() -> None:
    fact = changed(2, match="app.labels.tier == 'a'")
    world = await world_with(SEEN, fact)
    record = await world.record()
    assert record.policies == ()
    assert "there is no 'tier'" in record.undecided["gold"]
    labelled = Described(labels={"tier": "a"})
    await world.bus.publish(replace(SEEN, resource_version="2", described=labelled))
    await world.settle()
    record = await world.record()
    assert (record.policies, record.undecided) == (("gold",), {})


async def test_rules_targets_and_findings_follow_the_rules_of_combining() -> None:
    own = replace(NIGHTLY, schedule="0 1 * * *", targets=())
    world = await world_with(
        replace(SEEN, protections=(own,), targets_named=False),
        replace(POLICY, targets=("offsite", "primary")),
    )
    record = await world.record()
    assert record.protections == (replace(own, targets=("offsite", "primary")),)
    assert (record.targets, record.vault) == (("offsite", "primary"), "offsite")
    assert record.findings == (
        "overridden: the application's own rule nightly stands in for that of gold",
    )


async def test_policies_of_another_cluster_do_not_count() -> None:
    world = await world_with(SEEN, replace(POLICY, app=policy_place("other", "gold")))
    assert await names(world) == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_planner_that_dies_at_any_effect_of_a_policy_leaves_it_to_the_next(
    moment: Moment,
) -> None:
    """Old rule replaced, new one in force with its timer, whatever was done already."""
    hourly = replace(NIGHTLY, name="hourly", schedule="0 * * * *")
    died = 0
    for effect in range(1, 30):
        world = await world_with(SEEN, POLICY)
        await world.new_planner(at=effect, moment=moment)
        await world.bus.publish(changed(2, protections=(hourly,)))
        try:
            await world.settle()
        except (Killed, BaseExceptionGroup):
            died += 1
            await world.new_planner()
            await world.settle()
        assert await names(world) == ["gold/hourly"]
        assert timers(world) == {"gold/hourly"}
        assert (await policy_record(world)).settled
    assert died >= 4
