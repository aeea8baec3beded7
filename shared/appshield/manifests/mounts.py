"""Which volumes the pods of an application mount, running or only described."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from appshield.language.resolved import ResolvedApplication, ResolvedComponent
from appshield.manifests.objects import (
    Object,
    Reference,
    by_reference,
    entries,
    mapping,
    metadata,
)
from appshield.manifests.references import claims_of
from appshield.manifests.workloads import owners_of, pod_template

_ORDINAL = re.compile(r"-([0-9]+)$")
_WITHOUT_CLAIM = ("hostPath", "emptyDir")


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """One volume of one workload, in one of its pods or in its description.

    `claim` is empty for a hostPath or an emptyDir, `node` unless the pod runs.
    """

    workload: Reference
    volume: str
    source: str
    claim: str = ""
    template: str = ""
    component: ResolvedComponent | None = None
    pod: Object | None = None
    node: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a document may use for the volume."""
        return tuple(name for name in (self.volume, self.claim, self.template) if name)


class Replicas(msgspec.Struct, frozen=True):
    """The claims of the replicas that `one-replica` does not save."""

    others: frozenset[str]


def component_of(application: ResolvedApplication, workload: Reference) -> ResolvedComponent | None:
    """Return the component that the workload runs."""
    for component in application.components:
        if (component.workload.kind, component.workload.name) == (workload.kind, workload.name):
            return component
    return None


def mounts(
    application: ResolvedApplication,
    members: list[Object],
    pods: list[Object],
    claims: list[Object],
    objects: Mapping[Reference, Object],
) -> list[Mount]:
    """Return every mount of the members' pods, running pods first, in a fixed order.

    What stands between a member and its pods (the set that an operator makes for a custom resource)
    is looked for among all `objects`, as it need not be a member itself.
    """
    known = by_reference(members)
    found: list[Mount] = []
    for pod in by_reference(pods).values():
        workload = next((one for one in owners_of(pod, objects) if one in known), None)
        if workload is not None and not metadata(pod).get("deletionTimestamp"):
            component = component_of(application, workload)
            found += _of_spec(mapping(pod, "spec"), workload, component, pod)
    for reference, obj in known.items():
        component = component_of(application, reference)
        template = pod_template(obj)
        if template is not None and template.path:
            found += _of_spec(template.spec, reference, component, None)
        for edge in claims_of(obj, claims):
            found.append(
                Mount(
                    workload=reference,
                    volume=edge.how.split(" ", 1)[1],
                    source="persistentVolumeClaim",
                    claim=edge.to.name,
                    template=edge.how.split(" ", 1)[1],
                    component=component,
                )
            )
    return sorted(found, key=lambda one: (one.claim, one.node == "", one.workload, one.volume))


def first_replicas(application: ResolvedApplication, all_mounts: list[Mount]) -> Replicas:
    """Find the claims of all replicas but one, for components that save one replica.

    The one is the lowest ordinal whose pod runs; the lowest at all where none does.
    """
    others: set[str] = set()
    for component in application.components:
        mine = [one for one in all_mounts if one.component is component and one.template]
        running = {_ordinal(one.claim) for one in all_mounts if _runs(one, component)}
        ordinals = {_ordinal(one.claim) for one in mine}
        chosen = min(ordinals & running or ordinals, default=0)
        others |= {one.claim for one in mine if _ordinal(one.claim) != chosen}
    return Replicas(frozenset(others))


def _runs(mount: Mount, component: ResolvedComponent) -> bool:
    return mount.component is component and bool(mount.claim and mount.node)


def _ordinal(claim: str) -> int:
    found = _ORDINAL.search(claim)
    return int(found[1]) if found else 0


def _of_spec(
    spec: dict[str, Any],
    workload: Reference,
    component: ResolvedComponent | None,
    pod: Object | None,
) -> Iterator[Mount]:
    running = pod is not None and mapping(pod, "status").get("phase") == "Running"
    for volume in entries(spec, "volumes"):
        name = str(volume.get("name") or "")
        source = next((one for one in _WITHOUT_CLAIM if one in volume), "")
        claim = str(mapping(volume, "persistentVolumeClaim").get("claimName") or "")
        if not source and not claim:
            continue
        yield Mount(
            workload=workload,
            volume=name,
            source=source or "persistentVolumeClaim",
            claim=claim,
            component=component,
            pod=pod,
            node=str(spec.get("nodeName") or "") if running else "",
        )
