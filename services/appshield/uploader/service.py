"""Wiring of the uploader: what is built from what, and what runs beside what."""

import asyncio

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.backups import CommitBackup, OpenRepository, StoreSource
from appshield.contracts.catalog import RebuildCatalog
from appshield.contracts.maintenance import (
    CheckRepository,
    CopyVersion,
    ForgetVersions,
    PinVersion,
    PruneRepository,
    RepairRepository,
)
from appshield.custody import Custody
from appshield.kubernetes import Cluster
from appshield.lending import Lender
from appshield.registry import RegistryHosts
from appshield.service import SystemClock, joined
from appshield.service.steps import StepWork, patient
from appshield.uploader import agent
from appshield.uploader.audit_archiving import AuditArchiving
from appshield.uploader.cataloguing import Cataloguing
from appshield.uploader.checking import Checking
from appshield.uploader.committing import Committing
from appshield.uploader.copying import Copying
from appshield.uploader.forgetting import Forgetting
from appshield.uploader.opening import Opening
from appshield.uploader.pinning import Pinning
from appshield.uploader.pruning import Pruning
from appshield.uploader.repairing import Repairing
from appshield.uploader.settings import Settings
from appshield.uploader.storing import Storing
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders until told to stop: with a node, as its agent; else those for any node."""
    if settings.node:
        await agent.serve(settings, stopping)
        return
    kubernetes = settings.cluster_access()
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "uploader", stopping) as service,
    ):
        vaults = ClusterVaults(cluster)
        custody = Custody(bus=service.bus, vaults=vaults, worker=service.worker)
        work = build(service.bus, cluster, custody, settings, service.worker)
        service.run(custody.keep_swept(stopping), "sweep locks")
        lender = Lender(bus=service.bus, keys=vaults, service="uploader")
        service.run(lender.serve(stopping), "lend keys")
        service.consume((streams.UPLOADER_ORDERS,), work.handle)
        archiving = AuditArchiving(
            bus=service.bus, custody=custody, worker=service.worker, clock=SystemClock()
        )
        service.consume((streams.UPLOADER_AUDIT,), archiving.handle)


def build(
    bus: Bus, cluster: Cluster, custody: Custody, settings: Settings, worker: str
) -> StepWork:
    """Build the uploader's handlers; tests build them over their own parts."""
    registries = RegistryHosts(settings.registry_hosts)
    storing = Storing(custody=custody, cluster=cluster, registries=registries)
    committing = Committing(bus=bus, custody=custody)
    return StepWork(
        bus,
        worker=worker,
        handlers={
            OpenRepository: Opening(custody).open,
            StoreSource: storing.store,
            CommitBackup: committing.commit,
            RebuildCatalog: Cataloguing(bus=bus, custody=custody).rebuild,
            ForgetVersions: patient(Forgetting(custody).forget),
            PruneRepository: patient(Pruning(bus=bus, custody=custody).prune),
            CheckRepository: Checking(custody).check,
            RepairRepository: patient(Repairing(custody).repair),
            PinVersion: Pinning(custody).pin,
            CopyVersion: Copying(bus=bus, custody=custody).copy,
        },
        aftermaths={CommitBackup: committing.made},
    )
