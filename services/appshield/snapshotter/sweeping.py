"""Sweep what was made late: by a worker that was stopped until the run it worked for had ended.

Such a worker finds out right after its next step that nobody waits for it, but what it has just
made is nobody's any more. Only what belongs to a run that is known and has ended is removed: what
another installation made on the same cluster stays.
"""

import asyncio

import structlog

from appshield.bus import Bucket, Bus
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import RUNS
from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import RUN_LABEL
from appshield.service import pause
from appshield.snapshotter.releasing import Releasing

SWEEP_EVERY_S = 600.0


class Sweeping:
    """Removes what runs that have ended left in the cluster."""

    def __init__(self, cluster: Cluster, *, bus: Bus, releasing: Releasing) -> None:
        self._cluster = cluster
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._releasing = releasing

    async def keep_swept(self, stopping: asyncio.Event) -> None:
        """Sweep now and then, until told to stop."""
        while not stopping.is_set():
            try:
                await self.sweep()
            except AppShieldError as error:
                structlog.get_logger().warning("not swept", problem=str(error))
            await pause(stopping, SWEEP_EVERY_S)

    async def sweep(self) -> None:
        """Remove what there is of runs that have ended."""
        for run, namespaces in (await self._made()).items():
            entry = await self._runs.get(run)
            if entry is None or entry.value.state not in FINAL_STATES:
                continue
            structlog.get_logger().warning("removing what was made late", run=run)
            for namespace in sorted(namespaces):
                await self._releasing.remove_objects(run, namespace)

    async def _made(self) -> dict[str, set[str]]:
        """Find the runs of which something is there, and in which namespaces."""
        made: dict[str, set[str]] = {}
        for kind in (POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT):
            try:
                found = await self._cluster.list(kind, label_selector=RUN_LABEL)
            except NotServedError:
                continue  # a cluster without snapshots has none of ours
            for obj in found:
                meta = obj["metadata"]
                made.setdefault(meta["labels"][RUN_LABEL], set()).add(meta.get("namespace", ""))
        return made
