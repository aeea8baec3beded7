"""The local cluster does what a backup needs of a cluster."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.kubernetes import Cluster, ClusterAccess, Object, kinds
from appshield.local.cluster import (
    PLAIN_STORAGE_CLASS,
    STORAGE_CLASS,
    ClusterFacts,
    ClusterSettings,
    cluster_status,
)
from appshield.local.cluster.building import system_program
from appshield.local.cluster.images import build_image, push_image
from kubernetes_api import namespace_in
from volume_objects import claim, output, run_pod, snapshot, wait_for_snapshot
from waiting import wait_until


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as connected:
        yield connected


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    async with namespace_in(cluster) as name:
        yield name


def seen_by_the_machine(facts: ClusterFacts, pod: Object, volume: str) -> Path:
    uid: str = pod["metadata"]["uid"]
    return facts.kubelet_root / f"pods/{uid}/volumes/kubernetes.io~csi/{volume}/mount"


async def test_every_component_lives_and_answers(local_cluster: ClusterFacts) -> None:
    """The status of a running cluster names each part with its process."""
    settings = ClusterSettings(
        home=local_cluster.kubeconfig.parent, cache=local_cluster.kubeconfig.parent
    )
    status = cluster_status(settings)
    assert status.running
    assert status.ready
    assert status.kubeconfig == local_cluster.kubeconfig
    names = {component.name for component in status.components}
    assert {"etcd", "kube-apiserver", "kubelet", "csi-driver", "snapshot-controller"} <= names


async def test_a_volume_is_visible_to_processes_of_the_machine(
    cluster: Cluster, namespace: str, local_cluster: ClusterFacts
) -> None:
    """What a pod writes can be read below the kubelet's root, where an uploader looks."""
    await cluster.create(kinds.PVC, claim("data"), namespace=namespace)
    image = local_cluster.busybox_image
    pod = await run_pod(
        cluster, namespace, image, claims=("data",), command="echo kept > /data/file"
    )
    bound = await cluster.get(kinds.PVC, "data", namespace)
    assert bound is not None
    folder = seen_by_the_machine(local_cluster, pod, bound["spec"]["volumeName"])
    assert (folder / "file").read_text() == "kept\n"


async def test_a_volume_from_a_snapshot_holds_what_was_there_when_it_was_cut(
    cluster: Cluster, namespace: str, local_cluster: ClusterFacts
) -> None:
    """Later writes are not in it."""
    image = local_cluster.busybox_image
    await cluster.create(kinds.PVC, claim("data"), namespace=namespace)
    await run_pod(cluster, namespace, image, claims=("data",), command="echo 1 > /data/file")
    body = snapshot("cut", of_claim="data")
    await cluster.create(kinds.VOLUME_SNAPSHOT, body, namespace=namespace)
    cut = await wait_for_snapshot(cluster, namespace, "cut")
    assert cut["status"]["creationTime"]
    await output(cluster, namespace, "writer", "echo 2 > /data/file")
    await cluster.create(kinds.PVC, claim("copy", of_snapshot="cut"), namespace=namespace)
    await run_pod(cluster, namespace, image, name="reader", claims=("copy",))
    assert await output(cluster, namespace, "reader", "cat /copy/file") == "1\n"
    assert await output(cluster, namespace, "writer", "cat /data/file") == "2\n"


async def test_the_plain_class_has_no_snapshots(
    cluster: Cluster, namespace: str, local_cluster: ClusterFacts
) -> None:
    """Its driver has no snapshot class, and its volumes work all the same."""
    await cluster.create(
        kinds.PVC, claim("data", storage_class=PLAIN_STORAGE_CLASS), namespace=namespace
    )
    await run_pod(
        cluster, namespace, local_cluster.busybox_image, claims=("data",), command="date > /data/f"
    )
    plain = await cluster.get(kinds.STORAGE_CLASS, PLAIN_STORAGE_CLASS)
    snapshots = await cluster.get(kinds.VOLUME_SNAPSHOT_CLASS, STORAGE_CLASS)
    assert plain is not None
    assert snapshots is not None
    assert plain["provisioner"] != snapshots["driver"]


async def test_a_pod_reaches_a_service_by_name_and_by_address(
    cluster: Cluster, namespace: str, local_cluster: ClusterFacts
) -> None:
    """Cluster DNS, environment variables and the Service's address all lead to the pod."""
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    created = await cluster.create(kinds.SERVICE, service, namespace=namespace)
    image = local_cluster.busybox_image
    serve = "echo hello > /tmp.html; httpd -p 8080 -h /"
    await run_pod(cluster, namespace, image, name="server", claims=(), command=serve)
    await run_pod(cluster, namespace, image, name="client", claims=())
    for host in ("web", f"web.{namespace}.svc.cluster.local", "$WEB_SERVICE_HOST"):
        fetch = f"wget -qO- http://{host}/tmp.html"

        async def fetched(command: str = fetch) -> bool:
            return await output(cluster, namespace, "client", command) == "hello\n"

        await wait_until(fetched, deadline_s=20, what=f"an answer from {host}")
    with socket.create_connection((created["spec"]["clusterIP"], 80), timeout=5) as connection:
        connection.sendall(b"GET /tmp.html HTTP/1.0\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 200")


async def test_an_image_pushed_here_runs_there_under_its_digest(
    cluster: Cluster, namespace: str, local_cluster: ClusterFacts
) -> None:
    """`imageID` of the container ends with the digest that the push returned."""
    busybox = await asyncio.to_thread(system_program("busybox").read_bytes)
    image = build_image(
        {"bin/sh": busybox, "bin/sleep": busybox, "etc/mark": namespace.encode()},
        name=f"tests/{namespace}",
        tag="1",
        env={"PATH": "/bin"},
    )
    reference = await push_image(image, local_cluster.registry)
    assert reference.endswith(f"@{image.digest}")
    pod = await run_pod(cluster, namespace, reference, claims=())
    (status,) = pod["status"]["containerStatuses"]
    assert status["imageID"].partition("@")[2] == image.digest
