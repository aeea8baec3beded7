"""Watches and calls across a killed API server, on a cluster of this test's own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from appshield.kubernetes import Cluster, ClusterAccess, Object, Reflector, kinds
from appshield.local.cluster import (
    ClusterFacts,
    ClusterSettings,
    cluster_down,
    cluster_status,
    cluster_up,
)
from kubernetes_api import config_map, namespace_in
from mirror import Mirror
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def settings() -> ClusterSettings:
    return ClusterSettings.from_environment(os.environ, name="watching")


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    """A second cluster; the shared one has built what it needs."""
    facts = await cluster_up(settings(), print)
    try:
        async with Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as connected:
            yield connected
    finally:
        await cluster_down(settings(), print, purge=True)


def api_server() -> int:
    (pid,) = [
        part.pid for part in cluster_status(settings()).components if part.name == "kube-apiserver"
    ]
    return pid


async def test_a_watch_goes_on_after_the_api_server_was_killed(cluster: Cluster) -> None:
    """Nothing is lost, nothing is invented, and whoever waits or reads is not disturbed."""
    async with namespace_in(cluster) as namespace:
        for name in ("a", "b"):
            await cluster.create(kinds.CONFIG_MAP, config_map(name), namespace=namespace)
        mirror = Mirror()
        reflector = Reflector(
            cluster,
            kinds.CONFIG_MAP,
            namespace=namespace,
            label_selector="appshield.io/test",
            sink=mirror,
        )
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reflector.run(stopping))
            waiter = tasks.create_task(
                cluster.wait_for(
                    kinds.CONFIG_MAP, "c", namespace, bool, timeout_s=120, what="there"
                )
            )
            await wait_until(lambda: mirror.names == {"a", "b"}, deadline_s=20, what="the set")
            before = api_server()
            os.kill(before, signal.SIGKILL)
            await wait_until(lambda: reflector.problem, deadline_s=20, what="it noticed")
            await wait_until(lambda: api_server() != before, deadline_s=60, what="a new one")
            await wait_until(lambda: deleted(cluster, namespace), deadline_s=60, what="it answers")
            await cluster.create(kinds.CONFIG_MAP, config_map("c"), namespace=namespace)
            await wait_until(lambda: mirror.names == {"b", "c"}, deadline_s=60, what="caught up")
            stopping.set()
        assert waiter.result()["metadata"]["name"] == "c"
        assert reflector.synced
        assert {name for call, name in mirror.calls if call == "deleted"} <= {"a"}


async def deleted(cluster: Cluster, namespace: str) -> bool:
    """Delete while the server comes up: calls are repeated until they are answered."""
    await cluster.delete(kinds.CONFIG_MAP, "a", namespace=namespace)
    found: Object | None = await cluster.get(kinds.CONFIG_MAP, "a", namespace)
    return found is None
