"""Wiring of the watcher: what is built from what, and what runs beside what."""

import asyncio
import os
import socket

from appshield.bus import Bus, BusAccess
from appshield.contracts.agents import Agent
from appshield.kubernetes import Cluster, ClusterAccess, Reflector
from appshield.kubernetes.kinds import APPLICATION
from appshield.service import Health, SystemClock, announce, serve_health
from appshield.watcher.kinds import install_kinds
from appshield.watcher.settings import Settings
from appshield.watcher.statuses import Statuses
from appshield.watcher.telling import Telling


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Watch and tell until told to stop."""
    access = BusAccess(url=settings.nats_url, user="watcher", seed_file=settings.nats_seed_file)
    worker = f"watcher-{socket.gethostname()}-{os.getpid()}"
    kubernetes = ClusterAccess(kubeconfig=settings.kubeconfig, context=settings.context)
    health = Health()
    async with (
        Bus.connect(access, name=worker) as bus,
        Cluster.connect(kubernetes) as cluster,
        serve_health(health, host=settings.health_host, port=settings.health_port),
        asyncio.TaskGroup() as tasks,
    ):
        if settings.install_kinds:
            await install_kinds(cluster)
        statuses = Statuses(bus=bus, cluster=cluster, cluster_name=settings.cluster)
        telling = Telling(bus=bus, cluster=settings.cluster, reporter=statuses)
        health.add("bus", bus.health)
        health.add("watch", lambda: _watching(telling))
        agent = Agent(
            service="watcher",
            cluster=settings.cluster,
            worker=worker,
            seen_at=SystemClock().now(),
        )
        tasks.create_task(announce(bus, agent, stopping), name="announce")
        reflector = Reflector(cluster, APPLICATION, sink=telling)
        tasks.create_task(reflector.run(stopping), name="watch applications")
        tasks.create_task(statuses.keep_written(stopping), name="statuses")


async def _watching(telling: Telling) -> str:
    return "" if telling.synced else "the applications have not been listed yet"
