"""Wiring of the restorer: what is built from what, and what runs beside what."""

import asyncio
import os
import socket

from appshield.bus import Bus, BusAccess
from appshield.contracts import streams
from appshield.contracts.agents import Agent
from appshield.contracts.restores import (
    ApplyObjects,
    FinishRestore,
    LoadDump,
    LoadVolume,
    PlanRestore,
    PrepareVolumes,
)
from appshield.custody import Custody
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.restorer.applying import Applying
from appshield.restorer.feeding import Feeding
from appshield.restorer.finishing import Finishing
from appshield.restorer.loading import Loading
from appshield.restorer.planning import Planning
from appshield.restorer.preparing import Preparing
from appshield.restorer.settings import Settings
from appshield.service import Health, SystemClock, announce, run_logs_forwarded, serve_health
from appshield.service.steps import StepWork, patient
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders for any node and for our own, until told to stop."""
    access = BusAccess(url=settings.nats_url, user="restorer", seed_file=settings.nats_seed_file)
    worker = f"restorer-{socket.gethostname()}-{os.getpid()}"
    kubernetes = ClusterAccess(kubeconfig=settings.kubeconfig, context=settings.context)
    health = Health()
    async with (
        Bus.connect(access, name=worker) as bus,
        run_logs_forwarded(bus, service="restorer", cluster=settings.cluster),
        Cluster.connect(kubernetes) as cluster,
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        health.add("bus", bus.health)
        custody = Custody(bus=bus, vaults=ClusterVaults(cluster), worker=worker)
        work = build(bus, cluster, custody, settings, worker)
        agent = Agent(
            service="restorer",
            cluster=settings.cluster,
            worker=worker,
            node=settings.node,
            seen_at=SystemClock().now(),
        )
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        tasks.create_task(custody.keep_swept(stopping), name="sweep locks")
        consumers = [streams.RESTORER_ORDERS]
        if settings.node:
            consumers.append(streams.agent_consumer("restorer", settings.cluster, settings.node))
        for consumer in consumers:
            tasks.create_task(
                bus.consume(
                    consumer, work.handle, stopping=stopping, concurrency=settings.concurrency
                ),
                name=consumer.name,
            )


def build(
    bus: Bus, cluster: Cluster, custody: Custody, settings: Settings, worker: str
) -> StepWork:
    """Build the restorer's handlers; tests build them over their own parts."""
    loading = Loading(
        custody=custody, cluster=cluster, node=settings.node, kubelet_root=settings.kubelet_root
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
            ApplyObjects: patient(applying.apply),
            LoadDump: patient(Feeding(custody=custody, cluster=cluster).feed),
            FinishRestore: patient(Finishing(custody=custody, cluster=cluster).finish),
        },
    )
