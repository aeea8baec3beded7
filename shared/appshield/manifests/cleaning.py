"""An object without what only a server may say: the one documented set of fields.

Everywhere
    `metadata`: uid, resourceVersion, generation, creationTimestamp, selfLink, managedFields,
    deletionTimestamp, deletionGracePeriodSeconds, generateName; the finalizers of the cluster's
    own controllers; in ownerReferences the uid (`relocating.link_owners` puts the new one in).
    `status`, but for kinds that a caller names. Annotations and labels of controllers: see below.
Pod            nodeName, priority, the service account's token volume, default tolerations
PersistentVolumeClaim  volumeName, dataSource, dataSourceRef: its data come from the version
Service        clusterIP(s), healthCheckNodePort and nodePorts that a person did not choose;
               `None` of a headless one stays
Job            the selector and labels that its controller made
ServiceAccount secrets: tokens
Namespace      spec (finalizers), the label kubernetes.io/metadata.name

What kubectl keeps in `last-applied-configuration` stays: it is the person's own statement.
"""

import copy
import json
from collections.abc import Callable, Collection
from typing import Any

from appshield.manifests.comparing import differences, same
from appshield.manifests.kinds import matches_kind
from appshield.manifests.objects import (
    Object,
    annotations_of,
    entries,
    group_of,
    kind_of,
    mapping,
    metadata,
)
from appshield.manifests.workloads import pod_template

__all__ = ["clean", "differences", "same"]

SERVER_METADATA = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
)
SERVER_FINALIZERS = frozenset(
    {"kubernetes.io/pvc-protection", "kubernetes.io/pv-protection", "foregroundDeletion", "orphan"}
)
SERVER_ANNOTATIONS = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "pv.kubernetes.io/bind-completed",
        "pv.kubernetes.io/bound-by-controller",
        "volume.beta.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/storage-provisioner",
        "volume.kubernetes.io/selected-node",
        "volume.kubernetes.io/storage-resizer",
        "endpoints.kubernetes.io/last-change-trigger-time",
        "autoscaling.alpha.kubernetes.io/conditions",
        "autoscaling.alpha.kubernetes.io/current-metrics",
        "batch.kubernetes.io/job-tracking",
        "batch.kubernetes.io/cronjob-scheduled-timestamp",
        "appshield.io/written-by",  # of the object as it stood there, and true of no other
        "appshield.io/written-generation",
    }
)
SERVER_LABELS = frozenset({"pod-template-hash", "controller-revision-hash"})
JOB_LABELS = frozenset(
    {
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
    }
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - the prefix of a name
_DEFAULT_TOLERATIONS = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})


def clean(obj: Object, *, status_of: Collection[str] = ()) -> Object:
    """Return a copy without the fields that a server owns.

    Args:
        obj: an object as the API server gives it.
        status_of: patterns of kinds (`*.acme.io`) whose status is state and stays.
    """
    cleaned = copy.deepcopy(obj)
    if not matches_kind(status_of, group_of(obj), kind_of(obj)):
        cleaned.pop("status", None)
    special = _SPECIAL.get((group_of(obj), kind_of(obj)))
    if special is not None:
        special(cleaned)
    _clean_metadata(cleaned)
    template = pod_template(cleaned)
    if template is not None and template.path:
        _drop(mapping(template.template, "metadata"), {"creationTimestamp"})
    for claim in entries(mapping(cleaned, "spec"), "volumeClaimTemplates"):
        _drop(mapping(claim, "metadata"), {"creationTimestamp"})
        claim.pop("status", None)
    return cleaned


def _clean_metadata(obj: Object) -> None:
    meta = metadata(obj)
    _drop(meta, SERVER_METADATA)
    _drop_within(meta, "annotations", SERVER_ANNOTATIONS)
    _drop_within(meta, "labels", SERVER_LABELS)
    if "finalizers" in meta:
        meta["finalizers"] = [one for one in meta["finalizers"] if one not in SERVER_FINALIZERS]
    for owner in entries(meta, "ownerReferences"):
        _drop(owner, {"uid"})
    for field in ("finalizers", "ownerReferences"):
        if not meta.get(field):
            meta.pop(field, None)


