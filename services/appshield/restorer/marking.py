"""The mark on what a restore makes, until it has finished. Pure.

The mark names the history and the version, not the run: a restore that was interrupted is gone on
with by the next one of the same version, which knows its own work by the mark. When a restore has
finished the marks go, and a later restore finds the objects of a running application in its way.

What only holds content, and may be there by the thousand, bears no mark: it is known by what it
says, and one that says the same is in nobody's way.
"""

from appshield.contracts.restores import RestoreCommand
from appshield.kubernetes import Object
from appshield.manifests.cleaning import clean

RESTORING = "appshield.io/restoring"

_CONTENT = frozenset({("v1", "ConfigMap"), ("v1", "Secret")})
_MADE_BY_THE_CLUSTER = "kubernetes.io/service-account-token"


def mark_of(order: RestoreCommand) -> str:
    """Write the mark of a restore."""
    return f"{order.app_id}.{order.version}"


def is_content(obj: Object) -> bool:
    """Say whether an object only holds content: nothing acts on it, and it is all there is."""
    return (
        (obj["apiVersion"], obj["kind"]) in _CONTENT
        and obj.get("type") != _MADE_BY_THE_CLUSTER
        and not obj["metadata"].get("ownerReferences")
    )


def is_same_content(obj: Object, other: Object | None) -> bool:
    """Say whether what stands there only holds content, and says all that the object would say.

    It may bear labels and annotations of others: an admission webhook may have added them.
    """
    if other is None or not is_content(obj):
        return False
    there = clean(other)
    meta, meta_there = obj["metadata"], there["metadata"]
    return {**obj, "metadata": None} == {**there, "metadata": None} and all(
        (meta.get(part) or {}).items() <= (meta_there.get(part) or {}).items()
        for part in ("labels", "annotations")
    )


def marked(obj: Object, mark: str) -> Object:
    """Return the object with the mark, if it needs one."""
    if is_content(obj):
        return obj
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), RESTORING: mark}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def is_ours(obj: Object, mark: str) -> bool:
    """Say whether an object in the cluster is the work of this restore, not finished yet."""
    return bool((obj["metadata"].get("annotations") or {}).get(RESTORING) == mark)
