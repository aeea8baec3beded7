"""The services of the matrix, each as its own wiring builds it, over the ports of one process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent, ServiceName
from appshield.custody import Custody
from appshield.kubernetes import Cluster
from appshield.restorer import service as restorer
from appshield.restorer.settings import Settings as RestorerSettings
from appshield.service import Clock
from appshield.service.announcing import announce
from appshield.service.steps import StepWork
from appshield.snapshotter import service as snapshotter
from appshield.snapshotter.settings import Settings as SnapshotterSettings
from appshield.snapshotter.sweeping import Sweeping
from appshield.uploader import service as uploader
from appshield.uploader.settings import Settings as UploaderSettings
from appshield.vault.finding import ClusterVaults
from matrix.acting_cluster import ActingKubernetes
from matrix.ports import ProcessCluster
from matrix.process import DoomedProcess
from simulation.services import CLUSTER, plan
from simulation.workers import NODE

_KEPT_S = 600.0
"""A repository stays open until a step says that no more follows, however slow the machine is."""


async def serve(
    service: ServiceName,
    process: DoomedProcess,
    line: Bus,
    kubernetes: ActingKubernetes,
    clock: Clock,
) -> None:
    """Be this service until the process is told to stop."""
    if service == "planner":
        await plan(process, line, clock)
        return
    node = NODE if service in {"uploader", "restorer"} else ""
    agent = Agent(
        service=service, cluster=CLUSTER, worker=process.name, node=node, seen_at=clock.now()
    )
    async with ProcessCluster.of(process, kubernetes.access) as cluster:
        work, beside = _work(service, process, line, cluster, kubernetes)
        consumers = [_ORDERS[service]]
        if node:
            consumers.append(agent_consumer(service, CLUSTER, NODE))
        async with asyncio.TaskGroup() as tasks:
            for other in (announce(line, agent, process.stopping), *beside):
                tasks.create_task(other)
            for consumer in consumers:
                tasks.create_task(line.consume(consumer, work.handle, stopping=process.stopping))


_ORDERS = {
    "snapshotter": streams.SNAPSHOTTER_ORDERS,
    "uploader": streams.UPLOADER_ORDERS,
    "restorer": streams.RESTORER_ORDERS,
}


def _work(
    service: ServiceName,
    process: DoomedProcess,
    line: Bus,
    cluster: Cluster,
    kubernetes: ActingKubernetes,
) -> tuple[StepWork, list[Coroutine[Any, Any, None]]]:
    """Build its handlers, and what it does beside."""
    if service == "snapshotter":
        settings = SnapshotterSettings(nats_url="", cluster=CLUSTER)
        quiescing = snapshotter.build_quiescing(line, cluster, process.name)
        releasing = snapshotter.build_releasing(cluster, quiescing, settings)
        sweeping = Sweeping(cluster, bus=line, releasing=releasing)
        work = snapshotter.build(line, cluster, quiescing, settings, process.name)
        stopping = process.stopping
        return work, [quiescing.keep_promises(stopping), sweeping.keep_swept(stopping)]
    custody = Custody(bus=line, vaults=ClusterVaults(cluster), worker=process.name, kept_s=_KEPT_S)
    if service == "uploader":
        storing = UploaderSettings(
            nats_url="", cluster=CLUSTER, node=NODE, kubelet_root=kubernetes.kubelet_root, workers=0
        )
        return uploader.build(line, cluster, custody, storing, process.name), []
    loading = RestorerSettings(
        nats_url="", cluster=CLUSTER, node=NODE, kubelet_root=kubernetes.kubelet_root, workers=0
    )
    return restorer.build(line, cluster, custody, loading, process.name), []
