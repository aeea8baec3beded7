"""Wiring of the uploader: what is built from what, and what runs beside what."""

import asyncio
import os
import socket

from appshield.bus import Bus, BusAccess
from appshield.contracts import streams
from appshield.contracts.agents import Agent
from appshield.contracts.backups import CommitBackup, OpenRepository, StoreSource
from appshield.contracts.catalog import RebuildCatalog
from appshield.custody import Custody
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.service import Health, SystemClock, announce, run_logs_forwarded, serve_health
from appshield.service.steps import StepWork
from appshield.uploader.cataloguing import Cataloguing
from appshield.uploader.committing import Committing
from appshield.uploader.opening import Opening
from appshield.uploader.settings import Settings
from appshield.uploader.storing import Storing
from appshield.vault.finding import ClusterVaults


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Handle orders for any node and for our own, until told to stop."""
    access = BusAccess(url=settings.nats_url, user="uploader", seed_file=settings.nats_seed_file)
    worker = f"uploader-{socket.gethostname()}-{os.getpid()}"
    kubernetes = ClusterAccess(kubeconfig=settings.kubeconfig, context=settings.context)
    health = Health()
    async with (
        Bus.connect(access, name=worker) as bus,
        run_logs_forwarded(bus, service="uploader", cluster=settings.cluster),
        Cluster.connect(kubernetes) as cluster,
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        health.add("bus", bus.health)
        custody = Custody(bus=bus, vaults=ClusterVaults(cluster), worker=worker)
        work = build(bus, cluster, custody, settings, worker)
        agent = Agent(
            service="uploader",
            cluster=settings.cluster,
            worker=worker,
            node=settings.node,
            seen_at=SystemClock().now(),
        )
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        tasks.create_task(custody.keep_swept(stopping), name="sweep locks")
        consumers = [streams.UPLOADER_ORDERS]
        if settings.node:
            consumers.append(streams.agent_consumer("uploader", settings.cluster, settings.node))
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
    """Build the uploader's handlers; tests build them over their own parts."""
    storing = Storing(
        custody=custody, cluster=cluster, node=settings.node, kubelet_root=settings.kubelet_root
    )
    return StepWork(
        bus,
        worker=worker,
        handlers={
            OpenRepository: Opening(custody).open,
            StoreSource: storing.store,
            CommitBackup: Committing(bus=bus, custody=custody).commit,
            RebuildCatalog: Cataloguing(bus=bus, custody=custody).rebuild,
        },
    )
