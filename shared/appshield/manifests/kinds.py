"""What is known about kinds: their plural names, and which are made by the cluster itself."""

import fnmatch
from collections.abc import Iterable

import msgspec

_PLURALS = {
    "Endpoints": "endpoints",
    "NetworkPolicy": "networkpolicies",
    "PodSecurityPolicy": "podsecuritypolicies",
}

RBAC = "rbac.authorization.k8s.io"
MONITORING = "monitoring.coreos.com"
GATEWAYS = "gateway.networking.k8s.io"

GENERATED_KINDS: dict[tuple[str, str], str] = {
    ("", "Event"): "events are a record of what happened",
    ("events.k8s.io", "Event"): "events are a record of what happened",
    ("coordination.k8s.io", "Lease"): "a lease belongs to who holds it now",
    ("apps", "ControllerRevision"): "its workload makes it",
    ("metrics.k8s.io", "PodMetrics"): "it is a measurement",
    ("", "Binding"): "it is a request, not a state",
    (
        "snapshot.storage.k8s.io",
        "VolumeSnapshot",
    ): "it is a point in time of this cluster's storage",
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"): (
        "it is a point in time of this cluster's storage"
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): "the storage driver publishes it",
}
GENERATED_GROUPS = frozenset({"metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"})

STATE_KINDS = frozenset({("", "PersistentVolumeClaim"), ("", "Secret"), ("", "ConfigMap")})
"""Kinds that hold state even when a controller made them: remade, they would come back empty or
with another password than the data was written with."""


class ServedKind(msgspec.Struct, frozen=True, order=True):
    """A kind that an API server can list."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True


FOLLOWED_KINDS = frozenset(
    {
        ("", "Secret"),
        ("", "ConfigMap"),
        ("", "PersistentVolumeClaim"),
        ("", "ServiceAccount"),
        ("", "Service"),
        (RBAC, "Role"),
        (RBAC, "RoleBinding"),
        ("apps", "ReplicaSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("policy", "PodDisruptionBudget"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("networking.k8s.io", "Ingress"),
        (MONITORING, "ServiceMonitor"),
        (MONITORING, "PodMonitor"),
        (GATEWAYS, "Gateway"),
        (GATEWAYS, "HTTPRoute"),
    }
)
"""Kinds that members refer to, that are made for a member, or that lie between it and its owner."""

CLUSTER_KINDS = frozenset(
    {
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        (RBAC, "ClusterRole"),
        (RBAC, "ClusterRoleBinding"),
        ("storage.k8s.io", "StorageClass"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("networking.k8s.io", "IngressClass"),
        (GATEWAYS, "GatewayClass"),
    }
)
"""Kinds without a namespace that an application can need; of them only what it refers to is its."""

MADE_WHEN_NAMED = frozenset(
    {
        ("storage.k8s.io", "StorageClass"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    }
)
"""Classes that describe the machines of one cluster: a restore makes those that it is asked for."""

BUILT_IN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        RBAC,
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""Groups that the API server has by itself: their kinds have no CustomResourceDefinition."""


def plural_of(kind: str) -> str:
    """Return the plural by the rule that nearly every kind follows; irregular ones are listed.

    Source: `UnsafeGuessKindToResource` of k8s.io/apimachinery.
    """
    if kind in _PLURALS:
        return _PLURALS[kind]
    lower = kind.lower()
    if lower.endswith(("s", "x", "ch", "sh")):
        return lower + "es"
    if lower.endswith("y") and lower[-2:-1] not in set("aeiou"):
        return lower[:-1] + "ies"
    return lower + "s"


def matches_kind(patterns: Iterable[str], group: str, kind: str, plural: str = "") -> str:
    """Return the first pattern that names the kind, or nothing.

    `deployments.apps` names a plural (or the kind in small letters) and a group, `secrets` a kind
    of any group, `*.acme.io` all kinds of a group, `*` everything. A star stands for any part.
    """
    names = {plural or plural_of(kind), kind.lower()}
    for pattern in patterns:
        wanted, dot, wanted_group = pattern.partition(".")
        if dot and not fnmatch.fnmatchcase(group, wanted_group):
            continue
        if any(fnmatch.fnmatchcase(name, wanted) for name in names):
            return pattern
    return ""
