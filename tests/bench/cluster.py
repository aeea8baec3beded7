"""End to end on the real local cluster: from a request on the bus to a version or a running pod.

An application with one volume is backed up (first, then with 1 % changed) and restored into another
namespace. The clock runs from the publication of the request to the end of the run or, for a
restore, to a pod that is ready; afterwards the data of both volumes are compared. The memory of
AppShield (all services, their keeper and the message bus; the S3 server apart) is watched
throughout. The cluster is a new one and is deleted at the end.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appshield.contracts.runs import Run
from appshield.kubernetes.kinds import APPLICATION, STATEFUL_SET
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_down, cluster_up
from appshield.local.programs import SERVICES
from bench.data_sets import DATA_SETS, MIB, DataSet, changed, digest, ensure_made
from bench.measuring import Measured, PeakMemory, cpu_of
from bench.samples import Samples, Summary
from cluster_application import (
    component,
    document,
    folder_on_node,
    namespace_of_its_own,
    stateful_set,
    until_running,
)
from installation import Installation, installed

OURS: Final = "appshield"
SERVER: Final = "s3 server"
VOLUME_SIZE: Final = "8Gi"


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One operation on one data set, and what Velero needed for it on a machine like this one."""

    data_set: str
    step: str
    velero_s: float
    share: float
    """The part of Velero's time that is allowed."""

    @property
    def name(self) -> str:
        """What the row is called in the table."""
        return f"cluster-{self.data_set}-{self.step}"


VELERO: Final = "Velero 1.18.3 with its kopia uploader"
VELERO_PSS_BYTES: Final = 570 * MIB
PSS_BYTES: Final = VELERO_PSS_BYTES // 2
ROWS: Final = (
    ClusterRow("mixed", "first", 26.0, 0.5),
    ClusterRow("mixed", "changed", 5.4, 0.5),
    ClusterRow("mixed", "restore", 17.0, 0.5),
    ClusterRow("small", "first", 10.9, 0.5),
    ClusterRow("small", "changed", 5.4, 0.5),
    ClusterRow("small", "restore", 56.0, 0.2),
)
SCALES: Final = {"mixed": 1.0, "small": 0.5}
"""2 GiB in 200 files, and 50,000 of the 100,000 small files: what Velero was measured with."""


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
            async with installed(facts, self.work / "appshield") as installation:
                for number in range(rounds):
                    for data_set, scale in SCALES.items():
                        made = DATA_SETS[data_set].scaled(scale * self.scale)
                        source = await asyncio.to_thread(ensure_made, self.data, made)
                        async with application(installation, facts, source) as app:
                            await self._measure(app, made, number)
        finally:
            await cluster_down(settings, self.report, purge=True)

    async def _measure(self, app: "_Application", made: DataSet, number: int) -> None:
        await self._step(made, "first", number, app, app.back_up)
        with changed(app.folder, made):
            await self._step(made, "changed", number, app, app.back_up)
            expected = await asyncio.to_thread(digest, app.folder)
            async with namespace_of_its_own(app.installation, "restored") as target:
                await self._step(made, "restore", number, app, lambda: app.restore(target))
                restored = await folder_on_node(app.installation, app.facts, target)
                found = await asyncio.to_thread(digest, restored / app.folder.name)
                assert found == expected, f"{made.name} came back wrong"

    async def _step(
        self,
        made: DataSet,
        step: str,
        number: int,
        app: "_Application",
        action: Callable[[], Awaitable[Run]],
    ) -> None:
        ours, server = processes(app.installation)
        us = os.getpid()  # the keeper of all services
        before = sum(map(cpu_of, [us, *ours])), cpu_of(server)
        with PeakMemory(*ours, alone=[us]) as memory, PeakMemory(server) as memory_of_server:
            start = time.perf_counter()
            run = await action()
            wall_s = time.perf_counter() - start
        after = sum(map(cpu_of, [us, *ours])), cpu_of(server)
        row = f"cluster-{made.name}-{step}"
        for program, peak, cpu_s in (
            (OURS, memory.peak_bytes, after[0] - before[0]),
            (SERVER, memory_of_server.peak_bytes, after[1] - before[1]),
        ):
            measured = Measured(wall_s=wall_s, cpu_s=cpu_s, pss_peak_bytes=peak)
            self.samples.add(number, row, program, measured)
        self.report(
            f"round {number + 1}  {row:26} {wall_s:8.2f} s wall "
            f"{after[0] - before[0]:8.2f} s CPU {memory.peak_bytes / MIB:6.0f} MiB"
        )
        self.report(f"         {timeline(run)}")


@dataclass(frozen=True, slots=True)
class _Application:
    """An application that does nothing but hold a data set in its volume."""

    installation: Installation
    facts: ClusterFacts
    namespace: str
    folder: Path

    async def back_up(self) -> Run:
        """Ask for a version and wait until it is stored."""
        run = await self.installation.back_up(self.installation.app(self.namespace))
        assert run.state == "succeeded", run.failure
        return run

    async def restore(self, target: str) -> Run:
        """Ask for the last version in another namespace, and wait until its pod is ready."""
        app = self.installation.app(self.namespace)
        run = await self.installation.restore(app, 2, to=target)
        assert run.state == "succeeded", run.failure
        await until_running(self.installation, target)
        return run


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


def timeline(run: Run) -> str:
    """Say when the steps of a run began and how long they took, from its request on."""
    parts = []
    for step in run.steps:
        begun_s = (step.started_at - run.requested_at).total_seconds()
        took_s = (step.finished_at - step.started_at).total_seconds() if step.finished_at else 0.0
        parts.append(f"{step.name} at {begun_s:.2f} took {took_s:.2f}")
    return "; ".join(parts)


def processes(installation: Installation) -> tuple[list[int], int]:
    """Return the processes of the services and the bus, and that of the S3 server."""
    ours = [installation.pid(name) for name in (*SERVICES, "bus")]
    return ours, installation.pid("store")


def markdown(summaries: Mapping[str, Mapping[str, Summary]]) -> str:
    """Write the rows that were measured, beside what Velero needed."""
    heads = ("row", "wall s, least / median", "Velero s", "ratio", "allowed")
    more = ("peak PSS MiB (≤ 285)", "CPU s", "S3 server: PSS MiB, CPU s", "holds")
    lines = [f"| {' | '.join((*heads, *more))} |", "| --- |" + " ---: |" * 7 + " --- |"]
    for row in ROWS:
        programs = summaries.get(row.name, {})
        if OURS not in programs or SERVER not in programs:
            continue
        ours, server = programs[OURS], programs[SERVER]
        ratio = ours.wall_s[1] / row.velero_s
        failed = [
            *(["wall"] if round(ratio, 2) > row.share else []),
            *(["memory"] if ours.pss_peak_bytes > PSS_BYTES else []),
        ]
        lines.append(
            f"| {row.name} | {ours.wall_s[0]:.2f} / {ours.wall_s[1]:.2f} | {row.velero_s:g} "
            f"| {ratio:.2f} | ≤ {row.share:.2f} | {ours.pss_peak_bytes / MIB:.0f} "
            f"| {ours.cpu_s[1]:.2f} "
            f"| {server.pss_peak_bytes / MIB:.0f}, {server.cpu_s[1]:.2f} "
            f"| {'**no**: ' + ', '.join(failed) if failed else 'yes'} |"
        )
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""
