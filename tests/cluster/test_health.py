"""Health and reactions on the real cluster: what breaks is seen, saved, told and brought back."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.cloud_events import CloudEvent
from appshield.contracts.health import HealthStatus
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestApprove
from appshield.contracts.runs import Run
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import (
    APPLICATION,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    NAMESPACE,
    POLICY,
    PVC,
    SECRET,
    STATEFUL_SET,
)
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    CLAIM,
    NAME,
    deploy,
    namespace_of_its_own,
    remove_namespace,
    run_in,
    until_running,
)
from command_line import CommandLine
from installation import Installation
from planting import search
from waiting import wait_until
from webhook_receiver import Receiver

pytestmark = pytest.mark.timeout(300)

DEADLINE_S = 120
KEY = secrets.token_hex(16)


class Watched:
    """An application whose health a test waits for."""

    def __init__(self, installation: Installation, namespace: str) -> None:
        self.installation = installation
        self.namespace = namespace
        self.app: AppRef = installation.app(namespace)

    async def record(self) -> ApplicationRecord:
        """Return the application's only history, its object being there or not."""
        bucket = self.installation.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        found = [entry.value async for entry in bucket.items()]
        (record,) = [one for one in found if one.app == self.app]
        return record

    async def becomes(self, status: HealthStatus) -> ApplicationRecord:
        """Wait until the planner knows that the application is so."""

        async def look() -> ApplicationRecord | None:
            record = await self.record()
            return record if record.health and record.health.status == status else None

        return await wait_until(look, deadline_s=DEADLINE_S, what=f"the shop is {status}")

    async def reactions(self, kind: str) -> list[Run]:
        """List the runs of a kind that reactions asked for."""
        bucket = self.installation.bus.bucket(streams.RUNS, Run)
        runs = [entry.value async for entry in bucket.items()]
        return [
            run
            for run in runs
            if run.app == self.app and run.kind == kind and run.trigger.kind == "reaction"
        ]

    async def reacted(self, kind: str) -> Run:
        """Wait for the run that a reaction asks for."""
        found = await wait_until(
            lambda: self.reactions(kind), deadline_s=DEADLINE_S, what=f"a {kind} is asked for"
        )
        return found[0]


@asynccontextmanager
async def policy(watched: Watched, *reactions: Object) -> AsyncIterator[None]:
    """A policy for one namespace, in force for the time of the block."""
    name = f"health-{uuid4().hex[:6]}"
    body: Object = {
        "apiVersion": POLICY.api_version,
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": {
            "match": f"app.namespace == '{watched.namespace}'",
            "react": list(reactions),
        },
    }
    await watched.installation.cluster.create(POLICY, body)

    async def in_force() -> bool:
        return name in (await watched.record()).policies

    try:
        await watched.installation.known(watched.app)
        await wait_until(in_force, deadline_s=DEADLINE_S, what="the policy is in force")
        yield
    finally:
        await watched.installation.cluster.delete(POLICY, name)


@pytest.fixture
async def watched(installation: Installation) -> AsyncIterator[Watched]:
    async with namespace_of_its_own(installation, "health") as namespace:
        yield Watched(installation, namespace)


async def deploy_web(watched: Watched, image: str) -> None:
    """Make an application of one Deployment, and wait until it is healthy."""
    cluster, namespace = watched.installation.cluster, watched.namespace
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    container: Object = {"name": "main", "image": image}
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    labels = {"app": "web"}
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    document: Object = {
        "apiVersion": APPLICATION.api_version,
        "kind": "Application",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"type": "web"},
    }
    await cluster.create(CONFIG_MAP, settings, namespace=namespace)
    await cluster.create(DEPLOYMENT, body, namespace=namespace)
    await cluster.create(APPLICATION, document)
    await watched.installation.known(watched.app)
    await watched.becomes("Healthy")


