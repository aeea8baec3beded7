"""Which claims belong to an application, from little of the objects that lead to them. Pure.

What policies may ask about volumes is decided here, for whoever watches a cluster all the time and
for whoever reads it once: by `membership.select`, on the objects of the kinds below, and on the
custom resources whose operators made such objects. A claim that only a custom resource names, and
nothing that its operator made, is not among them.
"""

from collections.abc import Iterable
from typing import Any

from appshield.language.expression_values import VolumeFacts
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.kinds import BUILT_IN_GROUPS
from appshield.manifests.membership import select
from appshield.manifests.objects import (
    OWN_GROUP,
    Object,
    entries,
    group_of,
    kind_of,
    mapping,
    metadata,
    name_of,
    owners_of,
)
from appshield.manifests.quantities import size_bytes
from appshield.manifests.references import references
from appshield.manifests.workloads import pod_template

CLAIM = ("", "PersistentVolumeClaim")
LEADING_KINDS = frozenset(
    {
        CLAIM,
        ("", "Pod"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
    }
)
"""Groups and kinds of the objects that lead to claims."""
_MAKERS_STEPS_MAX = 4
"""A custom resource may be made for another one, and that for one more."""
_METADATA = ("name", "namespace", "labels", "ownerReferences", "deletionTimestamp")
_OF_CLAIMS = ("resources", "storageClassName")


def leading_part(obj: Object) -> Object:
    """Return what has to be kept of an object of these kinds, which is little."""
    found = metadata(obj)
    part: Object = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": {field: found[field] for field in _METADATA if field in found},
    }
    spec = mapping(obj, "spec")
    if (group_of(obj), kind_of(obj)) == CLAIM:
        part["spec"] = {field: spec[field] for field in _OF_CLAIMS if field in spec}
        return part
    template = pod_template(obj)
    if template is None:
        named = [one.to.name for one in references(obj) if (one.to.group, one.to.kind) == CLAIM]
        return part | (
            {"spec": {"claims": [{"claimName": name} for name in named]}} if named else {}
        )
    volumes = [one for one in entries(template.spec, "volumes") if "persistentVolumeClaim" in one]
    inner: dict[str, Any] = {"spec": {"volumes": volumes}}
    for step in reversed(template.path):
        inner = {step: inner}
    part |= inner
    if made := entries(spec, "volumeClaimTemplates"):
        part["spec"]["volumeClaimTemplates"] = [
            {"metadata": {"name": name_of(one)}} for one in made
        ]
    return part


def volumes_of(application: ResolvedApplication, objects: Iterable[Object]) -> list[VolumeFacts]:
    """Return the volumes of an application, by the name of their claim.

    Args:
        application: the resolved document.
        objects: of its namespace; of those of other kinds nothing is asked.
    """
    every = list(objects)
    leading = [obj for obj in every if (group_of(obj), kind_of(obj)) in LEADING_KINDS]
    for _ in range(_MAKERS_STEPS_MAX):
        kinds = LEADING_KINDS | makers(leading)
        found = [obj for obj in every if (group_of(obj), kind_of(obj)) in kinds]
        if len(found) == len(leading):
            break
        leading = found
    claims = [
        obj
        for obj in select(application, leading).objects
        if (group_of(obj), kind_of(obj)) == CLAIM
    ]
    return [_facts(claim) for claim in sorted(claims, key=name_of)]


def makers(objects: Iterable[Object]) -> frozenset[tuple[str, str]]:
    """Return the groups and kinds of the custom resources for which objects were made."""
    owners = {(owner.group, owner.kind) for obj in objects for owner, _ in owners_of(obj)}
    return frozenset(one for one in owners if one[0] not in BUILT_IN_GROUPS and one[0] != OWN_GROUP)


def _facts(claim: Object) -> VolumeFacts:
    spec = mapping(claim, "spec")
    asked = mapping(mapping(spec, "resources"), "requests").get("storage")
    return VolumeFacts(
        claim=name_of(claim),
        storage_class=str(spec.get("storageClassName") or ""),
        size_bytes=size_bytes(str(asked or "")),
    )
