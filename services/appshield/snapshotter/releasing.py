"""Remove everything that a run's snapshot made, found by its label; nothing of it may stay.

Order: pods, then claims, then snapshots with their contents set to be deleted. Doing it again, or
after half of it was done, ends in the same emptiness.
"""

import asyncio
from functools import partial

from appshield.contracts.backups import ReleaseSnapshot, SnapshotReleased
from appshield.contracts.message import StepCommand
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import selector_of
from appshield.service import together
from appshield.service.steps import StepContext, order_of, outcome
from appshield.snapshotter.quiescing import Quiescing, Shelves

_GONE_TIMEOUT_S = 60.0


class Releasing:
    """Removes what taking a snapshot made, in the cluster and in the Vault's staging."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        quiescing: Quiescing,
        shelves: Shelves,
        system_namespace: str,
    ) -> None:
        self._cluster = cluster
        self._quiescing = quiescing
        self._shelves = shelves
        self._namespace = system_namespace

    async def release(self, command: StepCommand, context: StepContext) -> SnapshotReleased:
        """Resume what is still quiesced, then remove all that the run made.

        Raises:
            DeadlineError: something is still being deleted after a minute.
        """
        order = order_of(command, ReleaseSnapshot)
        await self._quiescing.release(order.app_id, order.run)
        await self._remove_objects(order.run, order.app.namespace, context)
        shelf = await self._shelves.shelf(order.vault, order.app_id)
        await asyncio.to_thread(shelf.unstage, order.run)
        return outcome(SnapshotReleased, order)

    async def _remove_objects(self, run: str, namespace: str, context: StepContext) -> None:
        for kind in (POD, PVC):
            await self._remove(kind, run, self._namespace)
            context.moved()
        for content in await self._find(VOLUME_SNAPSHOT_CONTENT, run, ""):
            patch = {"spec": {"deletionPolicy": "Delete"}}
            name = content["metadata"]["name"]
            await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, name, patch)
        for place in dict.fromkeys((self._namespace, namespace)):
            await self._remove(VOLUME_SNAPSHOT, run, place)
            context.moved()
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