async def test_a_broken_image_is_seen_saved_and_told(
    watched: Watched, local_cluster: ClusterFacts
) -> None:
    """In the registry, in the cluster, on the command line, and over a webhook that fails twice."""
    installation, cluster = watched.installation, watched.installation.cluster
    await deploy_web(watched, local_cluster.pause_image)
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "alerts"}}
    secret["data"] = {"secret": base64.b64encode(KEY.encode()).decode()}
    await cluster.create(SECRET, secret, namespace=watched.namespace)
    receiver = Receiver()
    receiver.answers = [500, 503]
    signing = {"namespace": watched.namespace, "name": "alerts"}
    degraded = "health == 'Degraded'"
    async with receiver.running():
        notify: Object = {"signal": "broken", "webhook": receiver.url, "secret": signing}
        async with policy(
            watched,
            {"when": degraded, "do": {"backup": {"keep": {"last": 3}}}},
            {"when": degraded, "do": {"notify": notify}},
        ):
            wrong = {"name": "main", "image": "localhost:1/no-such-image:1"}
            template = {"template": {"spec": {"containers": [wrong]}}}
            await cluster.apply(
                DEPLOYMENT,
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "web"},
                    "spec": template,
                },
                namespace=watched.namespace,
            )
            record = await watched.becomes("Degraded")
            run = await watched.reacted("backup")
            ended = await installation.ended(run.id)
            await wait_until(
                lambda: len(receiver.got) == 3, deadline_s=DEADLINE_S, what="a third try"
            )
    assert record.health is not None
    (reason, *_) = record.health.reasons
    assert reason.object.startswith("Pod web-")
    assert "container main: " in reason.why
    assert (ended.state, ended.failure) == ("succeeded", None)
    headers, body = receiver.got[-1]
    event = msgspec.json.decode(body, type=CloudEvent)
    assert event.data.application == NAME
    assert headers["webhook-signature"].startswith("v1,")
    assert await search(installation, [KEY, "secret-token"]) == []

    async def told() -> bool:
        obj = await cluster.get(APPLICATION, NAME, watched.namespace)
        return obj is not None and obj["status"].get("health") == "Degraded"

    await wait_until(told, deadline_s=DEADLINE_S, what="the status says so")
    events = await cluster.list(EVENT, namespace=watched.namespace)
    assert any(one["reason"] == "HealthDegraded" for one in events)
    said = await CommandLine(installation.home.folder)("status", f"{watched.namespace}/{NAME}")
    assert "Degraded since" in said.out
    assert f"{reason.object}: " in said.out


async def test_data_deleted_behind_the_applications_back_comes_back_once_approved(
    watched: Watched, local_cluster: ClusterFacts
) -> None:
    """Only what is missing, from the last version of a healthy time; one restore, not more."""
    installation, cluster = watched.installation, watched.installation.cluster
    await deploy(installation, watched.namespace, local_cluster.busybox_image)
    await installation.known(watched.app)
    await watched.becomes("Healthy")
    await run_in(installation, watched.namespace, "echo precious > /data/kept && sync")
    first = await installation.back_up(watched.app)
    assert first.state == "succeeded"
    missing: dict[str, Any] = {
        "when": "health == 'Missing'",
        "for": "10s",
        "do": {"restore": {"version": "last-good", "approve": "manual"}},
    }
    async with policy(watched, missing):
        await cluster.delete(STATEFUL_SET, "db", namespace=watched.namespace)
        await cluster.delete(PVC, CLAIM, namespace=watched.namespace)
        await cluster.wait_for(
            PVC, CLAIM, watched.namespace, lambda obj: obj is None, timeout_s=90, what="gone"
        )
        run = await watched.reacted("restore")
        await installation.reached(
            run.id, lambda found: found.state == "awaiting-approval", "waiting for approval"
        )
        approval = RequestApprove(app=watched.app, request_id=uuid4().hex, run=run.id, actor="me")
        await installation.bus.publish(approval)
        ended = await installation.ended(run.id)
        assert (ended.state, ended.failure) == ("succeeded", None)
        await until_running(installation, watched.namespace)
        await watched.becomes("Healthy")
        assert await run_in(installation, watched.namespace, "cat /data/kept") == "precious"
        assert [one.id for one in await watched.reactions("restore")] == [run.id]
    assert ended.restore is not None
    assert set(ended.restore.paths) == {f"volumes/{CLAIM}", "manifests/statefulset.apps/db.json"}


async def test_a_namespace_that_a_person_deletes_brings_nothing_back(
    watched: Watched, local_cluster: ClusterFacts
) -> None:
    """Although a restore is asked for at once and without anybody's approval."""
    installation = watched.installation
    await deploy_web(watched, local_cluster.pause_image)
    saved = await installation.back_up(watched.app)
    assert saved.state == "succeeded"
    at_once: dict[str, Any] = {
        "when": "health != 'Healthy'",
        "do": {"restore": {"version": "last-good", "approve": "auto"}},
    }
    async with policy(watched, at_once):
        await remove_namespace(installation, watched.namespace)

        async def orphaned() -> bool:
            return (await watched.record()).state == "orphaned"

        await wait_until(orphaned, deadline_s=DEADLINE_S, what="its history is an orphan")
        assert await watched.reactions("restore") == []
    assert await installation.cluster.get(NAMESPACE, watched.namespace) is None
