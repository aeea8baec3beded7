"""End to end on the real local cluster: from a request on the bus to a version or a running pod.

What is measured, and what is allowed for it, is in `cluster_rows`. AppShield runs as a person runs
it, by `appshield up`. The cluster is a new one and is deleted at the end.
"""

import asyncio
import math
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

from appshield.contracts import decode, subjects
from appshield.contracts.backups import BackupStored
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.contracts.streams import OUTCOMES
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, DEPLOYMENT, STATEFUL_SET
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_down, cluster_up
from bench.appshield_process import RunningAppShield, running
from bench.cluster_rows import OURS
from bench.data_sets import DATA_SETS, MIB, DataSet, changed, digest, ensure_made
from bench.measuring import Measured
from bench.samples import Samples
from cluster_application import (
    component,
    document,
    folder_on_node,
    namespace_of_its_own,
    stateful_set,
    until_running,
)
from installation import Installation

VOLUME_SIZE: Final = "8Gi"
REQUESTS_PER_ROUND: Final = 40
COMMANDS_PER_ROUND: Final = 5
SCALES: Final = {"mixed": 1.0, "small": 0.5}
"""2 GiB in 200 files, and 50,000 of the 100,000 small files: what the peer was measured with."""


@dataclass(frozen=True, slots=True)
class ClusterBench:
    """Where things are, and who is told."""

    data: Path
    work: Path
    samples: Samples
    scale: float
    report: Callable[[str], None]

    async def run(self, rounds: int) -> None:
        """Measure all rows, every one of them once in each round."""
        name = os.environ.get("APPSHIELD_TEST_CLUSTER", "bench")
        settings = ClusterSettings.from_environment(os.environ, name=name)
        try:
            facts = await cluster_up(settings, self.report)
            async with running(facts, settings, self.work / "appshield") as appshield:
                for number in range(rounds):
                    await self._measure_requests(appshield, number)
                    for data_set, scale in SCALES.items():
                        made = DATA_SETS[data_set].scaled(scale * self.scale)
                        source = await asyncio.to_thread(ensure_made, self.data, made)
                        async with application(appshield.installation, facts, source) as app:
                            await self._measure_data(appshield, app, made, number)
        finally:
            await cluster_down(settings, self.report, purge=True)

    async def _measure_data(
        self, appshield: RunningAppShield, app: "_Application", made: DataSet, number: int
    ) -> None:
        """Back up, change, back up again, restore, compare."""
        await self._step(f"{made.name}-first", number, appshield, app.back_up)
        with changed(app.folder, made):
            await self._step(f"{made.name}-changed", number, appshield, app.back_up)
            expected = await asyncio.to_thread(digest, app.folder)
            async with namespace_of_its_own(app.installation, "restored") as target:
                await self._step(
                    f"{made.name}-restore",
                    number,
                    appshield,
                    lambda done: app.restore(target, done),
                )
                restored = await folder_on_node(app.installation, app.facts, target)
                found = await asyncio.to_thread(digest, restored / app.folder.name)
                assert found == expected, f"{made.name} came back wrong"

    async def _step(
        self,
        row: str,
        number: int,
        appshield: RunningAppShield,
        action: Callable[[Callable[[], None]], Awaitable[Run]],
    ) -> None:
        measured: dict[str, Measured] = {}
        async with appshield.measured(measured) as done:
            run = await action(done)
        for program, one in measured.items():
            self.samples.add(number, row, program, one)
        ours = measured[OURS]
        self.report(
            f"round {number + 1}  {row:16} {ours.wall_s:8.2f} s wall "
            f"{ours.cpu_s:8.2f} s CPU {ours.pss_peak_bytes / MIB:6.0f} MiB"
        )
        self.report(f"         {timeline(run)}")

    async def _measure_requests(self, appshield: RunningAppShield, number: int) -> None:
        """Measure what there is to wait for when an application has no data to speak of."""
        async with plain_application(appshield.installation) as app:
            waited = [await stored_after_s(appshield.installation, app) for _ in range(4)]  # warm
            waited = [
                await stored_after_s(appshield.installation, app) for _ in range(REQUESTS_PER_ROUND)
            ]
            self._add(number, "stored-p50", median(waited))
            self._add(number, "stored-p99", percentile(waited, 99))
            name = f"{app.namespace}/{app.name}"
            await self._command(appshield, number, "command-list", "versions", name)
            await self._command(appshield, number, "command-backup", "backup", name, "--wait")
            walls = []
            for _ in range(COMMANDS_PER_ROUND):
                async with namespace_of_its_own(appshield.installation, "restored") as target:
                    words = ("restore", name, "1", "--to", target, "--wait")
                    walls.append(await appshield.command(*words))
            self._add(number, "command-restore", median(walls))

    async def _command(
        self, appshield: RunningAppShield, number: int, row: str, *words: str
    ) -> None:
        walls = [await appshield.command(*words) for _ in range(COMMANDS_PER_ROUND)]
        self._add(number, row, median(walls))

    def _add(self, number: int, row: str, wall_s: float) -> None:
        measured = Measured(wall_s=wall_s, cpu_s=0.0, pss_peak_bytes=0)
        self.samples.add(number, row, OURS, measured)
        self.report(f"round {number + 1}  {row:16} {wall_s:8.3f} s")


