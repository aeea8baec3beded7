"""Whether a container may still hold what a Secret said before.

A container has the environment that it was started with. When a Secret is changed afterwards, the
old words are in the container and in no object any more, so nobody could hide them in what a hook
writes. When a Secret was last written is what the API server's own notes say (`managedFields`).
"""

from datetime import UTC, datetime

from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster, Object, PodRef
from appshield.kubernetes.kinds import POD, SECRET
from appshield.manifests.references import references

_PULLING = "imagePullSecrets"
"""Only the node knows these."""


async def rotated_secret(cluster: Cluster, place: PodRef) -> str:
    """Name a Secret that may have been another when the container started; empty: there is none."""
    try:
        pod = await cluster.get(POD, place.pod, place.namespace)
        if pod is None:
            return "of a pod that is gone"
        for name in secrets_of(pod):
            secret = await cluster.get(SECRET, name, place.namespace)
            if secret is None or changed_since(secret, started_at(pod, place.container)):
                return name
    except AppShieldError as error:
        return f"that cannot be looked at ({error.what})"
    return ""


def secrets_of(pod: Object) -> list[str]:
    """Name the Secrets that a pod's containers are given. Pure."""
    named = {
        edge.to.name
        for edge in references(pod)
        if edge.to.kind == "Secret" and edge.how != _PULLING
    }
    return sorted(named)


def started_at(pod: Object, container: str) -> datetime | None:
    """Say when a container of a pod was started; None while nobody knows. Pure."""
    for status in pod.get("status", {}).get("containerStatuses", []):
        if status["name"] == container:
            started = status.get("state", {}).get("running", {}).get("startedAt")
            return _time(started) if started else None
    return None


def changed_since(secret: Object, moment: datetime | None) -> bool:
    """Say whether a Secret was written at a moment or later, or nobody knows. Pure.

    Times are whole seconds: within the same one it may have been either.
    """
    notes = secret["metadata"].get("managedFields") or []
    times = [_time(note["time"]) for note in notes if note.get("time")]
    if moment is None or not times:
        return True
    return max(times) >= moment


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
