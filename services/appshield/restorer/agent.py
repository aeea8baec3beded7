"""Wiring of the restorer's agent on a node: it writes volumes there, with keys that it is lent."""

import asyncio

from appshield.bus import Bus
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.restores import LoadVolume
from appshield.kubernetes import Cluster
from appshield.lending import BorrowedRepositories, OrdersRepositories
from appshield.podvolumes import NodeVolumes
from appshield.restorer.loading import Loading
from appshield.restorer.settings import Settings
from appshield.service import joined
from appshield.service.steps import StepWork


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Load volumes of our own node, until told to stop."""
    async with (
        Cluster.connect(settings.cluster_access()) as cluster,
        joined(settings, "restorer", stopping, node=settings.node) as service,
    ):
        repositories = BorrowedRepositories(
            bus=service.bus,
            worker=service.worker,
            service="restorer",
            cluster=settings.cluster,
            node=settings.node,
        )
        work = build(service.bus, cluster, repositories, settings, service.worker)
        service.consume((agent_consumer("restorer", settings.cluster, settings.node),), work.handle)


def build(
    bus: Bus, cluster: Cluster, repositories: OrdersRepositories, settings: Settings, worker: str
) -> StepWork:
    """Build the agent's handler; tests build it over their own parts."""
    loading = Loading(
        repositories=repositories,
        cluster=cluster,
        volumes=NodeVolumes(
            cluster=cluster,
            node=settings.node,
            kubelet_root=settings.kubelet_root,
            mount_timeout_s=settings.mount_timeout_s,
        ),
        workers=settings.workers,
    )
    # it may read no record of what it has done: see `agent_users`
    return StepWork(bus, worker=worker, handlers={LoadVolume: loading.load}, remembers=False)
