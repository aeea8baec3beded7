"""Backup and Restore objects on the real thing: done once, through the end of who does them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appshield.audit import lines_of, read_entry
from appshield.bus import connect_bus
from appshield.contracts.audit import AuditEvent
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.requests import RequestApprove
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG, CURSORS, RUNS
from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object
from appshield.kubernetes.kinds import BACKUP, CLUSTER_ROLE, RESTORE, STATEFUL_SET
from appshield.language.admission import RESTORED_KINDS
from appshield.language.requesters import RUN_ANYWAY, requester_of
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from appshield.watcher.wishing import Installed
from cluster_application import NAME, deploy, namespace_of_its_own, until_running
from installation import Installation
from rights import account_in, give, kubeconfig, token_of
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
BUDGET: Object = {
    "apiVersion": DISRUPTION_BUDGET.api_version,
    "kind": DISRUPTION_BUDGET.kind,
    "metadata": {"name": "db"},
    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "db"}}},
}


class Place(msgspec.Struct, frozen=True):
    """An application, and what is asked for about it in its namespace."""

    installation: Installation
    namespace: str
    app_id: str
    kubeconfig: Path
    folder: Path

    async def wish(self, kind: Kind, name: str, **spec: Any) -> Object:
        """Make an object."""
        body = _wish(kind, name, **spec)
        return await self.installation.cluster.create(kind, body, namespace=self.namespace)

    @asynccontextmanager
    async def connected_as(self, account: str) -> AsyncIterator[tuple[Cluster, str]]:
        """Connect as an account of the namespace; give its name, too."""
        token = await token_of(self.installation.cluster, self.namespace, account)
        file = kubeconfig(self.kubeconfig, self.folder / account, token=token)
        async with Cluster.connect(ClusterAccess(kubeconfig=str(file))) as cluster:
            yield cluster, f"system:serviceaccount:{self.namespace}:{account}"

    async def is_asked_who_writes(self) -> bool:
        """Say whether AppShield, which is young, writes already who makes an object."""
        body, cluster = _wish(BACKUP, "nobody-s"), self.installation.cluster
        made = await cluster.create(BACKUP, body, namespace=self.namespace, dry_run=True)
        return requester_of(made["metadata"].get("annotations") or {}) is not None

    async def on_record(self, run: str, outcome: str) -> AuditEvent:
        """Wait until the audit says of a wish, by its run, what became of it."""

        async def look() -> AuditEvent | None:
            async for line in lines_of(self.installation.bus):
                event = read_entry(line).event
                if event.run == run and event.outcome == outcome:
                    return event
            return None

        return await wait_until(look, deadline_s=30, what=f"the audit about {run}")

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
async def place(
    installation: Installation,
    local_cluster: ClusterFacts,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Place]:
    async with namespace_of_its_own(installation, "wishes") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        record = await installation.known(installation.app(namespace))
        folder = tmp_path_factory.mktemp("accounts")
        made = Place(installation, namespace, record.app_id, local_cluster.kubeconfig, folder)
        await wait_until(made.is_asked_who_writes, deadline_s=60, what="the gateway is asked")
        yield made


def _wish(kind: Kind, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "spec": {"application": NAME, **spec},
    }


async def _role_that_creates_what_is_usual(cluster: Cluster, name: str) -> str:
    """Make a role for all that the API server's own policy asks for, and nothing else."""
    rules = [
        {"apiGroups": [group], "resources": [plural], "verbs": ["create"]}
        for group, plural in RESTORED_KINDS
    ]
    role: Object = {"apiVersion": CLUSTER_ROLE.api_version, "kind": CLUSTER_ROLE.kind}
    await cluster.create(CLUSTER_ROLE, {**role, "metadata": {"name": name}, "rules": rules})
    return name


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
    told = await place.on_record(run.id, "admitted")
    assert told.object == f"Backup {place.namespace}/one"

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


async def test_who_wrote_an_object_is_on_record(place: Place) -> None:
    """The API server alone knows; nothing has to be written into the object for it."""
    await account_in(place.installation.cluster, place.namespace, "ann", role="appshield-operator")
    async with place.connected_as("ann") as (ann, name):
        await ann.create(BACKUP, _wish(BACKUP, "by-ann"), namespace=place.namespace)
    status = await place.reached(BACKUP, "by-ann", "Succeeded")
    run = next(run for run in await place.runs() if run.id == status["run"])
    assert run.trigger.actor == name
    told = await place.on_record(status["run"], "admitted")
    assert (told.actor, told.object) == (name, f"Backup {place.namespace}/by-ann")
    assert (told.door, told.action) == ("object", "backup")


async def test_who_restores_by_an_object_may_create_every_kind_that_comes_back(
    place: Place,
) -> None:
    """As at the other doors: also kinds that no policy of the API server has asked about."""
    cluster = place.installation.cluster
    await cluster.create(DISRUPTION_BUDGET, BUDGET, namespace=place.namespace)
    await place.installation.back_up(place.installation.app(place.namespace))
    await account_in(cluster, place.namespace, "rob", role="appshield-restorer")
    async with namespace_of_its_own(place.installation, "robbed") as target:
        usual = await _role_that_creates_what_is_usual(cluster, f"{target}-usual")
        rob = {"kind": "ServiceAccount", "name": "rob", "namespace": place.namespace}
        for role in ("appshield-restorer", usual):
            await give(cluster, target, role, rob)
        wish = _wish(RESTORE, "by-rob", version="last-good", to=target)
        async with place.connected_as("rob") as (connected, name):
            await connected.create(RESTORE, wish, namespace=place.namespace)
        status = await place.reached(RESTORE, "by-rob", "Failed")
        assert f"create poddisruptionbudgets.policy in {target}" in status["message"]
        assert "volumesnapshotclasses" not in status["message"], "none is made"
        told = await place.on_record(status["run"], "denied")
        assert (told.actor, told.object) == (name, f"Restore {place.namespace}/by-rob")
        assert await cluster.list(STATEFUL_SET, namespace=target) == []


async def _left_alone_until_annotated(place: Place) -> None:
    runs = await place.runs()
    await place.wish(BACKUP, "old")
    status = await place.reached(BACKUP, "old", "LeftAlone")
    assert "before AppShield was installed" in status["message"]
    assert await place.runs() == runs
    anyway: Object = {"metadata": {"annotations": {RUN_ANYWAY: "true"}}}
    await place.installation.cluster.merge_patch(BACKUP, "old", anyway, namespace=place.namespace)
    await place.reached(BACKUP, "old", "Succeeded")
