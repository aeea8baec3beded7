"""A local cluster comes up after anything, and goes without a trace.

A second cluster beside the shared one: its own name, addresses and node.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterable

import pytest

from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster, ClusterAccess, kinds
from appshield.local.cluster import (
    ClusterFacts,
    ClusterSettings,
    cgroups,
    cluster_down,
    cluster_status,
    cluster_up,
)
from appshield.local.cluster.mounts import unmount_below
from appshield.local.cluster.network import remove_network
from appshield.local.cluster.processes import owned_pids, read_process
from appshield.local.cluster.state import read_state
from kubernetes_api import namespace_in
from machine_traces import firewall, traces
from volume_objects import claim, output, run_pod, wait_for_pod
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

CRITICAL = ["etcd", "kube-apiserver", "kubelet", "containerd", "csi-driver", "kube-proxy"]


def settings() -> ClusterSettings:
    return ClusterSettings.from_environment(os.environ, name="lifecycle")


async def up() -> ClusterFacts:
    return await cluster_up(settings(), print)


@pytest.fixture(scope="module")
async def second(local_cluster: ClusterFacts) -> AsyncIterator[ClusterSettings]:
    """The second cluster, made anew and deleted afterwards."""
    await cluster_down(settings(), print, purge=True)
    await up()
    yield settings()
    await cluster_down(settings(), print, purge=True)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(settings().layout.kubeconfig))
    async with Cluster.connect(access) as cluster:
        yield cluster


async def works(facts: ClusterFacts) -> None:
    """A new pod with a new volume runs."""
    async with connected() as cluster, namespace_in(cluster) as namespace:
        await cluster.create(kinds.PVC, claim("data"), namespace=namespace)
        await run_pod(
            cluster, namespace, facts.busybox_image, claims=("data",), command="date > /data/file"
        )


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pid_of(name: str) -> int:
    (found,) = [part.pid for part in cluster_status(settings()).components if part.name == name]
    return found


async def nothing_lives() -> None:
    await wait_until(
        lambda: not owned_pids(settings().home), deadline_s=10, what="all its processes gone"
    )


async def test_up_on_a_running_cluster_changes_nothing(second: ClusterSettings) -> None:
    """The same processes go on, and the same facts come back."""
    before, facts = cluster_status(second), await up()
    assert await up() == facts
    assert cluster_status(second) == before


async def test_two_ups_at_once_make_one_cluster(second: ClusterSettings) -> None:
    """The second waits for the first and finds its work done."""
    kill([pid_of("etcd")])
    first, other = await asyncio.gather(up(), up())
    assert first == other


@pytest.mark.parametrize("component", CRITICAL)
async def test_a_killed_component_is_started_again(second: ClusterSettings, component: str) -> None:
    """The supervisor starts another process, and the cluster works."""
    facts = await up()
    before = pid_of(component)
    kill([before])
    await up()  # it may be quicker than the supervisor, which looks every now and then
    await wait_until(
        lambda: pid_of(component) not in {0, before}, deadline_s=30, what="another process"
    )
    await up()
    await works(facts)


async def test_up_after_the_supervisor_was_killed(second: ClusterSettings) -> None:
    """Its components went with it, its containers did not: the next one takes over."""
    facts = await up()
    async with connected() as cluster, namespace_in(cluster) as namespace:
        pod = await run_pod(cluster, namespace, facts.busybox_image, claims=())
        supervisors = [pid for pid in owned_pids(second.home) if is_supervisor(pid)]
        assert len(supervisors) == 1
        kill(supervisors)
        await up()
        again = await wait_for_pod(cluster, namespace, "writer")
        statuses = [found["status"]["containerStatuses"][0] for found in (pod, again)]
        assert statuses[0]["containerID"] == statuses[1]["containerID"]


def is_supervisor(pid: int) -> bool:
    process = read_process(pid)
    return process is not None and "cluster.supervise" in process.command


async def test_up_after_everything_was_killed_at_once(second: ClusterSettings) -> None:
    """Supervisor, components, shims and containers: volumes keep their data, pods come back."""
    facts = await up()
    async with connected() as cluster, namespace_in(cluster) as namespace:
        await with_data(cluster, namespace, facts)
        kill([*owned_pids(second.home), *cgroups.pod_pids(second)])
        await nothing_lives()
        await up()
        await data_is_there(cluster, namespace)


async def test_up_after_a_crash_of_the_machine(second: ClusterSettings) -> None:
    """Notes of the run before are there, kernel objects are not, and a process id means another.

    The process that has the id of the old API server now is left alone.
    """
    facts = await up()
    async with connected() as cluster, namespace_in(cluster) as namespace:
        await with_data(cluster, namespace, facts)
        kill([*owned_pids(second.home), *cgroups.pod_pids(second)])
        await nothing_lives()
        await unmount_below(second.home)
        await remove_network(second)
        await cgroups.remove_cgroups(second)
        stranger = await asyncio.create_subprocess_exec("sleep", "300")
        try:
            note = second.layout.state
            state = read_state(note)
            assert state is not None
            old = str(state.components["kube-apiserver"].pid).encode()
            note.write_bytes(note.read_bytes().replace(old, str(stranger.pid).encode()))
            await up()
            assert stranger.returncode is None
            await data_is_there(cluster, namespace)
        finally:
            stranger.kill()
            await stranger.wait()


async def test_down_leaves_no_trace_and_keeps_the_data(second: ClusterSettings) -> None:
    """No process, mount, link, route, namespace, cgroup, rule, loop device or file outside."""
    facts, rules = await up(), firewall()
    async with connected() as cluster, namespace_in(cluster) as namespace:
        await with_data(cluster, namespace, facts)
        assert traces(second)
        await cluster_down(second, print)
        assert traces(second) == []
        assert firewall() == rules
        assert not cluster_status(second).running
        await up()
        await data_is_there(cluster, namespace)


async def test_purge_deletes_the_data_too(second: ClusterSettings) -> None:
    """After it there is no folder, and the next cluster is an empty one."""
    await up()
    async with connected() as cluster:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}
        await cluster.create(kinds.NAMESPACE, body)
    await cluster_down(second, print, purge=True)
    assert traces(second) == []
    assert not second.home.exists()
    await up()
    async with connected() as cluster:
        assert await cluster.get(kinds.NAMESPACE, "old") is None


async def test_without_permission_to_install_what_is_missing_is_named(
    second: ClusterSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`APPSHIELD_NO_INSTALL=1` with an empty cache is one clear refusal."""
    empty = ClusterSettings(home=second.home, cache=tmp_path_factory.mktemp("c"), name=second.name)
    with pytest.raises(AppShieldError, match="misses a build of Kubernetes"):
        await cluster_up(empty, print, environment={"APPSHIELD_NO_INSTALL": "1"})


async def with_data(cluster: Cluster, namespace: str, facts: ClusterFacts) -> None:
    await cluster.create(kinds.PVC, claim("data"), namespace=namespace)
    command = "test -e /data/file || echo kept > /data/file"
    await run_pod(cluster, namespace, facts.busybox_image, claims=("data",), command=command)


async def data_is_there(cluster: Cluster, namespace: str) -> None:
    """The pod of `with_data` can be entered again and sees what it wrote."""

    async def read() -> bool:
        with contextlib.suppress(AppShieldError):
            return await output(cluster, namespace, "writer", "cat /data/file") == "kept\n"
        return False

    await wait_until(read, deadline_s=90, what="the pod back with its data")
