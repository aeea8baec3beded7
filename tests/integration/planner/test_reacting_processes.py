"""Reactions on a real bus with real planners: one restore, whoever is killed meanwhile."""

from datetime import UTC, datetime
from pathlib import Path

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Health, HealthChanged, HealthReason, Reaction, RestoreAction
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS
from planner_processes import Plant, plant
from planner_world import APP
from waiting import wait_until

DEADLINE_S = 60
GONE = HealthReason(object="ConfigMap c", why="gone", named=True, path="manifests/configmap/c.json")
POLICY = PolicyObserved(
    app=policy_place(APP.cluster, "gold"),
    uid="p-1",
    resource_version="1",
    exists=True,
    generation=1,
    revision="r1",
    match="true",
    reactions=(
        Reaction(digest="d1", when="health == 'Missing'", action=RestoreAction(), lasts_s=5),
    ),
)


async def _told(place: Plant, change: int, *reasons: HealthReason) -> None:
    health = Health(
        status="Missing" if reasons else "Healthy",
        since=datetime.now(UTC),
        reasons=reasons,
        reasons_total=len(reasons),
    )
    await place.bus.publish(HealthChanged(app=APP, uid="uid-1", change=change, health=health))


async def _record(place: Plant) -> ApplicationRecord:
    bucket = place.bus.bucket(APPLICATIONS, ApplicationRecord)
    return await anext(entry.value async for entry in bucket.items())


async def _holds(place: Plant) -> bool:
    return any(state.held_since is not None for state in (await _record(place)).reacted)


async def _restores(place: Plant) -> list[Run]:
    return [run for run in await place.runs() if run.kind == "restore"]


async def test_a_planner_killed_while_a_condition_holds_leaves_one_restore(tmp_path: Path) -> None:
    """The guard's timer is on the bus: the next planner hears it, and asks once."""
    async with plant(tmp_path) as place:
        first = await place.until_leads(await place.start_planner())
        place.workers.gate.set()
        await place.observe()
        await place.bus.publish(POLICY)
        await place.ended(await place.ask("one"))
        await _told(place, 1)
        await _told(place, 2, GONE)
        await wait_until(lambda: _holds(place), deadline_s=DEADLINE_S, what="its time runs")
        first.kill()
        await place.until_leads(await place.start_planner())
        (run,) = await wait_until(
            lambda: _restores(place), deadline_s=DEADLINE_S, what="a restore is asked for"
        )
        assert run.needs_approval
        assert run.trigger.kind == "reaction"
        await _told(place, 3, GONE)
        await place.ended(await place.ask("two"))
        assert [one.id for one in await _restores(place)] == [run.id]
