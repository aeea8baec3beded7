"""Which objects the cluster makes by itself: they are never stored, as their maker remakes them."""

from collections.abc import Mapping

from appshield.manifests.kinds import (
    GENERATED_GROUPS,
    GENERATED_KINDS,
    RBAC,
    STATE_KINDS,
)
from appshield.manifests.objects import (
    OWN_GROUP,
    Object,
    Reference,
    controller_of,
    labels_of,
    mapping,
)

MADE_BY_NAME = {
    ("ConfigMap", "kube-root-ca.crt"): "the cluster makes it in every namespace",
    ("ConfigMap", "openshift-service-ca.crt"): "the cluster makes it in every namespace",
    ("ServiceAccount", "default"): "the cluster makes it in every namespace",
}
_IN_EVERY_CLUSTER = {
    (RBAC, "ClusterRole"): "system:",
    (RBAC, "ClusterRoleBinding"): "system:",
    ("scheduling.k8s.io", "PriorityClass"): "system-",
}
"""Kinds of which every cluster has some, and how the names of those begin."""
_BOOTSTRAPPING_LABEL = "kubernetes.io/bootstrapping"
_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type


def generated(reference: Reference, obj: Object, known: Mapping[Reference, Object]) -> str:
    """Return who makes the object, if the cluster does; nothing if people do.

    `known` are all objects that were listed.
    """
    by_name = "" if reference.group else MADE_BY_NAME.get((reference.kind, reference.name), "")
    if why := generated_kind(reference.group, reference.kind) or by_name:
        return why
    if not reference.namespace:
        return _generated_in_every_cluster(reference, obj)
    if reference.kind == "Secret" and obj.get("type") == _TOKEN_TYPE:
        return "the cluster makes tokens of service accounts"
    if (reference.group, reference.kind) == ("", "Endpoints") and _follows_pods(reference, known):
        return "its Service makes it"
    owner = controller_of(obj)
    if owner is None:
        return ""
    holds_state = (reference.group, reference.kind) in STATE_KINDS and owner.kind != "Pod"
    return "" if holds_state else f"{owner} makes it"


def generated_kind(group: str, kind: str) -> str:
    """Return why no object of a kind is ever stored, or nothing."""
    if group == OWN_GROUP:
        return "is AppShield's own"
    if group in GENERATED_GROUPS:
        return "it is a measurement"
    return GENERATED_KINDS.get((group, kind), "")


def _follows_pods(endpoints: Reference, known: Mapping[Reference, Object]) -> bool:
    """Endpoints are a person's only beside a Service that selects no pods."""
    service = known.get(Reference("", "Service", endpoints.namespace, endpoints.name))
    return service is None or bool(mapping(mapping(service, "spec"), "selector"))


def _generated_in_every_cluster(reference: Reference, obj: Object) -> str:
    prefix = _IN_EVERY_CLUSTER.get((reference.group, reference.kind))
    bootstrapped = _BOOTSTRAPPING_LABEL in labels_of(obj)
    if bootstrapped or (prefix and reference.name.startswith(prefix)):
        return "every cluster has it"
    return ""
