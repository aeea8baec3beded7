"""Nothing that AppShield writes holds a secret: not the bus, the bucket, a log or a failure."""

import asyncio
import base64
import hashlib
import secrets
from typing import Any

import pytest

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, SECRET, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from appshield.local.up import PRIMARY
from appshield.vault import export_root_key
from appshield.vault.finding import ClusterVaults
from cluster_application import (
    NAME,
    QUIESCE,
    component,
    deploy,
    namespace_of_its_own,
    remove_namespace,
    run_in,
    until_running,
)
from installation import Installation
from planting import forms, search, told
from waiting import wait_until

PLACES = ("secret", "environment", "argument", "annotation", "file", "rotated")
ROTATED = {"name": "rotated", "on": {"change": {"of": ["secrets"], "when": "new.data != old.data"}}}
PLANTED = {place: f"planted-{place}-{secrets.token_hex(12)}" for place in PLACES}


def noisy(script: str) -> list[str]:
    """Write a hook that carries an argument and prints all that it knows before it ends."""
    says = 'echo "$KEY and $TOKEN" >&2'
    return ["sh", "-c", f"set -x; : {PLANTED['argument']}; {says}; {script}"]


def dumped(**hooks: Any) -> Object:
    """Describe the component with hooks and a dump that is kept beside the snapshot."""
    plain = {
        "quiesce": {"command": noisy(QUIESCE[2])},
        "dump": {"command": noisy("cat /data/planted")},
        "load": {"command": noisy("cat > /data/planted; exit 1")},
    }
    return component(**{**plain, **hooks})


@pytest.mark.timeout(240)
async def test_no_planted_secret_is_found_after_backups_and_restores_that_end_in_every_way(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Searched plain and in base64: all streams, buckets and objects, the logs, the bus's disk."""
    async with (
        namespace_of_its_own(installation, "planted") as namespace,
        namespace_of_its_own(installation, "planted-copy") as other,
        namespace_of_its_own(installation, "planted-load") as third,
    ):
        app = installation.app(namespace)
        await _plant(installation, namespace, local_cluster.busybox_image)
        done = await installation.back_up(app)
        assert (done.state, done.failure) == ("succeeded", None)
        await _rotate(installation, app)
        await _declare(installation, namespace, dumped(quiesce={"command": noisy("exit 1")}))
        failed = await installation.back_up(app)
        assert failed.state == "failed"
        assert "what Secret credentials said before it was changed" in str(failed.failure)
        await _restart(installation, namespace)
        failed = await installation.back_up(app)
        assert "[hidden] and [hidden]" in str(failed.failure)
        await _declare(installation, namespace, dumped(dump={"command": noisy("exit 1")}))
        failed = await installation.back_up(app)
        assert failed.state == "failed"
        assert "[hidden] and [hidden]" in str(failed.failure)
        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        assert PLANTED["file"] in await run_in(installation, other, "cat /data/planted")

        await _declare(installation, namespace, dumped(strategy="dump", quiesce=None, resume=None))
        done = await installation.back_up(app)
        assert (done.state, done.failure) == ("succeeded", None)
        assert done.version
        failed = await installation.restore(app, done.version, to=third)
        assert failed.state == "failed"
        assert "[hidden] and [hidden]" in str(failed.failure)
        await remove_namespace(installation, namespace)

        assert await search(installation, [*PLANTED.values(), *await _own(installation, app)]) == []


async def _plant(installation: Installation, namespace: str, image: str) -> None:
    """Run the application with a secret in each place that a secret can be in."""
    spec = {"components": [dumped()], "protect": [ROTATED]}
    await deploy(installation, namespace, image, secret=PLANTED["secret"], spec=spec)
    note = {"metadata": {"annotations": {"test.appshield.io/note": PLANTED["annotation"]}}}
    for kind, name in ((APPLICATION, NAME), (CONFIG_MAP, "settings"), (STATEFUL_SET, "db")):
        await installation.cluster.merge_patch(kind, name, note, namespace=namespace)
    found = await installation.cluster.get(STATEFUL_SET, "db", namespace)
    assert found is not None
    container = found["spec"]["template"]["spec"]["containers"][0]
    variable = {"name": "TOKEN", "value": PLANTED["environment"]}
    pod = {"containers": [{**container, "env": [variable]}]}
    patch = {"spec": {"template": {"spec": pod}}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    await until_running(installation, namespace)
    await run_in(installation, namespace, f"echo {PLANTED['file']} > /data/planted")


async def _rotate(installation: Installation, app: AppRef) -> None:
    """Change the Secret, which a rule looks into, and wait for the version that it asks for."""
    other = {"stringData": {"KEY": PLANTED["rotated"]}}
    await installation.cluster.merge_patch(SECRET, "credentials", other, namespace=app.namespace)
    bucket = installation.bus.bucket(streams.RUNS, Run)

    async def made() -> bool:
        runs = [entry.value async for entry in bucket.items() if entry.value.app == app]
        asked = [run for run in runs if run.trigger.name == ROTATED["name"]]
        assert not [run.failure for run in asked if run.state == "failed"]
        return any(run.state == "succeeded" for run in asked)

    await wait_until(made, deadline_s=90, what="a version because of the changed Secret")


async def _restart(installation: Installation, namespace: str) -> None:
    """Let the pod start again, which takes the Secret as it is now."""
    note = {"metadata": {"annotations": {"test.appshield.io/restart": "1"}}}
    patch = {"spec": {"template": note}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    await until_running(installation, namespace)


async def _declare(installation: Installation, namespace: str, part: Object) -> None:
    patch = {"spec": {"components": [part]}}
    await installation.cluster.merge_patch(APPLICATION, NAME, patch, namespace=namespace)


async def _own(installation: Installation, app: AppRef) -> list[str]:
    """List AppShield's own secrets: of the store, for agents, of the Vault, of the repository."""
    access = await ClusterVaults(installation.cluster).access(PRIMARY)
    bucket = installation.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
    records = [entry.value async for entry in bucket.items() if entry.value.app == app]
    shelves = [(await installation.vault()).application(record.app_id) for record in records]
    passwords = [await asyncio.to_thread(shelf.repository_password) for shelf in shelves]
    assert passwords
    exported = export_root_key(access.root_key)
    keys = [exported, exported.replace("-", ""), access.root_key.hex()]
    assert access.agent_credentials
    stores = [access.credentials.secret_key, access.agent_credentials.secret_key]
    return [*stores, *keys, *passwords]


async def test_the_search_finds_what_is_there(installation: Installation) -> None:
    """A search that looks nowhere finds nothing either: this one sees every kind of place."""
    names = {place.partition(" ")[0] for place in [where async for where, _ in told(installation)]}
    assert {"APPSHIELD_STATE", "APPSHIELD_OUTCOMES", "APPSHIELD_RUNS", "bucket"} <= names
    assert any(name.endswith("snapshotter.log") for name in names)
    assert any(name.endswith(".blk") for name in names)
    assert await search(installation, [installation.cluster_name])


@pytest.mark.parametrize("before", range(4))
def test_a_secret_is_found_within_base64_wherever_it_begins(before: int) -> None:
    """Base64 has three phases; each is looked for."""
    secret = hashlib.sha256(b"x").hexdigest()
    text = base64.b64encode(b"'" * before + secret.encode() + b"...")
    assert any(form in text for form in forms(secret))
