"""In which order objects come back: waves, each of which only needs the waves before it.

An object that another object of the set owns comes after its owner, so that the link can be made.
Objects that hold state (claims, Secrets, ConfigMaps) do not wait for an owner: the data are there
before anything starts, and a controller that finds its Secret does not invent another password.
"""

from collections.abc import Iterable

from appshield.manifests.kinds import STATE_KINDS
from appshield.manifests.objects import (
    Object,
    Reference,
    by_reference,
    group_of,
    kind_of,
    owners_of,
)

_RBAC = "rbac.authorization.k8s.io"
_WAVES: tuple[frozenset[tuple[str, str]], ...] = (
    frozenset({("", "Namespace")}),
    frozenset({("apiextensions.k8s.io", "CustomResourceDefinition")}),
    frozenset(
        {
            ("storage.k8s.io", "StorageClass"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("node.k8s.io", "RuntimeClass"),
            ("networking.k8s.io", "IngressClass"),
            ("gateway.networking.k8s.io", "GatewayClass"),
            ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
            ("", "ResourceQuota"),
            ("", "LimitRange"),
        }
    ),
    frozenset({("", "ServiceAccount"), (_RBAC, "Role"), (_RBAC, "ClusterRole")}),
    frozenset({(_RBAC, "RoleBinding"), (_RBAC, "ClusterRoleBinding")}),
    frozenset({("", "Secret"), ("", "ConfigMap")}),
    frozenset({("", "PersistentVolume")}),
    frozenset({("", "PersistentVolumeClaim")}),
    frozenset({("", "Service"), ("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")}),
    frozenset({("networking.k8s.io", "NetworkPolicy"), ("policy", "PodDisruptionBudget")}),
    frozenset(
        {
            ("", "Pod"),
            ("", "ReplicationController"),
            ("apps", "ReplicaSet"),
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("batch", "Job"),
            ("batch", "CronJob"),
        }
    ),
    frozenset({("networking.k8s.io", "Ingress"), ("autoscaling", "HorizontalPodAutoscaler")}),
)
_WAVE_OF = {kind: index for index, kinds in enumerate(_WAVES) for kind in kinds}
_LAST_WAVE = len(_WAVES)


def restore_order(objects: Iterable[Object]) -> list[list[Object]]:
    """Return the objects in waves; within a wave they are sorted and need not wait.

    Custom resources come last: their definitions, and as a rule their operator, are there by then.
    """
    known = by_reference(objects)
    places: dict[Reference, tuple[int, int]] = {}
    for reference in known:
        _place(reference, known, places, ())
    waves: dict[tuple[int, int], list[Object]] = {}
    for reference, obj in known.items():
        waves.setdefault(places[reference], []).append(obj)
    return [waves[place] for place in sorted(waves)]


def _place(
    reference: Reference,
    known: dict[Reference, Object],
    places: dict[Reference, tuple[int, int]],
    below: tuple[Reference, ...],
) -> tuple[int, int]:
    """Return wave and depth: at least the kind's own, and after every owner in the set."""
    if reference in places:
        return places[reference]
    obj = known[reference]
    kind = (group_of(obj), kind_of(obj))
    place = (_WAVE_OF.get(kind, _LAST_WAVE), 0)
    for owner, _ in owners_of(obj) if kind not in STATE_KINDS else ():
        # An owner that is already below is a circle, which no controller makes; it is cut here.
        if owner in known and owner != reference and owner not in below:
            wave, depth = _place(owner, known, places, (*below, reference))
            place = max(place, (wave, depth + 1))
    places[reference] = place
    return place