def _clean_pod(pod: Object) -> None:
    spec = mapping(pod, "spec")
    _drop(spec, {"nodeName", "priority"})
    if "tolerations" in spec:
        spec["tolerations"] = [
            one for one in entries(spec, "tolerations") if not _is_default_toleration(one)
        ]
    if "volumes" in spec:
        spec["volumes"] = [one for one in entries(spec, "volumes") if not _is_token(one)]
    for field in ("initContainers", "containers"):
        for container in entries(spec, field):
            mounts = [one for one in entries(container, "volumeMounts") if not _is_token(one)]
            container["volumeMounts"] = mounts
            if not mounts:
                container.pop("volumeMounts")
    for field in ("tolerations", "volumes"):
        if not spec.get(field):
            spec.pop(field, None)


def _is_token(volume: dict[str, Any]) -> bool:
    return str(volume.get("name") or "").startswith(_TOKEN_VOLUME)


def _is_default_toleration(toleration: dict[str, Any]) -> bool:
    return (
        toleration.get("key") in _DEFAULT_TOLERATIONS and toleration.get("tolerationSeconds") == 300
    )


def _clean_claim(claim: Object) -> None:
    _drop(mapping(claim, "spec"), {"volumeName", "dataSource", "dataSourceRef"})


def _clean_service(service: Object) -> None:
    spec = mapping(service, "spec")
    chosen = _chosen_by_people(service)
    if spec.get("clusterIP") != "None" and "clusterIP" not in chosen:
        _drop(spec, {"clusterIP", "clusterIPs"})
    if "healthCheckNodePort" not in chosen:
        _drop(spec, {"healthCheckNodePort"})
    for port in entries(spec, "ports"):
        if f"nodePort of {port.get('port')}/{port.get('protocol', 'TCP')}" not in chosen:
            _drop(port, {"nodePort"})


def _chosen_by_people(service: Object) -> set[str]:
    """Return which of a Service's addresses and ports somebody wrote down.

    The API server records in managedFields what a request said, not what it filled in itself;
    kubectl apply records the same in its annotation.
    """
    chosen: set[str] = set()
    for manager in entries(metadata(service), "managedFields"):
        spec = mapping(mapping(manager, "fieldsV1"), "f:spec")
        chosen.update(name[2:] for name in spec if name in {"f:clusterIP", "f:healthCheckNodePort"})
        for key, fields in mapping(spec, "f:ports").items():
            if isinstance(fields, dict) and "f:nodePort" in fields and key.startswith("k:"):
                port = _decoded(key[2:])
                chosen.add(f"nodePort of {port.get('port')}/{port.get('protocol', 'TCP')}")
    applied = mapping(_decoded(annotations_of(service).get(LAST_APPLIED, "")), "spec")
    chosen.update({"clusterIP", "healthCheckNodePort"} & applied.keys())
    for port in entries(applied, "ports"):
        if "nodePort" in port:
            chosen.add(f"nodePort of {port.get('port')}/{port.get('protocol', 'TCP')}")
    return chosen


def _decoded(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _clean_job(job: Object) -> None:
    spec = mapping(job, "spec")
    template = mapping(mapping(spec, "template"), "metadata")
    if spec.get("manualSelector") is not True:
        _drop(spec, {"selector"})
    for meta in (metadata(job), template):
        _drop_within(meta, "labels", JOB_LABELS)
        _drop_within(meta, "annotations", SERVER_ANNOTATIONS)


def _clean_account(account: Object) -> None:
    _drop(account, {"secrets"})


def _clean_namespace(namespace: Object) -> None:
    _drop(namespace, {"spec"})
    _drop_within(metadata(namespace), "labels", {"kubernetes.io/metadata.name"})


_SPECIAL: dict[tuple[str, str], Callable[[Object], None]] = {
    ("", "Pod"): _clean_pod,
    ("", "PersistentVolumeClaim"): _clean_claim,
    ("", "Service"): _clean_service,
    ("batch", "Job"): _clean_job,
    ("", "ServiceAccount"): _clean_account,
    ("", "Namespace"): _clean_namespace,
}


def _drop(owner: dict[str, Any], fields: Collection[str]) -> None:
    for field in fields:
        owner.pop(field, None)


def _drop_within(owner: dict[str, Any], field: str, names: Collection[str]) -> None:
    """Drop names from a mapping, and the mapping itself once it is empty."""
    if field in owner:
        _drop(mapping(owner, field), names)
        if not owner[field]:
            owner.pop(field)
