"""Each service is killed once in the middle of a backup and of a restore, and started again.

So are the message bus, the object store and the API server.

Whatever the stage: exactly one complete version or restore, an application that runs on, and
nothing left behind. One application serves all of them, so that its numbers tell of a version
too many.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG
from appshield.local.cluster import ClusterFacts, ComponentStatus, cluster_status
from cluster_application import (
    CLAIM,
    deploy,
    folder_on_node,
    is_quiesced,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from installation import Installation, Stage
from local_cluster import settings_of_this_process
from restic_binary import Restic
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

BIG_MIB = 40
RESUMED_WITHIN_S = 20.0


class Protected(msgspec.Struct, frozen=True):
    """An application that runs, what of its data never changes, and how it is looked at."""

    installation: Installation
    restic: Restic
    app: AppRef
    app_id: str
    big_sha256: str

    async def versions(self) -> list[VersionRecord]:
        """List its versions that the catalog knows, by number."""
        bucket = self.installation.bus.bucket(CATALOG, VersionRecord)
        found = [entry.value async for entry in bucket.items(f"{self.app_id}.")]
        return sorted(found, key=lambda version: version.facts.number)

    async def ensure_one_version(self, run: Run, before: int, folder: Path) -> None:
        """One version more than before, whole, and nothing else; the application runs on."""
        assert (run.state, run.failure) == ("succeeded", None)
        assert not await is_quiesced(self.installation, self.app.namespace)
        assert await nothing_left_behind(self.installation, self.app.namespace)
        versions = await self.versions()
        assert len(versions) == before + 1
        listed = await self._restic("snapshots", "--json")
        ids = {found["id"] for found in msgspec.json.decode(listed)}
        assert ids == {version.snapshot_id for version in versions}
        source = f"{run.snapshot_id}:/volumes/{CLAIM}"
        await self._restic("restore", source, "--target", folder)
        await asyncio.to_thread(self._ensure_same_data, folder)

    def _ensure_same_data(self, folder: Path) -> None:
        assert hashlib.sha256((folder / "big").read_bytes()).hexdigest() == self.big_sha256
        found = list(folder.glob("rows/[0-9]*"))
        ensure_rows({int(row.name): row.read_text().strip() for row in found})

    async def _restic(self, *arguments: str | Path) -> bytes:
        return await self.installation.restic(self.restic, self.app_id, *arguments, "--no-lock")


@pytest.fixture(scope="module")
async def protected(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic
) -> AsyncIterator[Protected]:
    """One application with a volume that takes a while to read."""
    async with namespace_of_its_own(installation, "kills") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        make = f"dd if=/dev/urandom of=/data/big bs=1M count={BIG_MIB} 2>/dev/null && sync"
        await run_in(installation, namespace, make)
        digest = (await run_in(installation, namespace, "sha256sum /data/big")).split()[0]
        app = installation.app(namespace)
        record = await installation.known(app)
        yield Protected(installation, restic, app, record.app_id, digest)


async def kill_api_server() -> None:
    """End the API server at once, and wait until its supervisor has started it again."""
    killed = api_server()
    os.kill(killed.pid, signal.SIGKILL)

    def again() -> bool:
        now = api_server()
        return now.ready and now.starts > killed.starts

    await wait_until(again, deadline_s=60, what="the API server started again")


def api_server() -> ComponentStatus:
    components = cluster_status(settings_of_this_process()).components
    return next(part for part in components if part.name == "kube-apiserver")


def runs(step: str) -> Stage:
    """Say that a run is at a step: order given, outcome not there."""

    def at(run: Run) -> bool:
        return any(s.name.startswith(step) and s.state == "running" for s in run.steps)

    return at


async def quiesced(protected: Protected, facts: ClusterFacts) -> tuple[str, Path]:
    """Ask for a backup and wait until the application waits; return the run, and what shows it."""
    installation = protected.installation
    folder = await folder_on_node(installation, facts, protected.app.namespace)
    marker = folder / "quiesced"
    run = await installation.ask(RequestBackup(app=protected.app, request_id=str(uuid4())))
    await wait_until(marker.exists, deadline_s=60, what="quiesced", every_s=0.005)
    return run, marker


def ensure_rows(rows: dict[int, str]) -> None:
    """Rows are an unbroken sequence, each whole."""
    assert rows
    assert rows == {number: f"row {number}" for number in range(1, len(rows) + 1)}


@pytest.mark.parametrize(
    ("service", "step"),
    [
        ("planner", "take"),
        ("watcher", "take"),
        ("uploader-agent", "store/volumes"),
        ("uploader", "store/volumes"),
        ("planner", "store/volumes"),
        ("bus", "store/volumes"),
        ("store", "store/volumes"),
        ("uploader", "commit"),
        ("planner", "commit"),
        ("snapshotter", "release"),
        ("restorer", "store/volumes"),
    ],
)
async def test_a_service_killed_during_a_backup_costs_no_version_and_makes_none_twice(
    service: str, step: str, protected: Protected, tmp_path: Path
) -> None:
    """The service starts again and the run goes on to its one version."""
    installation = protected.installation
    before = len(await protected.versions())
    run = await installation.ask(RequestBackup(app=protected.app, request_id=str(uuid4())))
    await installation.reached(run, runs(step), f"step {step}")
    await installation.kill(service)
    await protected.ensure_one_version(await installation.ended(run), before, tmp_path)


async def test_an_application_quiesced_by_a_killed_snapshotter_resumes_and_is_saved_once(
    local_cluster: ClusterFacts, protected: Protected, tmp_path: Path
) -> None:
    """The promise to resume is kept long before the order comes again."""
    installation = protected.installation
    before = len(await protected.versions())
    run, marker = await quiesced(protected, local_cluster)
    os.kill(installation.pid("snapshotter"), signal.SIGKILL)
    assert marker.exists(), "killed while the application waits"
    await wait_until(lambda: not marker.exists(), deadline_s=RESUMED_WITHIN_S, what="resumed")
    await protected.ensure_one_version(await installation.ended(run), before, tmp_path)


async def test_an_api_server_killed_while_the_application_waits_costs_no_version(
    local_cluster: ClusterFacts, protected: Protected, tmp_path: Path
) -> None:
    """Nobody can resume it until the API server is back; it is resumed then, and saved once."""
    installation = protected.installation
    before = len(await protected.versions())
    run, _ = await quiesced(protected, local_cluster)
    await kill_api_server()
    await protected.ensure_one_version(await installation.ended(run), before, tmp_path)


@pytest.mark.parametrize(
    ("service", "step"),
    [
        ("api-server", "apply"),
        ("restorer", "prepare"),
        ("restorer-agent", "load"),
        ("restorer", "load"),
        ("planner", "load"),
        ("store", "load"),
        ("restorer", "apply"),
        ("planner", "apply"),
        ("restorer", "finish"),
        ("watcher", "load"),
        ("snapshotter", "load"),
        ("uploader", "load"),
    ],
)
async def test_a_service_killed_during_a_restore_costs_no_byte_of_it(
    service: str, step: str, protected: Protected
) -> None:
    """The restore goes on where it was and ends with an application that runs."""
    installation = protected.installation
    if not await protected.versions():
        await installation.back_up(protected.app)
    [*_, newest] = await protected.versions()
    async with namespace_of_its_own(installation, "killed") as target:
        request = RequestRestore(
            app=protected.app,
            request_id=str(uuid4()),
            version=newest.facts.number,
            target_namespace=target,
        )
        run = await installation.ask(request)
        await installation.reached(run, runs(step), f"step {step}")
        await (kill_api_server() if service == "api-server" else installation.kill(service))
        ended = await installation.ended(run)
        assert (ended.state, ended.failure) == ("succeeded", None)
        await until_running(installation, target)
        assert await nothing_left_behind(installation, target)
        assert not await is_quiesced(installation, target)
        digest = await run_in(installation, target, "sha256sum /data/big")
        assert digest.split()[0] == protected.big_sha256
        lines = (await run_in(installation, target, "cd /data/rows; grep -H . [0-9]*")).splitlines()
        ensure_rows({int(name): text for name, text in (line.split(":") for line in lines)})
