"""Wiring of the watcher: what is built from what, and what runs beside what."""

import asyncio

from appshield.kubernetes import Cluster, ClusterAccess, Reflector
from appshield.kubernetes.kinds import APPLICATION
from appshield.language.adapters import chosen
from appshield.service import joined
from appshield.watcher.adapting import Adapting, kind_of
from appshield.watcher.kinds import install_kinds
from appshield.watcher.settings import Settings
from appshield.watcher.statuses import Statuses
from appshield.watcher.telling import Telling


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Watch and tell until told to stop."""
    kubernetes = ClusterAccess(kubeconfig=settings.kubeconfig, context=settings.context)
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "watcher", stopping) as service,
    ):
        if settings.install_kinds:
            await install_kinds(cluster)
        statuses = Statuses(bus=service.bus, cluster=cluster, cluster_name=settings.cluster)
        telling = Telling(bus=service.bus, cluster=settings.cluster, reporter=statuses)
        reflector = Reflector(cluster, APPLICATION, sink=telling)
        service.health.add("watch", lambda: _watching(telling, reflector))
        service.run(reflector.run(stopping), "watch applications")
        for adapter in chosen(settings.adapters):
            kind, labels = kind_of(adapter.kind), adapter.label_selector
            adapting = Adapting(adapter, cluster)
            foreign = Reflector(cluster, kind, sink=adapting, label_selector=labels)
            service.run(foreign.run(stopping), f"watch documents of {adapter.name}")
        service.run(statuses.keep_written(stopping), "statuses")


async def _watching(telling: Telling, reflector: Reflector) -> str:
    if telling.synced and not reflector.problem:
        return ""
    return reflector.problem or "the applications have not been listed yet"
