"""Stop what an interrupted restore has started: no volume is written below a running application.

Only workloads that carry our mark are removed: they are unfinished work, and are made again.
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
    pods = await cluster.list(POD, namespace=namespace)
    using = [pod for pod in pods if _is_in_use(pod, claims)]
    await together(_until_unused(cluster, pod, timeout_s) for pod in using)


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
            why="it did not go with the workloads of the interrupted restore",
            next_step="Delete it, then restore again.",
        ) from error


def _is_in_use(pod: Object, claims: Collection[str]) -> bool:
    """Say whether a pod that is not a holder of ours uses one of the claims."""
    ours = RUN_LABEL in (pod["metadata"].get("labels") or {})
    return not ours and not _is_ended(pod) and not claims_of(pod).isdisjoint(claims)


def _is_over(uid: str, pod: Object | None) -> bool:
    return pod is None or pod["metadata"]["uid"] != uid or _is_ended(pod)


def _is_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
