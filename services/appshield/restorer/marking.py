"""The mark on everything that a restore makes, until it has finished. Pure.

The mark names the history and the version, not the run: a restore that was interrupted is gone on
with by the next one of the same version, which knows its own work by the mark. When a restore has
finished the marks go, and a later restore finds the objects of a running application in its way.
"""

from appshield.contracts.restores import RestoreCommand
from appshield.kubernetes import Object

RESTORING = "appshield.io/restoring"


def mark_of(order: RestoreCommand) -> str:
    """Write the mark of a restore."""
    return f"{order.app_id}.{order.version}"


def marked(obj: Object, mark: str) -> Object:
    """Return the object with the mark."""
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), RESTORING: mark}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def is_ours(obj: Object, mark: str) -> bool:
    """Say whether an object in the cluster is the work of this restore, not finished yet."""
    return bool((obj["metadata"].get("annotations") or {}).get(RESTORING) == mark)
