"""What the planner remembers of an application's health."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appshield.contracts.health import Health, HealthChanged, HealthReason, HealthStatus
from planner_world import APP, World

SINCE = datetime(2026, 11, 24, 9, tzinfo=UTC)


def became(change: int, status: HealthStatus, *, minute: int = 0) -> HealthChanged:
    since = SINCE + timedelta(minutes=minute)
    why = (HealthReason(object="Deployment web", why="0 of 1 replicas are ready"),)
    reasons = () if status == "Healthy" else why
    health = Health(status=status, since=since, reasons=reasons, reasons_total=len(reasons))
    return HealthChanged(app=APP, uid="uid-1", change=change, health=health)


async def told(*facts: HealthChanged) -> World:
    world = World()
    await world.new_planner()
    await world.observe()
    for fact in facts:
        await world.bus.publish(fact)
        await world.settle()
    return world


async def test_the_latest_health_is_remembered() -> None:
    world = await told(became(1, "Progressing"), became(2, "Degraded", minute=3))
    record = await world.record()
    assert record.health == became(2, "Degraded", minute=3).health


async def test_when_it_was_healthy_last_is_remembered_until_it_is_again() -> None:
    """Of all that follows a healthy time, the first moment counts."""
    world = await told(became(1, "Healthy"), became(2, "Degraded", minute=3))
    await world.bus.publish(became(3, "Missing", minute=5))
    await world.settle()
    assert (await world.record()).healthy_until == SINCE + timedelta(minutes=3)
    await world.bus.publish(became(4, "Healthy", minute=7))
    await world.settle()
    assert (await world.record()).healthy_until is None


async def test_the_health_of_another_object_of_that_name_says_nothing() -> None:
    world = await told(became(1, "Healthy"), replace(became(9, "Missing"), uid="uid-0"))
    record = await world.record()
    assert record.health is not None
    assert record.health.status == "Healthy"
