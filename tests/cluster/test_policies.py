"""A policy on the real thing: applied, it protects what it matches; refused, the last one stays."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.runs import Run
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import EVENT, NAMESPACE, POLICY, PROFILE
from appshield.local.cluster import ClusterFacts
from cluster_application import NAME, component, deploy, namespace_of_its_own
from command_line import CommandLine
from installation import Installation
from waiting import wait_until


def policy(name: str, match: str) -> Object:
    rule = {"name": "minutely", "on": {"schedule": "* * * * *"}, "keep": {"last": 2}}
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": {"match": match, "protect": [rule]},
    }


def profile(name: str) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Profile",
        "metadata": {"name": name},
        "spec": {"type": f"own/{name}", "strategy": "one-replica"},
    }


@pytest.mark.timeout(300)
async def test_a_policy_protects_what_it_matches_until_it_is_deleted(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """It asks for type, a label of the namespace and the size of a volume; a backup is made by it.

    A document that kubectl brings and that is refused leaves the one before in force.
    """
    appshield = CommandLine(installation.home.folder)
    async with namespace_of_its_own(installation, "policy") as namespace:
        app = f"{namespace}/{NAME}"
        match = (
            f"app.type == 'web' && app.namespaceLabels['team'] == '{namespace}' && "
            "app.volumes.exists(v, v.sizeBytes == 64 * 1024 * 1024)"
        )
        file = tmp_path / "policy.json"
        file.write_bytes(msgspec.json.encode(policy(namespace, match)))
        try:
            await installation.cluster.create(PROFILE, profile(namespace))
            parts = {"components": [component(profile=f"own/{namespace}")]}
            await deploy(installation, namespace, local_cluster.busybox_image, spec=parts)
            applied = await appshield("apply", "-f", str(file))
            assert (applied.code, applied.err) == (0, "")
            shown = (await appshield("policies", namespace, "-o", "json")).json()[0]
            assert app not in shown["applications"]
            assert "there is no 'team'" in shown["undecided"][app]

            labelled = {"metadata": {"labels": {"team": namespace}}}
            await installation.cluster.merge_patch(NAMESPACE, namespace, labelled)
            rule = f"{namespace}/minutely"
            record = await wait_until(
                lambda: _protected(installation, namespace, [rule]),
                deadline_s=30,
                what="protected by the policy",
            )
            run = await wait_until(
                lambda: _made_by(installation, record.app_id, rule),
                deadline_s=120,
                what="a run by the policy's schedule",
                every_s=1,
            )
            ended = await installation.ended(run.id)
            assert (ended.state, ended.failure) == ("succeeded", None)
            made = (await appshield("version", app, "1")).out
            for kind in ("Policy", "Profile"):
                revision = await _in_force(appshield, kind, namespace)
                assert f"{kind.lower()} {namespace} {revision}" in " ".join(made.split())
            assert record.revision in made
            await _until(installation, namespace, Ready="True", Accepted="True")
            assert namespace in (await appshield("status", app)).out

            wrong = {"spec": {"match": "app.typ == 'web'"}}
            await installation.cluster.merge_patch(POLICY, namespace, wrong)
            status = await _until(installation, namespace, Ready="False", Accepted="False")
            assert status["applications"] == 1
            assert "did you mean type?" in status["conditions"][0]["message"]
            assert await _protected(installation, namespace, [rule])
            assert await _told(installation, namespace)
        finally:
            await installation.cluster.delete(POLICY, namespace)
            await installation.cluster.delete(PROFILE, namespace)
        await wait_until(
            lambda: _protected(installation, namespace, []),
            deadline_s=30,
            what="protected no more",
        )


async def _in_force(appshield: CommandLine, kind: str, name: str) -> str:
    listed = (await appshield("revisions", name, "--kind", kind, "-o", "json")).json()
    (digest,) = [one["revision"]["digest"] for one in listed if one["in_force"]]
    return str(digest)


async def _protected(
    installation: Installation, namespace: str, rules: list[str]
) -> ApplicationRecord | None:
    record = await installation.known(installation.app(namespace))
    return record if [rule.name for rule in record.protections] == rules else None


async def _made_by(installation: Installation, app_id: str, rule: str) -> Run | None:
    bucket = installation.bus.bucket(streams.RUNS, Run)
    found = [entry.value async for entry in bucket.items() if entry.value.app_id == app_id]
    return next((run for run in found if run.trigger.name == rule), None)


async def _until(installation: Installation, name: str, **wanted: str) -> dict[str, Any]:
    """Wait until the conditions of a policy say this, and return its status."""

    async def look() -> dict[str, Any] | None:
        obj = await installation.cluster.get(POLICY, name) or {}
        status: dict[str, Any] = obj.get("status") or {}
        said = {one["type"]: one["status"] for one in status.get("conditions", [])}
        return status if said == wanted else None

    return await wait_until(look, deadline_s=30, what=f"policy {name} is {wanted}")


async def _told(installation: Installation, name: str) -> list[Object]:
    events = await installation.cluster.list(EVENT)
    return [
        event
        for event in events
        if event["involvedObject"].get("name") == name and event["reason"] == "DocumentRefused"
    ]
