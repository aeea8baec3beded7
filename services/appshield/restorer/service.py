"""Wiring of the restorer: what is built from what, and what runs beside what."""

import asyncio

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.restores import (
    ApplyObjects,
    FinishRestore,
    LoadDump,
    PlanRestore,
    PrepareVolumes,
    PushImages,
)
from appshield.custody import Custody
from appshield.kubernetes import Cluster
from appshield.lending import Lender
from appshield.registry import RegistryHosts
from appshield.restorer import agent
from appshield.restorer.applying import Applying
from appshield.restorer.feeding import Feeding
from appshield.restorer.finishing import Finishing
from appshield.restorer.planning import Planning
from appshield.restorer.preparing import Preparing
from appshield.restorer.pushing import Pushing
from appshield.restorer.settings import Settings
from appshield.service import joined
from appshield.service.steps import StepWork, patient
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders until told to stop: with a node, as its agent; else those for any node."""
    if settings.node:
        await agent.serve(settings, stopping)
        return
    kubernetes = settings.cluster_access()
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "restorer", stopping) as service,
    ):
        vaults = ClusterVaults(cluster)
        custody = Custody(bus=service.bus, vaults=vaults, worker=service.worker)
        work = build(service.bus, cluster, custody, settings, service.worker)
        service.run(custody.keep_swept(stopping), "sweep locks")
        lender = Lender(bus=service.bus, keys=vaults, service="restorer")
        service.run(lender.serve(stopping), "lend keys")
        service.consume((streams.RESTORER_ORDERS,), work.handle)


def build(
    bus: Bus, cluster: Cluster, custody: Custody, settings: Settings, worker: str
) -> StepWork:
    """Build the restorer's handlers; tests build them over their own parts."""
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
            PushImages: Pushing(custody=custody, hosts=RegistryHosts(settings.registry_hosts)).push,
            ApplyObjects: patient(applying.apply),
            LoadDump: patient(Feeding(custody=custody, cluster=cluster).feed),
            FinishRestore: patient(Finishing(custody=custody, cluster=cluster).finish),
        },
    )
