"""The services of the matrix, each as its own wiring builds it, over the ports of one process."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import Agent, ServiceName
from appshield.contracts.message import StepCommand
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.custody import Custody, LockedRepository
from appshield.kubernetes import Cluster
from appshield.restorer import agent as restorer_agent
from appshield.restorer import service as restorer
from appshield.restorer.settings import Settings as RestorerSettings
from appshield.service import Clock
from appshield.service.announcing import announce
from appshield.service.steps import StepContext, StepWork
from appshield.snapshotter import service as snapshotter
from appshield.snapshotter.settings import Settings as SnapshotterSettings
from appshield.snapshotter.sweeping import Sweeping
from appshield.uploader import agent as uploader_agent
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
        await plan(process, line, clock, tell_after_s=0)  # what a run promises is told each time
        return
    node = NODE if service in {"uploader", "restorer"} else ""
    agent = Agent(
        service=service, cluster=CLUSTER, worker=process.name, node=node, seen_at=clock.now()
    )
    async with ProcessCluster.of(process, kubernetes.access) as cluster:
        works, beside = _work(service, process, line, cluster, kubernetes)
        async with asyncio.TaskGroup() as tasks:
            for other in (announce(line, agent, process.stopping), *beside):
                tasks.create_task(other)
            for consumer, work in works:
                tasks.create_task(line.consume(consumer, work.handle, stopping=process.stopping))


class OwnRepositories:
    """What an agent would be lent, held by the process itself: here both are one process."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody

    @asynccontextmanager
    async def held(
        self, order: StepCommand, context: StepContext
    ) -> AsyncIterator[LockedRepository]:
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            yield held


def _work(
    service: ServiceName,
    process: DoomedProcess,
    line: Bus,
    cluster: Cluster,
    kubernetes: ActingKubernetes,
) -> tuple[list[tuple[ConsumerSpec, StepWork]], list[Coroutine[Any, Any, None]]]:
    """Build its handlers and those of its agent, and what it does beside."""
    if service == "snapshotter":
        settings = SnapshotterSettings(nats_url="", cluster=CLUSTER)
        quiescing = snapshotter.build_quiescing(line, cluster, process.name)
        releasing = snapshotter.build_releasing(cluster, quiescing, settings)
        sweeping = Sweeping(cluster, bus=line, releasing=releasing)
        work = snapshotter.build(line, cluster, quiescing, settings, process.name)
        stopping = process.stopping
        beside = [quiescing.keep_promises(stopping), sweeping.keep_swept(stopping)]
        return [(streams.SNAPSHOTTER_ORDERS, work)], beside
    custody = Custody(bus=line, vaults=ClusterVaults(cluster), worker=process.name, kept_s=_KEPT_S)
    if service == "uploader":
        storing = UploaderSettings(
            nats_url="", cluster=CLUSTER, node=NODE, kubelet_root=kubernetes.kubelet_root, workers=0
        )
        work = uploader.build(line, cluster, custody, storing, process.name)
        of_node = uploader_agent.build(
            line, cluster, OwnRepositories(custody), storing, process.name
        )
        agent = agent_consumer("uploader", CLUSTER, NODE)
        return [(streams.UPLOADER_ORDERS, work), (agent, of_node)], []
    loading = RestorerSettings(
        nats_url="", cluster=CLUSTER, node=NODE, kubelet_root=kubernetes.kubelet_root, workers=0
    )
    work = restorer.build(line, cluster, custody, loading, process.name)
    of_node = restorer_agent.build(line, cluster, OwnRepositories(custody), loading, process.name)
    agent = agent_consumer("restorer", CLUSTER, NODE)
    return [(streams.RESTORER_ORDERS, work), (agent, of_node)], []
