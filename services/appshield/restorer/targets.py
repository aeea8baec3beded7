"""The target as it stands: which of the objects to be made are there already, and whose."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Kind, Object, ready
from appshield.kubernetes.kinds import NAMESPACE
from appshield.restorer.marking import is_ours, is_same_content
from appshield.service import together

_NAMED_MAX = 40
_LISTED_FROM = 16
"""So many objects of one kind are looked for in a list of all of that kind."""
CONTINUED_WITHIN_S = 3_600.0
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


async def kind_of(cluster: Cluster, obj: Object) -> Kind | None:
    """Find the kind of an object, None when the cluster does not serve it (yet)."""
    try:
        return await cluster.kind_of(obj["apiVersion"], obj["kind"])
    except NotFoundError:
        return None


async def standing(cluster: Cluster, obj: Object) -> Object | None:
    """Read the object of the same kind and name as it stands in the cluster."""
    kind = await kind_of(cluster, obj)
    if kind is None:
        return None
    metadata = obj["metadata"]
    return await cluster.get(kind, metadata["name"], metadata.get("namespace", ""))


async def all_standing(cluster: Cluster, objects: Sequence[Object]) -> list[Object | None]:
    """Read what stands in the place of each object; a kind with many of them is listed."""
    alike = Counter(_kind_and_namespace(obj) for obj in objects)
    many = [place for place, number in alike.items() if number >= _LISTED_FROM]
    listed = dict(zip(many, await together(_list(cluster, *one) for one in many), strict=True))

    async def find(obj: Object) -> Object | None:
        place = _kind_and_namespace(obj)
        if place in listed:
            return listed[place].get(obj["metadata"]["name"])
        return await standing(cluster, obj)

    return await together(find(obj) for obj in objects)


async def _list(cluster: Cluster, api_version: str, kind: str, namespace: str) -> dict[str, Object]:
    try:
        served = await cluster.kind_of(api_version, kind)
    except NotFoundError:
        return {}
    found = await cluster.list(served, namespace=namespace)
    return {obj["metadata"]["name"]: obj for obj in found}


def _kind_and_namespace(obj: Object) -> tuple[str, str, str]:
    return obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace", "")


async def present_of(cluster: Cluster, objects: list[Object], mark: str) -> list[Object]:
    """Choose the objects that are there already, our own unfinished work and namespaces aside."""
    found = await all_standing(cluster, objects)
    return _not_ours(objects, found, mark)


def _not_ours(objects: list[Object], found: list[Object | None], mark: str) -> list[Object]:
    return [
        obj
        for obj, other in zip(objects, found, strict=True)
        if other is not None and not is_ours(other, mark) and obj["kind"] != "Namespace"
    ]


async def ensure_free(cluster: Cluster, objects: list[Object], mark: str) -> None:
    """Make sure that nothing which would be made is there, our own unfinished work aside.

    What only holds content, and holds the same, is not in the way by itself. `objects` are those of
    the application alone, without what it shares with the whole cluster.

    Raises:
        RefusedError: names every object that is in the way.
    """
    found = await all_standing(cluster, objects)
    pairs = zip(objects, found, strict=True)
    different = [None if is_same_content(obj, other) else other for obj, other in pairs]
    hindered = bool(_not_ours(objects, different, mark))
    in_the_way = [described(obj) for obj in _not_ours(objects, found, mark)] if hindered else []
    if running := in_use_since_long(found, mark, datetime.now(UTC)):
        raise RefusedError(
            "an earlier restore of this version did not finish, and its application is in use",
            why=", ".join(described(obj) for obj in running),
            next_step="Restore into another namespace with --to, or delete it and restore again.",
        )
    if in_the_way:
        more = f" and {len(in_the_way) - _NAMED_MAX} more" if len(in_the_way) > _NAMED_MAX else ""
        raise RefusedError(
            f"the target holds {len(in_the_way)} of the objects to be restored",
            why=", ".join(in_the_way[:_NAMED_MAX]) + more,
            next_step="Delete them, restore into another namespace with --to, or onto what is "
            "there with --existing.",
        )


def in_use_since_long(found: list[Object | None], mark: str, now: datetime) -> list[Object]:
    """Choose workloads of an unfinished restore that have been running for a while. Pure.

    An interrupted restore is gone on with, but not when people work with what it has made.
    """
    long_ago = now - timedelta(seconds=CONTINUED_WITHIN_S)
    return [
        obj
        for obj in found
        if obj is not None
        and obj["kind"] in WORKLOADS
        and is_ours(obj, mark)
        and datetime.fromisoformat(obj["metadata"]["creationTimestamp"]) < long_ago
        and ready(obj).state == "ready"
    ]


async def ensure_namespace_lives(cluster: Cluster, namespace: str) -> None:
    """Make sure that the target namespace is not being deleted.

    Raises:
        RefusedError: it is.
    """
    found = await cluster.get(NAMESPACE, namespace)
    if found is not None and found.get("status", {}).get("phase") == "Terminating":
        raise RefusedError(
            f"namespace {namespace} is being deleted",
            why="objects cannot be created in it until it is gone",
            next_step="Wait until it is gone, then restore again.",
        )


def described(obj: Object) -> str:
    """Write an object's identity for a person: `Kind namespace/name`."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    name = f"{namespace}/{metadata['name']}" if namespace else metadata["name"]
    return f"{obj['kind']} {name}"
