"""Somebody in the pod swaps directories for links to the host: nothing outside is read or written.

The same adversary as in the unit tests of the files library, here against the real services and a
volume that they reach on the real node. The canary stands for /etc.
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from appshield.contracts.requests import RequestRestore
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.kubernetes.kinds import POD
from appshield.local.cluster import PLAIN_STORAGE_CLASS, ClusterFacts
from cluster_application import (
    CLAIM,
    deploy,
    folder_on_node,
    namespace_of_its_own,
    run_in,
)
from file_trees import Entry, describe
from installation import Installation
from restic_binary import Restic
from waiting import wait_for_now

pytestmark = pytest.mark.timeout(240)

SECRET = b"a secret of the host"
PREY = 40
"""Directories that are swapped: each holds files, so that somebody is in one of them often."""

_renameat2 = ctypes.CDLL(None).renameat2
_HERE = -100
_EXCHANGE = 2


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A directory of the host with a secret, which nobody may read or write."""
    canary = tmp_path / "canary"
    canary.mkdir()
    for number in range(20):
        (canary / f"file{number}").write_bytes(SECRET)
        (canary / f"file{number}").chmod(0o600)
    return canary


@contextmanager
def swapped_all_the_time(volume: Path, canary: Path) -> Iterator[None]:
    """Exchange the directories `prey*` of a volume for links to the canary, again and again."""
    adversary = os.fork()
    if not adversary:
        with suppress(BaseException):
            while True:
                for number in range(PREY):
                    _swap(volume / f"prey{number}", volume / f".link{number}", canary)
        os._exit(0)
    try:
        wait_for_now(
            lambda: os.path.lexists(volume / f".link{PREY - 1}"),
            deadline_s=30,
            what="the adversary has been everywhere",
        )
        yield
    finally:
        os.kill(adversary, signal.SIGKILL)
        os.waitpid(adversary, 0)


def _swap(prey: Path, link: Path, canary: Path) -> None:
    """Plant a link where nothing is yet, and exchange what is there for one in one step."""
    for place in (prey, link):
        with suppress(OSError):
            place.symlink_to(canary)
    _renameat2(_HERE, bytes(prey), _HERE, bytes(link), _EXCHANGE)


async def test_a_backup_reads_nothing_outside_of_a_live_volume(
    installation: Installation,
    local_cluster: ClusterFacts,
    canary: Path,
    restic: Restic,
    tmp_path: Path,
) -> None:
    """Links are stored as links; the secret is in no file of the version."""
    async with namespace_of_its_own(installation, "race") as namespace:
        image = local_cluster.busybox_image
        await deploy(installation, namespace, image, storage_class=PLAIN_STORAGE_CLASS)
        await run_in(installation, namespace, _make_prey())
        volume = await folder_on_node(installation, local_cluster, namespace)
        with swapped_all_the_time(volume, canary):
            run = await installation.back_up(installation.app(namespace))
        assert run.state in FINAL_STATES
        assert run.state == "succeeded", run.failure
        source = f"{run.snapshot_id}:/volumes/{CLAIM}"
        out = tmp_path / "out"
        await installation.restic(restic, run.app_id, "restore", source, "--target", out)
        found = await asyncio.to_thread(lambda: list(out.rglob("*")))
        files = [path for path in found if path.is_file() and not path.is_symlink()]
        assert {"big", "rows"} <= {path.name for path in out.iterdir()}
        links = [path for path in found if path.is_symlink()]
        assert links or _troubled(run), "the adversary was never in the way"
        assert [path for path in files if SECRET in path.read_bytes()] == []


async def test_a_restore_writes_nothing_outside_of_the_volume(
    installation: Installation, local_cluster: ClusterFacts, canary: Path
) -> None:
    """Whatever becomes of the restore: the host's directory is as it was."""
    before = await asyncio.to_thread(_described, canary)
    async with (
        namespace_of_its_own(installation, "prey") as namespace,
        namespace_of_its_own(installation, "raced") as target,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        await run_in(installation, namespace, _make_prey())
        app = installation.app(namespace)
        assert (await installation.back_up(app)).state == "succeeded"
        request = RequestRestore(
            app=app, request_id=str(uuid4()), version=1, target_namespace=target
        )
        run = await installation.ask(request)
        loading = await installation.reached(run, _loads, "a volume is loaded")
        assert loading.restore
        [volume] = loading.restore.prepared
        pod = await installation.cluster.get(POD, volume.pod, target)
        assert pod is not None
        folder = await folder_on_node(installation, local_cluster, target, volume.pod, CLAIM)
        with swapped_all_the_time(folder, canary):
            ended = await installation.ended(run)
        assert ended.state in {"succeeded", "failed"}
    assert await asyncio.to_thread(_described, canary) == before


def _troubled(run: Run) -> list[str]:
    """Return what became of prey while it was stored."""
    told = [text for source in run.backup.stored for text in source.problems] if run.backup else []
    return [text for text in told if "prey" in text or ".link" in text]


def _make_prey() -> str:
    """Write the script that makes the directories, each with names that the canary has too."""
    big = "dd if=/dev/urandom of=/data/big bs=1M count=24 2>/dev/null"
    files = "for f in $(seq 0 19); do echo mine > /data/prey$d/file$f; done"
    return f"for d in $(seq 0 {PREY - 1}); do mkdir -p /data/prey$d; {files}; done; {big}; sync"


def _loads(run: Run) -> bool:
    return any(s.name.startswith("load/") and s.state == "running" for s in run.steps)


def _described(canary: Path) -> dict[bytes, Entry]:
    return describe(canary)
