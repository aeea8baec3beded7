"""What AppShield leaves in a bucket is its owner's: the real restic reads it, and may lock it.

A lock of a killed worker is gone within a minute, by its successor; a lock of anybody else stays.
"""

import asyncio
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Run
from appshield.local.cluster import ClusterFacts
from cluster_application import CLAIM, deploy, folder_on_node, namespace_of_its_own, run_in
from file_trees import describe, make_hostile_tree
from installation import Installation
from restic_binary import Restic
from waiting import wait_until

pytestmark = pytest.mark.timeout(240)

UNLOCKED_WITHIN_S = 60.0


@pytest.fixture(scope="module")
async def namespace(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[str]:
    """One application with a volume that takes a while to read."""
    async with namespace_of_its_own(installation, "restic") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        make = "dd if=/dev/urandom of=/data/big bs=1M count=40 2>/dev/null && sync"
        await run_in(installation, namespace, make)
        yield namespace


def _contents(folder: Path) -> dict[bytes, tuple[int, int, str, bytes]]:
    """Say what is below a directory, but for sockets: no restic keeps those."""
    return {
        path: (entry.kind, entry.mode, entry.content, entry.linktarget)
        for path, entry in describe(folder).items()
        if not stat.S_ISSOCK(entry.kind)
    }


async def test_the_real_restic_restores_a_volume_byte_for_byte(
    installation: Installation,
    local_cluster: ClusterFacts,
    namespace: str,
    restic: Restic,
    tmp_path: Path,
) -> None:
    """Without AppShield, with the bucket and the password alone."""
    volume = await folder_on_node(installation, local_cluster, namespace)
    await asyncio.to_thread(make_hostile_tree, volume / "hostile")
    run = await installation.back_up(installation.app(namespace))
    assert (run.state, run.failure) == ("succeeded", None)
    source = f"{run.snapshot_id}:/volumes/{CLAIM}"
    await installation.restic(restic, run.app_id, "restore", source, "--target", tmp_path)
    kept = await asyncio.to_thread(_contents, volume / "hostile")
    assert await asyncio.to_thread(_contents, tmp_path / "hostile") == kept
    assert (tmp_path / "big").read_bytes() == (volume / "big").read_bytes()


async def test_a_dead_workers_lock_goes_within_a_minute_and_a_foreign_one_stays(
    installation: Installation, namespace: str, restic: Restic
) -> None:
    """Both are as stale; only the one on record is ours to remove."""
    app = installation.app(namespace)
    run = await installation.back_up(app)

    async def locks() -> set[str]:
        listed = await installation.restic(restic, run.app_id, "list", "locks", "--no-lock")
        return set(listed.decode().split())

    assert await locks() == set()
    stranger = await _waiting_restic(installation, restic, run.app_id)
    [foreign] = await wait_until(locks, deadline_s=30, what="the foreign lock")
    stranger.send_signal(signal.SIGKILL)
    await stranger.wait()

    asked = await installation.ask(RequestBackup(app=app, request_id=str(uuid4())))
    await installation.reached(asked, _stores, "a volume is stored")

    async def two() -> bool:
        return len(await locks()) > 1

    await wait_until(two, deadline_s=30, what="the uploader's lock")
    await asyncio.gather(installation.kill("uploader"), installation.kill("uploader-agent"))
    killed_at = time.monotonic()

    async def ours_is_gone() -> bool:
        ended = (await installation.ended(asked)).state == "succeeded"
        return ended and await locks() == {foreign}

    await wait_until(ours_is_gone, deadline_s=UNLOCKED_WITHIN_S, what="the dead worker's lock gone")
    assert time.monotonic() - killed_at < UNLOCKED_WITHIN_S
    await installation.restic(restic, run.app_id, "unlock", "--remove-all")


def _stores(run: Run) -> bool:
    return any(s.name.startswith("store/volumes") and s.state == "running" for s in run.steps)


async def _waiting_restic(
    installation: Installation, restic: Restic, app_id: str
) -> asyncio.subprocess.Process:
    """Start a stock backup that holds its lock until it is killed: its input never ends."""
    environment = await installation.restic_environment(app_id)
    return await asyncio.create_subprocess_exec(
        restic.program,
        "backup",
        "--stdin",
        "--no-cache",
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
