"""Wiring of the snapshotter: what is built from what, and what runs beside what."""

import asyncio
import os
import socket

from appshield.bus import Bus, BusAccess
from appshield.contracts import streams
from appshield.contracts.agents import Agent
from appshield.contracts.backups import ReleaseSnapshot, TakeSnapshot
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.service import Health, SystemClock, announce, run_logs_forwarded, serve_health
from appshield.service.steps import StepWork, patient
from appshield.snapshotter.exposing import Exposing
from appshield.snapshotter.hooks import ContainerHooks
from appshield.snapshotter.quiescing import Quiescing
from appshield.snapshotter.releasing import Releasing
from appshield.snapshotter.settings import Settings
from appshield.snapshotter.shelves import VaultShelves
from appshield.snapshotter.taking import Taking
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders and keep promises to resume, until told to stop."""
    access = BusAccess(url=settings.nats_url, user="snapshotter", seed_file=settings.nats_seed_file)
    worker = f"snapshotter-{socket.gethostname()}-{os.getpid()}"
    kubernetes = ClusterAccess(kubeconfig=settings.kubeconfig, context=settings.context)
    health = Health()
    async with (
        Bus.connect(access, name=worker) as bus,
        run_logs_forwarded(bus, service="snapshotter", cluster=settings.cluster),
        Cluster.connect(kubernetes) as cluster,
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        health.add("bus", bus.health)
        quiescing = build_quiescing(bus, cluster, worker)
        work = build(bus, cluster, quiescing, settings, worker)
        agent = Agent(
            service="snapshotter",
            cluster=settings.cluster,
            worker=worker,
            seen_at=SystemClock().now(),
        )
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        tasks.create_task(quiescing.keep_promises(stopping), name="keep promises")
        tasks.create_task(
            bus.consume(
                streams.SNAPSHOTTER_ORDERS,
                work.handle,
                stopping=stopping,
                concurrency=settings.concurrency,
            ),
            name="orders",
        )


def build_quiescing(bus: Bus, cluster: Cluster, worker: str) -> Quiescing:
    """Build what keeps the promises to resume."""
    return Quiescing(
        bus=bus,
        hooks=ContainerHooks(cluster),
        shelves=VaultShelves(ClusterVaults(cluster)),
        clock=SystemClock(),
        worker=worker,
    )


def build(
    bus: Bus, cluster: Cluster, quiescing: Quiescing, settings: Settings, worker: str
) -> StepWork:
    """Build the snapshotter's handlers; tests build them over their own parts."""
    shelves = VaultShelves(ClusterVaults(cluster))
    releasing = Releasing(
        cluster,
        quiescing=quiescing,
        shelves=shelves,
        system_namespace=settings.system_namespace,
    )
    taking = Taking(
        cluster,
        quiescing=quiescing,
        shelves=shelves,
        exposing=Exposing(
            cluster,
            system_namespace=settings.system_namespace,
            holder_image=settings.holder_image,
            timeout_s=settings.expose_timeout_s,
        ),
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
