"""Workloads: where their pods are described, and which workload a pod belongs to."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from appshield.manifests.objects import (
    Object,
    Reference,
    by_reference,
    controller_of,
    entries,
    group_of,
    kind_of,
    labels_of,
    mapping,
    reference_of,
)

_TEMPLATE_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_HASH_LABEL = "pod-template-hash"
_OWNERS_MAX = 16


class PodTemplate(msgspec.Struct, frozen=True):
    """Where an object describes pods: the path to it, and what stands there."""

    path: tuple[str, ...]
    template: dict[str, Any]

    @property
    def spec(self) -> dict[str, Any]:
        """The pod's spec."""
        return mapping(self.template, "spec")


def pod_template(obj: Object) -> PodTemplate | None:
    """Return the description of pods in a workload or a pod; None for other kinds."""
    path = _TEMPLATE_PATHS.get((group_of(obj), kind_of(obj)))
    if path is None:
        return None
    template: dict[str, Any] = obj
    for step in path:
        template = mapping(template, step)
    return PodTemplate(path, template)


def describes_pods(reference: Reference) -> bool:
    """Whether objects of its kind say how their pods are; those of an operator's kind do not."""
    return (reference.group, reference.kind) in _TEMPLATE_PATHS


def containers(spec: dict[str, Any]) -> list[tuple[str, int, dict[str, Any]]]:
    """Return each container of a pod's spec with the list it stands in and its index."""
    return [
        (field, index, container)
        for field in CONTAINER_LISTS
        for index, container in enumerate(entries(spec, field))
    ]


def owners_of(
    pod: Object, objects: Mapping[Reference, Object] | None = None
) -> Iterator[Reference]:
    """Yield a pod and what makes it, from the pod to its topmost owner.

    A ReplicaSet that is not among `objects` is taken for one of a Deployment, whose name is that
    of the ReplicaSet without the pod's template hash.
    """
    yield reference_of(pod)
    current = pod
    for _ in range(_OWNERS_MAX):
        owner = controller_of(current)
        if owner is None:
            return
        yield owner
        known = (objects or {}).get(owner)
        if known is None:
            yield _deployment_of(owner, labels_of(pod).get(_HASH_LABEL, ""))
            return
        current = known


def workload_of(pod: Object, objects: Mapping[Reference, Object] | None = None) -> Reference:
    """Return the topmost owner that makes the pod; the pod itself where nothing does."""
    return list(owners_of(pod, objects))[-1]


def pods_by_workload(pods: list[Object], objects: list[Object]) -> dict[Reference, list[Object]]:
    """Return the pods of each workload, in the order of their names."""
    known = by_reference(objects)
    found: dict[Reference, list[Object]] = {}
    for pod in by_reference(pods).values():
        found.setdefault(workload_of(pod, known), []).append(pod)
    return found


def _deployment_of(owner: Reference, template_hash: str) -> Reference:
    suffix = f"-{template_hash}"
    if owner.kind != "ReplicaSet" or not template_hash or not owner.name.endswith(suffix):
        return owner
    return Reference("apps", "Deployment", owner.namespace, owner.name.removesuffix(suffix))
