"""A schedule makes versions by itself on the real thing, and ends with its Application."""

import pytest

from appshield.contracts import streams, subjects
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.kubernetes.kinds import APPLICATION
from appshield.local.cluster import ClusterFacts
from cluster_application import NAME, deploy, namespace_of_its_own
from failures import traces, versions
from installation import Installation
from waiting import wait_until

EVERY_MINUTE = {"name": "every-minute", "on": {"schedule": "* * * * *"}}


@pytest.mark.timeout(240)
async def test_a_schedule_makes_a_version_and_deleting_the_application_stops_it(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The version says what made it; afterwards it stays, orphaned, and no timer is left."""
    async with namespace_of_its_own(installation, "schedule") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        spec = {"spec": {"protect": [EVERY_MINUTE]}}  # a minute must not begin before the pod runs
        await installation.cluster.merge_patch(APPLICATION, NAME, spec, namespace=namespace)
        record = await installation.known(installation.app(namespace))
        run = await wait_until(
            lambda: _scheduled(installation, record.app_id),
            deadline_s=120,
            what="a scheduled run",
            every_s=1,
        )
        run = await installation.ended(run.id)
        assert (run.state, run.failure) == ("succeeded", None)
        assert (run.trigger.kind, run.trigger.name) == ("schedule", "every-minute")
        assert run.trigger.at
        assert run.trigger.at.second == 0
        assert await _timers(installation, record.app_id), "the next time has no timer"

        await installation.cluster.delete(APPLICATION, NAME, namespace=namespace)
        orphan = await wait_until(
            lambda: _orphan(installation, record.app_id), deadline_s=30, what="orphaned"
        )
        assert orphan.last_version >= 1
        await wait_until(
            lambda: _idle(installation, record.app_id), deadline_s=90, what="its runs ended"
        )
        assert await _timers(installation, record.app_id) == []
        assert 1 in await versions(installation, record.app_id)
    assert traces(installation) == []


async def _runs(installation: Installation, app_id: str) -> list[Run]:
    bucket = installation.bus.bucket(streams.RUNS, Run)
    return [entry.value async for entry in bucket.items() if entry.value.app_id == app_id]


async def _scheduled(installation: Installation, app_id: str) -> Run | None:
    found = await _runs(installation, app_id)
    return next((run for run in found if run.trigger.kind == "schedule"), None)


async def _idle(installation: Installation, app_id: str) -> bool:
    return all(run.state in FINAL_STATES for run in await _runs(installation, app_id))


async def _orphan(installation: Installation, app_id: str) -> ApplicationRecord | None:
    entry = await installation.bus.bucket(streams.APPLICATIONS, ApplicationRecord).get(app_id)
    return entry.value if entry and entry.value.state == "orphaned" else None


async def _timers(installation: Installation, app_id: str) -> list[str]:
    wanted = (subjects.timer(f"schedule.{app_id}.>"), subjects.due(f"schedule.{app_id}.>"))
    found = installation.bus.read(streams.TIMERS, filters=wanted)
    return [stored.subject async for stored in found]
