"""The objects that a snapshot makes in the cluster. Pure.

Names derive from the run and the claim, so that a second attempt finds the work of the first.
"""

import hashlib

from appshield.kubernetes import Object
from appshield.podvolumes import labels_of

CLAIM_ANNOTATION = "appshield.io/claim"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""Where a claim that waits for a consumer is to be provisioned; mostly the scheduler writes it."""


def name_of(run: str, claim: str) -> str:
    """Name everything that one volume of one run needs."""
    return f"appshield-{run}-{hashlib.sha256(claim.encode()).hexdigest()[:8]}"


def snapshot(run: str, claim: str, namespace: str, snapshot_class: str) -> Object:
    """Describe the snapshot of a claim, beside it."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": _metadata(run, claim, namespace),
        "spec": {
            "volumeSnapshotClassName": snapshot_class,
            "source": {"persistentVolumeClaimName": claim},
        },
    }


def exposed_content(run: str, claim: str, namespace: str, content: Object) -> Object:
    """Describe a second, static content for the same snapshot, for use in our own namespace."""
    spec = content["spec"]
    name = name_of(run, claim)
    body: Object = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": _metadata(run, claim, ""),
        "spec": {
            "deletionPolicy": "Retain",
            "driver": spec["driver"],
            "source": {"snapshotHandle": content["status"]["snapshotHandle"]},
            "volumeSnapshotRef": {"name": name, "namespace": namespace},
        },
    }
    for optional in ("sourceVolumeMode", "volumeSnapshotClassName"):
        if optional in spec:
            body["spec"][optional] = spec[optional]
    return body


def exposed_snapshot(run: str, claim: str, namespace: str) -> Object:
    """Describe the snapshot in our own namespace that is bound to the static content."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": _metadata(run, claim, namespace),
        "spec": {"source": {"volumeSnapshotContentName": name_of(run, claim)}},
    }


def exposed_claim(
    run: str, namespace: str, original: Object, restore_size: str, node: str
) -> Object:
    """Describe a claim in our own namespace that is filled from the snapshot.

    `node` is where the original is in use, empty if it is not: there is the best place for it.
    """
    claim: str = original["metadata"]["name"]
    metadata = _metadata(run, claim, namespace)
    if node:
        metadata["annotations"][SELECTED_NODE] = node
    spec = original["spec"]
    capacity = original.get("status", {}).get("capacity", {}).get("storage", "")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": spec.get("storageClassName", ""),
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "resources": {
                "requests": {
                    "storage": capacity or restore_size or spec["resources"]["requests"]["storage"]
                }
            },
            "dataSource": {
                "apiGroup": "snapshot.storage.k8s.io",
                "kind": "VolumeSnapshot",
                "name": name_of(run, claim),
            },
        },
    }


def _metadata(run: str, claim: str, namespace: str) -> Object:
    metadata: Object = {
        "name": name_of(run, claim),
        "labels": labels_of(run),
        "annotations": {CLAIM_ANNOTATION: claim},
    }
    if namespace:
        metadata["namespace"] = namespace
    return metadata
