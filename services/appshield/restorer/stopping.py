"""No volume is written below a running application.

Only workloads that carry our mark are removed: they are the unfinished work of an interrupted
restore, and are made again. Whatever else uses a volume is for a person to stop.
"""

from collections.abc import Collection
from functools import partial

from appshield.errors import DeadlineError, RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POD
from appshield.podvolumes import RUN_LABEL, claims_of, remove
from appshield.restorer.marking import is_ours
from appshield.restorer.targets import described, kind_of, standing
from appshield.service import together

_WORKLOADS = frozenset(
    {"Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
)


async def stop_ours(
    cluster: Cluster,
    objects: list[Object],
    mark: str,
    *,
    namespace: str,
    claims: Collection[str],
    timeout_s: float,
) -> None:
    """Remove our own workloads, and wait until no pod uses a claim that is to be filled.

    Raises:
        RefusedError: a pod uses one all the same.
        UnavailableError: a workload is still being deleted after a minute.
    """
    workloads = [obj for obj in objects if obj["kind"] in _WORKLOADS]
    await together(_remove(cluster, obj, mark) for obj in workloads)
    using = await users_of(cluster, namespace, claims)
    await together(_until_unused(cluster, pod, timeout_s) for pod in using)


async def ensure_unused(cluster: Cluster, namespace: str, claims: Collection[str]) -> None:
    """Make sure that no pod uses a claim whose data is to be changed; those that go do not count.

    Raises:
        RefusedError: names the pods.
    """
    pods = await users_of(cluster, namespace, claims) if claims else []
    staying = [described(pod) for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if staying:
        raise RefusedError(
            "the volumes to be restored are in use",
            why=", ".join(staying),
            next_step="Scale their workload to 0 (and stop what would scale it up again), restore, "
            "and scale it back; or restore into another namespace with --to.",
        )


async def users_of(cluster: Cluster, namespace: str, claims: Collection[str]) -> list[Object]:
    """List the pods that use one of the claims, holders of ours aside."""
    pods = await cluster.list(POD, namespace=namespace)
    return [pod for pod in pods if _is_in_use(pod, claims)]


async def _remove(cluster: Cluster, obj: Object, mark: str) -> None:
    found = await standing(cluster, obj)
    kind = await kind_of(cluster, obj)
    if found is not None and kind is not None and is_ours(found, mark):
        await remove(cluster, kind, found)


async def _until_unused(cluster: Cluster, pod: Object, timeout_s: float) -> None:
    meta = pod["metadata"]
    try:
        await cluster.wait_for(
            POD,
            meta["name"],
            meta["namespace"],
            partial(_is_over, meta["uid"]),
            timeout_s=timeout_s,
            what=f"pod {meta['name']} gone",
        )
    except DeadlineError as error:
        raise RefusedError(
            f"{described(pod)} uses a volume that is to be restored",
            why="it did not go",
            next_step="Stop its workload or delete it, then restore again.",
        ) from error


def _is_in_use(pod: Object, claims: Collection[str]) -> bool:
    """Say whether a pod that is not a holder of ours uses one of the claims."""
    ours = RUN_LABEL in (pod["metadata"].get("labels") or {})
    return not ours and not _is_ended(pod) and not claims_of(pod).isdisjoint(claims)


def _is_over(uid: str, pod: Object | None) -> bool:
    return pod is None or pod["metadata"]["uid"] != uid or _is_ended(pod)


def _is_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
