"""Remove what a run made in passing, and wait until it is gone."""

from functools import partial

from appshield.errors import DeadlineError, UnavailableError
from appshield.kubernetes import Cluster, Kind, Object

_GONE_TIMEOUT_S = 60.0


async def remove(cluster: Cluster, kind: Kind, obj: Object) -> None:
    """Delete this very object and wait until it is gone; one that is gone already is fine.

    Raises:
        UnavailableError: it is still being deleted after a minute; the same call may find it gone.
    """
    meta = obj["metadata"]
    name, namespace, uid = meta["name"], meta.get("namespace", ""), meta["uid"]
    await cluster.delete(kind, name, namespace=namespace, uid=uid)
    try:
        await cluster.wait_for(
            kind,
            name,
            namespace,
            partial(_is_gone, uid),
            timeout_s=_GONE_TIMEOUT_S,
            what=f"{kind.kind} {name} removed",
        )
    except DeadlineError as error:
        raise UnavailableError(error.what, why=error.why, next_step=error.next_step) from error


def _is_gone(uid: str, obj: Object | None) -> bool:
    return obj is None or obj["metadata"]["uid"] != uid
