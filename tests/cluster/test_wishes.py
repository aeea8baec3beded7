"""Backup and Restore objects on the real thing: done once, through the end of who does them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from appshield.bus import connect_bus
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.requests import RequestApprove
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG, CURSORS, RUNS
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import BACKUP, RESTORE
from appshield.language.admission import RUN_ANYWAY
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from appshield.watcher.wishing import Installed
from cluster_application import NAME, deploy, namespace_of_its_own, until_running
from installation import Installation
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)


class Place(msgspec.Struct, frozen=True):
    """An application, and what is asked for about it in its namespace."""

    installation: Installation
    namespace: str
    app_id: str

    async def wish(self, kind: Kind, name: str, **spec: Any) -> Object:
        """Make an object."""
        body: Object = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name},
            "spec": {"application": NAME, **spec},
        }
        return await self.installation.cluster.create(kind, body, namespace=self.namespace)

    async def status(self, kind: Kind, name: str) -> Object:
        found = await self.installation.cluster.get(kind, name, self.namespace)
        return dict((found or {}).get("status") or {})

    async def reached(self, kind: Kind, name: str, *phases: str, saying: str = "") -> Object:
        """Wait for one of these phases; return the status."""

        async def look() -> Object | None:
            status = await self.status(kind, name)
            said = saying in status.get("message", "")
            return status if said and status.get("phase") in phases else None

        return await wait_until(look, deadline_s=120, what=f"{kind.kind} {name} {phases}")

    async def runs(self) -> list[Run]:
        bucket = self.installation.bus.bucket(RUNS, Run)
        found = [entry.value async for entry in bucket.items()]
        return [run for run in found if run.app.namespace == self.namespace]

    async def numbers(self) -> list[int]:
        bucket = self.installation.bus.bucket(CATALOG, VersionRecord)
        found = [entry.value async for entry in bucket.items(f"{self.app_id}.")]
        return sorted(version.facts.number for version in found)


@pytest.fixture(scope="module")
async def place(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[Place]:
    async with namespace_of_its_own(installation, "wishes") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        record = await installation.known(installation.app(namespace))
        yield Place(installation, namespace, record.app_id)


def condition(status: Object, kind: str) -> str:
    return str(next(one["status"] for one in status["conditions"] if one["type"] == kind))


async def test_a_backup_object_makes_one_version_and_leaves_it_when_deleted(place: Place) -> None:
    """Its status names run and version; deleting it deletes the wish, not what came of it."""
    before = await place.numbers()
    obj = await place.wish(BACKUP, "one", reason="before the change")
    status = await place.reached(BACKUP, "one", "Succeeded")
    assert status["version"] not in before
    assert await place.numbers() == [*before, status["version"]]
    assert (condition(status, "Admitted"), condition(status, "Succeeded")) == ("True", "True")
    run = next(run for run in await place.runs() if run.id == status["run"])
    assert run.trigger.reason == "before the change"
    assert run.trigger.actor == f"Backup {place.namespace}/one"

    cluster = place.installation.cluster
    same = {key: obj[key] for key in ("apiVersion", "kind", "spec")}
    await cluster.apply(BACKUP, {**same, "metadata": {"name": "one", "namespace": place.namespace}})
    await cluster.delete(BACKUP, "one", namespace=place.namespace)
    assert await place.numbers() == [*before, status["version"]]
    assert len([one for one in await place.runs() if one.id == run.id]) == 1


async def test_a_restore_object_waits_for_approval_and_brings_the_last_good_version_back(
    place: Place,
) -> None:
    """Into another namespace; the status says what it waits for."""
    if not await place.numbers():
        await place.installation.back_up(place.installation.app(place.namespace))
    async with namespace_of_its_own(place.installation, "wished") as target:
        await place.wish(RESTORE, "r", version="last-good", to=target, approve="manual")
        status = await place.reached(RESTORE, "r", "Waiting", saying="appshield approve")
        app = place.installation.app(place.namespace)
        await place.installation.bus.publish(
            RequestApprove(app=app, request_id="approve-r", actor="eve", run=status["run"])
        )
        status = await place.reached(RESTORE, "r", "Succeeded", "Failed")
        assert status["phase"] == "Succeeded", status
        assert status["version"] == (await place.numbers())[-1]
        await until_running(place.installation, target)


@pytest.mark.parametrize("service", ["watcher", "planner"])
async def test_an_object_is_done_once_when_its_service_is_killed_in_between(
    service: str, place: Place
) -> None:
    """The watcher asks again under the same name; the planner finds its own run."""
    before = await place.numbers()
    name = f"killed-{service}"
    await asyncio.gather(place.wish(BACKUP, name), place.installation.kill(service))
    status = await place.reached(BACKUP, name, "Succeeded", "Failed")
    assert status["phase"] == "Succeeded", status
    assert await place.numbers() == [*before, status["version"]]


async def test_an_object_that_is_older_than_the_installation_is_left_alone(place: Place) -> None:
    """Until somebody who may restore says that it is meant.

    The API server says when an object was made, so the installation is made younger instead.
    """
    access = read_connection(place.installation.home).bus("watcher")
    async with connect_bus(access, name="test") as bus:
        cursors = bus.bucket(CURSORS, Installed)
        key = f"_installed.{place.installation.cluster_name.replace('.', '_')}"
        entry = await cursors.get(key)
        assert entry is not None
        await cursors.put(key, Installed(at=datetime(2100, 1, 1, tzinfo=UTC)))
        try:
            await place.installation.kill("watcher")
            await _left_alone_until_annotated(place)
        finally:
            await cursors.put(key, entry.value)
            await place.installation.kill("watcher")


async def _left_alone_until_annotated(place: Place) -> None:
    runs = await place.runs()
    await place.wish(BACKUP, "old")
    status = await place.reached(BACKUP, "old", "LeftAlone")
    assert "before AppShield was installed" in status["message"]
    assert await place.runs() == runs
    anyway: Object = {"metadata": {"annotations": {RUN_ANYWAY: "true"}}}
    await place.installation.cluster.merge_patch(BACKUP, "old", anyway, namespace=place.namespace)
    await place.reached(BACKUP, "old", "Succeeded")
