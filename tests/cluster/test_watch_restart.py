"""Watches and calls across an API server that was killed and started again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.errors import UnavailableError
from appshield.kubernetes import Cluster, Reflector, kinds
from appshield.local.cluster import ClusterFacts
from control_plane import ControlPlane, control_plane
from kubernetes_api import config_map
from mirror import Mirror
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)
NAMESPACE = "default"


@pytest.fixture
async def plane(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """An API server that may be killed; the shared cluster has built what it is made of."""
    async with control_plane(tmp_path) as made:
        yield made


async def test_a_watch_goes_on_after_the_api_server_was_killed(plane: ControlPlane) -> None:
    """Nothing is lost, nothing is invented, and whoever waits is not disturbed."""
    mirror, stopping = Mirror(), asyncio.Event()
    async with plane.connect() as cluster, asyncio.TaskGroup() as tasks:
        for name in ("a", "b"):
            await cluster.create(kinds.CONFIG_MAP, config_map(name), namespace=NAMESPACE)
        reflector = Reflector(
            cluster,
            kinds.CONFIG_MAP,
            namespace=NAMESPACE,
            label_selector="appshield.io/test",
            sink=mirror,
        )
        tasks.create_task(reflector.run(stopping))
        waiting = tasks.create_task(
            cluster.wait_for(kinds.CONFIG_MAP, "c", NAMESPACE, bool, timeout_s=120, what="there")
        )
        await wait_until(lambda: mirror.names == {"a", "b"}, deadline_s=30, what="the set")
        await plane.kill_api_server()
        await wait_until(lambda: reflector.problem, deadline_s=30, what="it noticed")
        removing = tasks.create_task(removed(cluster))
        await plane.start_api_server()
        await removing
        await cluster.create(kinds.CONFIG_MAP, config_map("c"), namespace=NAMESPACE)
        await wait_until(lambda: mirror.names == {"b", "c"}, deadline_s=90, what="caught up")
        assert (await waiting)["metadata"]["name"] == "c"
        assert reflector.synced
        stopping.set()
    assert {name for call, name in mirror.calls if call == "deleted"} <= {"a"}


async def removed(cluster: Cluster) -> None:
    """Delete while the server comes up: what is not answered is said to be so, and asked again."""
    while True:
        with contextlib.suppress(UnavailableError):
            await cluster.delete(kinds.CONFIG_MAP, "a", namespace=NAMESPACE)
            return
