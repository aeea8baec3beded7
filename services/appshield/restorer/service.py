"""Wiring of the restorer: what is built from what, and what runs beside what."""

import asyncio

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.restores import (
    ApplyObjects,
    FinishRestore,
    LoadDump,
    LoadVolume,
    PlanRestore,
    PrepareVolumes,
    PushImages,
)
from appshield.custody import Custody
from appshield.kubernetes import Cluster
from appshield.registry import RegistryHosts
from appshield.restorer.applying import Applying
from appshield.restorer.feeding import Feeding
from appshield.restorer.finishing import Finishing
from appshield.restorer.loading import Loading
from appshield.restorer.planning import Planning
from appshield.restorer.preparing import Preparing
from appshield.restorer.pushing import Pushing
from appshield.restorer.settings import Settings
from appshield.service import joined
from appshield.service.steps import StepWork, patient
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders for any node and for our own, until told to stop."""
    kubernetes = settings.cluster_access()
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "restorer", stopping, node=settings.node) as service,
    ):
        custody = Custody(bus=service.bus, vaults=ClusterVaults(cluster), worker=service.worker)
        work = build(service.bus, cluster, custody, settings, service.worker)
        service.run(custody.keep_swept(stopping), "sweep locks")
        consumers = [streams.RESTORER_ORDERS]
        if settings.node:
            consumers.append(agent_consumer("restorer", settings.cluster, settings.node))
        service.consume(consumers, work.handle)


def build(
    bus: Bus, cluster: Cluster, custody: Custody, settings: Settings, worker: str
) -> StepWork:
    """Build the restorer's handlers; tests build them over their own parts."""
    loading = Loading(
        custody=custody,
        cluster=cluster,
        node=settings.node,
        kubelet_root=settings.kubelet_root,
        mount_timeout_s=settings.mount_timeout_s,
        workers=settings.workers,
    )
    preparing = Preparing(
        custody=custody,
        cluster=cluster,
        holder_image=settings.holder_image,
        timeout_s=settings.mount_timeout_s,
    )
    applying = Applying(custody=custody, cluster=cluster, ready_timeout_s=settings.ready_timeout_s)
    return StepWork(
        bus,
        worker=worker,
        handlers={
            PlanRestore: patient(Planning(custody=custody, cluster=cluster).plan),
            PrepareVolumes: patient(preparing.prepare),
            LoadVolume: loading.load,
            PushImages: Pushing(custody=custody, hosts=RegistryHosts(settings.registry_hosts)).push,
            ApplyObjects: patient(applying.apply),
            LoadDump: patient(Feeding(custody=custody, cluster=cluster).feed),
            FinishRestore: patient(Finishing(custody=custody, cluster=cluster).finish),
        },
    )
