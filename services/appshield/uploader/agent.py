"""Wiring of the uploader's agent on a node: it reads volumes there, with keys that it is lent."""

import asyncio

from appshield.bus import Bus
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.backups import StoreSource
from appshield.kubernetes import Cluster
from appshield.lending import BorrowedRepositories, OrdersRepositories
from appshield.podvolumes import NodeVolumes
from appshield.service import joined
from appshield.service.steps import StepWork
from appshield.uploader.settings import Settings
from appshield.uploader.volumes import VolumeStoring


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Store volumes of our own node, until told to stop."""
    async with (
        Cluster.connect(settings.cluster_access()) as cluster,
        joined(settings, "uploader", stopping, node=settings.node) as service,
    ):
        repositories = BorrowedRepositories(
            bus=service.bus,
            worker=service.worker,
            service="uploader",
            cluster=settings.cluster,
            node=settings.node,
        )
        work = build(service.bus, cluster, repositories, settings, service.worker)
        service.consume((agent_consumer("uploader", settings.cluster, settings.node),), work.handle)


def build(
    bus: Bus, cluster: Cluster, repositories: OrdersRepositories, settings: Settings, worker: str
) -> StepWork:
    """Build the agent's handler; tests build it over their own parts."""
    storing = VolumeStoring(
        repositories=repositories,
        volumes=NodeVolumes(
            cluster=cluster,
            node=settings.node,
            kubelet_root=settings.kubelet_root,
            mount_timeout_s=settings.mount_timeout_s,
        ),
        workers=settings.workers,
    )
    # it may read no record of what it has done: see `agent_users`
    return StepWork(bus, worker=worker, handlers={StoreSource: storing.store}, remembers=False)