@dataclass(frozen=True, slots=True)
class _Application:
    """An application that does nothing but hold a data set in its volume."""

    installation: Installation
    facts: ClusterFacts
    namespace: str
    folder: Path

    async def back_up(self, done: Callable[[], None]) -> Run:
        """Ask for a version; it is done when that exists. Returns when the run has ended."""
        request = RequestBackup(app=self._app, request_id=uuid4().hex)
        run = await self.installation.ask(request)
        await self.installation.reached(run, lambda found: bool(found.snapshot_id), "its version")
        done()
        return await self._succeeded(run)

    async def restore(self, target: str, done: Callable[[], None]) -> Run:
        """Ask for the last version in another namespace; it is done when its pod is ready."""
        request = RequestRestore(
            app=self._app, request_id=uuid4().hex, version=2, target_namespace=target
        )
        run = await self.installation.ask(request)
        await until_running(self.installation, target)
        done()
        return await self._succeeded(run)

    @property
    def _app(self) -> AppRef:
        return self.installation.app(self.namespace)

    async def _succeeded(self, run: str) -> Run:
        ended = await self.installation.ended(run)
        assert ended.state == "succeeded", ended.failure
        return ended


@asynccontextmanager
async def application(
    installation: Installation, facts: ClusterFacts, source: Path
) -> AsyncIterator[_Application]:
    """Run an application with a copy of a data set in its volume, for the time of the block."""
    async with namespace_of_its_own(installation, "bench") as namespace:
        cluster = installation.cluster
        await cluster.create(STATEFUL_SET, idle(facts.busybox_image), namespace=namespace)
        described = document(namespace, components=[component(quiesce=None, resume=None)])
        await cluster.create(APPLICATION, described)
        await until_running(installation, namespace)
        folder = await folder_on_node(installation, facts, namespace) / "data"
        await asyncio.to_thread(shutil.copytree, source, folder)
        await asyncio.to_thread(os.sync)
        await installation.known(installation.app(namespace))
        yield _Application(installation, facts, namespace, folder)


def idle(image: str) -> dict[str, Any]:
    """Describe the workload: a pod that sleeps, with a roomy volume."""
    body = stateful_set(image)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["command"] = ["sleep", "100000"]
    container.pop("envFrom")
    (claim,) = body["spec"]["volumeClaimTemplates"]
    claim["spec"]["resources"]["requests"]["storage"] = VOLUME_SIZE
    return dict(body)


@asynccontextmanager
async def plain_application(installation: Installation) -> AsyncIterator[AppRef]:
    """Make an application without volumes, and whose workload has no pods to wait for."""
    async with namespace_of_its_own(installation, "plain") as namespace:
        settings: Object = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"COLOR": "blue"}}
        settings["metadata"] = {"name": "settings"}
        labels = {"app": "web"}
        deployment: Object = {"apiVersion": "apps/v1", "kind": "Deployment"}
        deployment["metadata"] = {"name": "web"}
        deployment["spec"] = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        }
        await installation.cluster.create(CONFIG_MAP, settings, namespace=namespace)
        await installation.cluster.create(DEPLOYMENT, deployment, namespace=namespace)
        await installation.cluster.create(APPLICATION, document(namespace, components=[]))
        app = installation.app(namespace)
        await installation.known(app)
        yield app


async def stored_after_s(installation: Installation, app: AppRef) -> float:
    """Ask for a version; return the seconds until the stream has `backup.stored` of it."""
    asked_at = time.time()
    run = await installation.ask(RequestBackup(app=app, request_id=uuid4().hex))
    ended = await installation.ended(run)
    assert ended.state == "succeeded", ended.failure
    stored = subjects.event(BackupStored.noun, BackupStored.verb, app)
    async for message in installation.bus.read(OUTCOMES, filters=(stored,)):
        outcome = decode(message.body)
        if isinstance(outcome, BackupStored) and outcome.run == run:
            return message.time.timestamp() - asked_at
    raise AssertionError(f"run {run} has stored nothing")


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the least of the values that so many in a hundred do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def timeline(run: Run) -> str:
    """Say when the steps of a run began and how long they took, from its request on."""
    parts = []
    for step in run.steps:
        begun_s = (step.started_at - run.requested_at).total_seconds()
        took_s = (step.finished_at - step.started_at).total_seconds() if step.finished_at else 0.0
        parts.append(f"{step.name} at {begun_s:.2f} took {took_s:.2f}")
    return "; ".join(parts)
