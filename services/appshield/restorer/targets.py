"""The target as it stands: which of the objects to be made are there already, and whose."""

from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.kinds import NAMESPACE
from appshield.restorer.marking import is_ours
from appshield.service import together

_NAMED_MAX = 40


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


async def ensure_free(cluster: Cluster, objects: list[Object], mark: str) -> None:
    """Make sure that nothing which would be made is there, our own unfinished work aside.

    Raises:
        RefusedError: names every object that is in the way.
    """
    found = await together(standing(cluster, obj) for obj in objects)
    in_the_way = [
        described(obj)
        for obj, other in zip(objects, found, strict=True)
        if other is not None and not is_ours(other, mark) and obj["kind"] != "Namespace"
    ]
    if in_the_way:
        more = f" and {len(in_the_way) - _NAMED_MAX} more" if len(in_the_way) > _NAMED_MAX else ""
        raise RefusedError(
            f"the target holds {len(in_the_way)} of the objects to be restored",
            why=", ".join(in_the_way[:_NAMED_MAX]) + more,
            next_step="Delete them, or restore into another namespace with --to.",
        )


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
