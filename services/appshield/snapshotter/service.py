"""Wiring of the snapshotter: what is built from what, and what runs beside what."""

import asyncio

from appshield.bus import Bus
from appshield.contracts import streams
from appshield.contracts.backups import ReleaseSnapshot, TakeSnapshot
from appshield.contracts.health import Members
from appshield.kubernetes import Cluster
from appshield.podvolumes.hooks import ContainerHooks
from appshield.service import SystemClock, joined
from appshield.service.steps import StepWork, patient
from appshield.snapshotter.exposing import Exposing
from appshield.snapshotter.quiescing import Quiescing
from appshield.snapshotter.releasing import Releasing
from appshield.snapshotter.settings import Settings
from appshield.snapshotter.shelves import VaultShelves
from appshield.snapshotter.sweeping import Sweeping
from appshield.snapshotter.taking import Taking
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders and keep promises to resume, until told to stop."""
    kubernetes = settings.cluster_access()
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "snapshotter", stopping) as service,
    ):
        quiescing = build_quiescing(service.bus, cluster, service.worker)
        releasing = build_releasing(cluster, quiescing, settings)
        sweeping = Sweeping(cluster, bus=service.bus, releasing=releasing)
        work = build(service.bus, cluster, quiescing, settings, service.worker)
        service.run(quiescing.keep_promises(stopping), "keep promises")
        service.run(sweeping.keep_swept(stopping), "sweep")
        service.consume([streams.SNAPSHOTTER_ORDERS], work.handle)


def build_quiescing(bus: Bus, cluster: Cluster, worker: str) -> Quiescing:
    """Build what keeps the promises to resume."""
    return Quiescing(
        bus=bus,
        hooks=ContainerHooks(cluster),
        shelves=VaultShelves(ClusterVaults(cluster)),
        clock=SystemClock(),
        worker=worker,
    )


def build_releasing(cluster: Cluster, quiescing: Quiescing, settings: Settings) -> Releasing:
    """Build what removes all that a run made."""
    return Releasing(
        cluster,
        quiescing=quiescing,
        shelves=VaultShelves(ClusterVaults(cluster)),
        system_namespace=settings.system_namespace,
    )


def build(
    bus: Bus, cluster: Cluster, quiescing: Quiescing, settings: Settings, worker: str
) -> StepWork:
    """Build the snapshotter's handlers; tests build them over their own parts."""
    shelves = VaultShelves(ClusterVaults(cluster))
    releasing = build_releasing(cluster, quiescing, settings)
    taking = Taking(
        cluster,
        quiescing=quiescing,
        releasing=releasing,
        shelves=shelves,
        exposing=Exposing(
            cluster,
            system_namespace=settings.system_namespace,
            holder_image=settings.holder_image,
            timeout_s=settings.expose_timeout_s,
        ),
        members=bus.bucket(streams.MEMBERS, Members),
        cut_timeout_s=settings.cut_timeout_s,
    )
    return StepWork(
        bus,
        worker=worker,
        handlers={
            TakeSnapshot: patient(taking.take),
            ReleaseSnapshot: patient(releasing.release),
        },
    )
