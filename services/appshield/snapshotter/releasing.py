"""Remove everything that a run's snapshot made, found by its label; nothing of it may stay.

Order: pods, then claims, then snapshots with their contents set to be deleted. Doing it again, or
after half of it was done, ends in the same emptiness.
"""

from functools import partial

from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import selector_of
from appshield.service import together

_GONE_TIMEOUT_S = 60.0


class Releasing:
    """Removes what `Exposing` and `cut` made."""

    def __init__(self, cluster: Cluster, *, system_namespace: str) -> None:
        self._cluster = cluster
        self._namespace = system_namespace

    async def release(self, run: str, namespace: str) -> None:
        """Remove the objects of a run and wait until the last is gone.

        Raises:
            DeadlineError: something is still being deleted after a minute.
        """
        await self._remove(POD, run, self._namespace)
        await self._remove(PVC, run, self._namespace)
        for content in await self._find(VOLUME_SNAPSHOT_CONTENT, run, ""):
            patch = {"spec": {"deletionPolicy": "Delete"}}
            name = content["metadata"]["name"]
            await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, name, patch)
        for place in dict.fromkeys((self._namespace, namespace)):
            await self._remove(VOLUME_SNAPSHOT, run, place)
        await self._remove(VOLUME_SNAPSHOT_CONTENT, run, "")

    async def _remove(self, kind: Kind, run: str, namespace: str) -> None:
        found = await self._find(kind, run, namespace)
        await together(self._remove_one(kind, obj, namespace) for obj in found)

    async def _remove_one(self, kind: Kind, obj: Object, namespace: str) -> None:
        name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
        await self._cluster.delete(kind, name, namespace=namespace, uid=uid)
        await self._cluster.wait_for(
            kind,
            name,
            namespace,
            partial(_is_gone, uid),
            timeout_s=_GONE_TIMEOUT_S,
            what=f"{kind.kind} {name} removed",
        )

    async def _find(self, kind: Kind, run: str, namespace: str) -> list[Object]:
        try:
            return await self._cluster.list(
                kind, namespace=namespace, label_selector=selector_of(run)
            )
        except NotServedError:
            return []  # a cluster without snapshots has none of ours


def _is_gone(uid: str, obj: Object | None) -> bool:
    return obj is None or obj["metadata"]["uid"] != uid
