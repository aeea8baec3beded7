"""What happens in a cluster, and what other tools say, makes versions on the real thing, once."""

import asyncio
import os
from pathlib import Path

import pytest

from appshield.contracts import streams
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.kubernetes.kinds import CONFIG_MAP, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from cluster_application import deploy, namespace_of_its_own
from failures import traces
from installation import Installation
from waiting import wait_until

RULES = [
    {
        "name": "rollout",
        "on": {
            "change": {
                "of": ["statefulsets"],
                "when": "new.spec.template != old.spec.template",
            },
            "settle": "20s",  # by then the pod runs again
        },
    },
    {"name": "gone", "on": {"change": {"of": ["configmaps"], "when": "new == null"}}},
    {"name": "deployed", "on": {"signal": "deployed", "when": "payload.app == app.namespace"}},
]
DEADLINE_S = 150


@pytest.mark.timeout(400)
async def test_rollouts_deletions_and_signals_make_one_version_each(
    installation: Installation, local_cluster: ClusterFacts, nats_cli: Path
) -> None:
    """A rollout in several steps, a deletion while the watcher is dead, the `nats` command line."""
    cluster = installation.cluster
    async with namespace_of_its_own(installation, "triggers") as namespace:
        spec = {"protect": RULES}
        await deploy(installation, namespace, local_cluster.busybox_image, spec=spec)
        notes = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}
        await cluster.create(CONFIG_MAP, notes, namespace=namespace)
        record = await installation.known(installation.app(namespace))
        await _remembered(installation, record.app_id, {"db", "notes"})

        for step in ("one", "two"):
            await _roll_out(installation, namespace, step)
        await _made(installation, record.app_id, rollout=1)

        old = installation.pid("watcher")
        killing = asyncio.create_task(installation.kill("watcher"))
        await wait_until(lambda: not _lives(old), deadline_s=30, what="the watcher is dead")
        await cluster.delete(CONFIG_MAP, "notes", namespace=namespace)
        await killing
        await _made(installation, record.app_id, rollout=1, gone=1)

        for _ in range(2):
            await _signal(installation, nats_cli, namespace)
        await _made(installation, record.app_id, rollout=1, gone=1, deployed=1)
        await installation.kill("watcher")
        await _roll_out(installation, namespace, "three")
        await _made(installation, record.app_id, rollout=2, gone=1, deployed=1)
    assert traces(installation) == []


async def _roll_out(installation: Installation, namespace: str, step: str) -> None:
    note = {"spec": {"template": {"metadata": {"annotations": {"step": step}}}}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", note, namespace=namespace)


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


async def _remembered(installation: Installation, app_id: str, names: set[str]) -> None:
    """Wait until the watcher remembers these objects, after all of their kinds were read."""
    bucket = installation.bus.bucket(streams.PROJECTIONS, dict[str, object])

    async def look() -> bool:
        entries = [entry.value async for entry in bucket.items(f"{app_id}.")]
        seen = {str(entry.get("object", "")).rpartition("/")[2] for entry in entries}
        return names <= seen and any("meanings" in entry for entry in entries)

    await wait_until(look, deadline_s=DEADLINE_S, what=f"{names} are remembered", every_s=0.5)


async def _made(installation: Installation, app_id: str, **versions: int) -> None:
    """Wait until each rule has made just so many versions, and nothing else is under way."""
    bucket = installation.bus.bucket(streams.RUNS, Run)

    async def look() -> bool:
        runs = [entry.value async for entry in bucket.items() if entry.value.app_id == app_id]
        backups = [run for run in runs if run.kind == "backup"]
        failed = [run.failure for run in backups if run.state in {"failed", "cancelled"}]
        assert not failed
        done = [run.trigger.name for run in backups if run.state == "succeeded"]
        over = all(run.state in FINAL_STATES for run in backups)
        return over and {name: done.count(name) for name in done} == versions

    await wait_until(look, deadline_s=DEADLINE_S, what=f"versions: {versions}", every_s=0.5)


async def _signal(installation: Installation, nats_cli: Path, namespace: str) -> None:
    """Publish a signal as any tool could, with an identity of its own."""
    connection = read_connection(installation.home)
    process = await asyncio.create_subprocess_exec(
        str(nats_cli),
        "--server",
        connection.nats_url,
        "--nkey",
        str(installation.home.folder / "bus" / "users" / "person.nk"),
        "--inbox-prefix",
        "_INBOX_person",
        "pub",
        "-H",
        f"Nats-Msg-Id:{namespace}",
        "appshield.v1.signal.deployed",
        f'{{"app": "{namespace}"}}',
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
