"""A small stateful application for tests on the real cluster: it writes numbered files for ever.

It is quiesced by a marker file that its loop respects, so that a test can see whether an
application was left quiesced.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from appshield.kubernetes import Object, PodRef, ready
from appshield.kubernetes.kinds import (
    APPLICATION,
    CONFIG_MAP,
    NAMESPACE,
    POD,
    PVC,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    VOLUME_SNAPSHOT,
    VOLUME_SNAPSHOT_CONTENT,
)
from appshield.local.cluster import STORAGE_CLASS, ClusterFacts
from appshield.podvolumes import open_pod_volume, until_mounted
from appshield.podvolumes.holder import RUN_LABEL
from installation import Installation

NAME = "app"
POD_NAME = "db-0"
CLAIM = "data-db-0"
LOOP = """
mkdir -p /data/rows; n=$(ls /data/rows | wc -l)
while true; do
  if [ ! -e /data/quiesced ]; then
    n=$((n+1)); echo "row $n" > /data/rows/.new && mv /data/rows/.new /data/rows/$n
  fi
  sleep 0.05
done
"""
QUIESCE = ["sh", "-c", "touch /data/quiesced"]
RESUME = ["sh", "-c", "rm -f /data/quiesced"]


def component(**changes: Any) -> Object:
    """Describe the one component; `changes` replace or add fields."""
    plain: Object = {
        "name": "db",
        "workload": {"kind": "StatefulSet", "name": "db"},
        "quiesce": {"command": QUIESCE},
        "resume": {"command": RESUME},
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def document(namespace: str, **spec: Any) -> Object:
    """Describe the application to AppShield."""
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"type": "web", "components": [component()], **spec},
    }


def stateful_set(image: str, *, storage_class: str = STORAGE_CLASS) -> Object:
    """Describe the workload."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            "name": "main",
                            "image": image,
                            "command": ["sh", "-c", LOOP],
                            "envFrom": [
                                {"secretRef": {"name": "credentials"}},
                                {"configMapRef": {"name": "settings"}},
                            ],
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                        }
                    ],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": storage_class,
                        "resources": {"requests": {"storage": "64Mi"}},
                    },
                }
            ],
        },
    }


async def deploy(
    installation: Installation,
    namespace: str,
    image: str,
    *,
    secret: str = "a secret",
    storage_class: str = STORAGE_CLASS,
    spec: Object | None = None,
) -> None:
    """Make the application and its document, and wait until it runs."""
    cluster = installation.cluster
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"COLOR": "blue"}}
    settings["metadata"] = {"name": "settings"}
    credentials: Object = {"apiVersion": "v1", "kind": "Secret", "stringData": {"KEY": secret}}
    credentials["metadata"] = {"name": "credentials"}
    service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}}
    service["spec"] = {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80}]}
    await cluster.create(CONFIG_MAP, settings, namespace=namespace)
    await cluster.create(SECRET, credentials, namespace=namespace)
    await cluster.create(SERVICE, service, namespace=namespace)
    body = stateful_set(image, storage_class=storage_class)
    await cluster.create(STATEFUL_SET, body, namespace=namespace)
    await cluster.create(APPLICATION, document(namespace, **(spec or {})))
    await until_running(installation, namespace)


async def until_running(installation: Installation, namespace: str) -> None:
    """Wait until the workload is ready."""
    await installation.cluster.wait_for(
        STATEFUL_SET,
        "db",
        namespace,
        lambda obj: obj is not None and ready(obj).state == "ready",
        timeout_s=90,
        what="StatefulSet db ready",
    )


async def run_in(installation: Installation, namespace: str, script: str) -> str:
    """Run a shell script in the application's pod and return what it writes."""
    written = bytearray()

    async def take(piece: bytes) -> None:
        written.extend(piece)

    done = await installation.cluster.execute(
        PodRef(namespace, POD_NAME, "main"), ["sh", "-c", script], stdout=take, timeout_s=30
    )
    assert done.exit_code == 0, done.stderr_tail
    return written.decode().strip()


async def is_quiesced(installation: Installation, namespace: str) -> bool:
    """Say whether the application waits."""
    marker = "if [ -e /data/quiesced ]; then echo yes; else echo no; fi"
    return await run_in(installation, namespace, marker) == "yes"


async def nothing_left_behind(installation: Installation, namespace: str, run: str = "") -> bool:
    """Say whether the cluster holds nothing that a run, this one or any, made in passing."""
    made = f"{RUN_LABEL}={run}" if run else RUN_LABEL
    kinds = (POD, PVC, VOLUME_SNAPSHOT)
    places = [(kind, place) for kind in kinds for place in (namespace, "appshield-system")]
    for kind, place in [*places, (VOLUME_SNAPSHOT_CONTENT, "")]:
        if await installation.cluster.list(kind, namespace=place, label_selector=made):
            return False
    return True


async def folder_on_node(
    installation: Installation,
    facts: ClusterFacts,
    namespace: str,
    pod: str = POD_NAME,
    claim: str = CLAIM,
) -> Path:
    """Find the directory of a pod's volume as this machine sees it, once it is mounted."""
    found = await installation.cluster.get(POD, pod, namespace)
    assert found is not None
    volume = await open_pod_volume(
        installation.cluster,
        kubelet_root=facts.kubelet_root,
        node=facts.node_name,
        pod_namespace=namespace,
        pod=pod,
        pod_uid=found["metadata"]["uid"],
        claim=claim,
    )
    await until_mounted(volume, timeout_s=60)
    return facts.kubelet_root / volume.folder


async def remove_namespace(installation: Installation, namespace: str) -> None:
    """Delete a namespace and wait until it is gone."""
    await installation.cluster.delete(NAMESPACE, namespace)
    await installation.cluster.wait_for(
        NAMESPACE, namespace, "", lambda obj: obj is None, timeout_s=120, what=f"{namespace} gone"
    )


@asynccontextmanager
async def namespace_of_its_own(installation: Installation, purpose: str) -> AsyncIterator[str]:
    """Give a namespace for the time of the block."""
    name = f"test-{purpose}-{uuid4().hex[:6]}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await installation.cluster.create(NAMESPACE, body)
    try:
        yield name
    finally:
        await installation.cluster.delete(NAMESPACE, name)
