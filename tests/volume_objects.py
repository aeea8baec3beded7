"""Small objects for tests that need a pod with a volume on a real cluster."""

from appshield.kubernetes import Cluster, Object, PodRef, kinds, ready
from appshield.local.cluster import STORAGE_CLASS


def claim(name: str, *, storage_class: str = STORAGE_CLASS, of_snapshot: str = "") -> Object:
    """A claim of 64 MiB, empty or filled from a snapshot."""
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": "64Mi"}},
    }
    if of_snapshot:
        group = "snapshot.storage.k8s.io"
        spec["dataSource"] = {"apiGroup": group, "kind": "VolumeSnapshot", "name": of_snapshot}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec,
    }


def snapshot(name: str, *, of_claim: str, snapshot_class: str = STORAGE_CLASS) -> Object:
    """A snapshot of a claim."""
    source = {"persistentVolumeClaimName": of_claim}
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": name},
        "spec": {"volumeSnapshotClassName": snapshot_class, "source": source},
    }


def pod(name: str, image: str, *, claims: tuple[str, ...], command: str = "") -> Object:
    """A pod that runs `command`, then waits; each claim is mounted at a folder of its name."""
    container = {
        "name": "main",
        "image": image,
        "command": ["sh", "-c", f"{command or ':'}; exec sleep 3600"],
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in claims],
    }
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container],
            "volumes": volumes,
            "terminationGracePeriodSeconds": 0,
        },
    }


async def run_pod(
    cluster: Cluster,
    namespace: str,
    image: str,
    *,
    name: str = "writer",
    claims: tuple[str, ...],
    command: str = "",
) -> Object:
    """Create the pod and return it when it is ready."""
    await cluster.wait_for(
        kinds.SERVICE_ACCOUNT, "default", namespace, bool, timeout_s=30, what="there"
    )
    body = pod(name, image, claims=claims, command=command)
    await cluster.create(kinds.POD, body, namespace=namespace)
    return await wait_for_pod(cluster, namespace, name)


async def wait_for_pod(cluster: Cluster, namespace: str, name: str) -> Object:
    """Return the pod when it is ready."""
    return await cluster.wait_for(
        kinds.POD,
        name,
        namespace,
        lambda obj: obj is not None and ready(obj).state == "ready",
        timeout_s=60,
        what="ready",
    )


async def output(cluster: Cluster, namespace: str, pod_name: str, command: str) -> str:
    """What a shell command prints in the pod."""
    pieces: list[bytes] = []

    async def keep(data: bytes) -> None:
        pieces.append(data)

    place = PodRef(namespace, pod_name, "main")
    await cluster.execute(place, ["sh", "-c", command], stdout=keep, timeout_s=30)
    return b"".join(pieces).decode()


async def wait_for_snapshot(cluster: Cluster, namespace: str, name: str) -> Object:
    """Return the snapshot when it can be used."""
    return await cluster.wait_for(
        kinds.VOLUME_SNAPSHOT,
        name,
        namespace,
        lambda obj: bool(obj and obj.get("status", {}).get("readyToUse")),
        timeout_s=30,
        what="ready to use",
    )
