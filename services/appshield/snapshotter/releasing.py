"""Remove everything that a run's snapshot made, found by its label; nothing of it may stay.

Order: pods, then claims, then snapshots with their contents set to be deleted. Doing it again, or
after half of it was done, ends in the same emptiness.
"""

import asyncio
from collections.abc import Callable, Collection

from appshield.contracts.backups import ReleaseSnapshot, SnapshotReleased
from appshield.contracts.message import StepCommand
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import labels_of, remove, selector_of
from appshield.service import together
from appshield.service.steps import StepContext, order_of, outcome
from appshield.snapshotter.quiescing import Quiescing, Shelves


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
        """Resume what is still quiesced; remove all that the run made whether it resumes or not.

        What was staged stays until the application has resumed: its hooks are in there.

        Raises:
            RunFailedError: the application did not resume.
            UnavailableError: something is still being deleted after a minute.
        """
        order = order_of(command, ReleaseSnapshot)
        try:
            await self._quiescing.release(order.app_id, order.run)
        finally:
            await self.remove_objects(order.run, order.app.namespace, context.moved)
        shelf = await self._shelves.shelf(order.vault, order.app_id)
        await asyncio.to_thread(shelf.unstage, order.run)
        return outcome(SnapshotReleased, order)

    async def remove_objects(
        self, run: str, namespace: str, moved: Callable[[], None] = lambda: None
    ) -> None:
        """Remove what the run made in the cluster; `moved` is called as that goes on.

        Raises:
            UnavailableError: something is still being deleted after a minute.
        """
        places = tuple(dict.fromkeys((self._namespace, namespace)))
        if not await self._has_made_any(run, places):
            return
        for place in places:
            await self._remove(POD, run, place)
        moved()
        await self._remove(PVC, run, self._namespace)
        moved()
        await self._adopt_contents(run, places)
        for content in await self._find(VOLUME_SNAPSHOT_CONTENT, run, ""):
            patch = {"spec": {"deletionPolicy": "Delete"}}
            name = content["metadata"]["name"]
            await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, name, patch)
        for place in places:
            await self._remove(VOLUME_SNAPSHOT, run, place)
            moved()
        await self._remove(VOLUME_SNAPSHOT_CONTENT, run, "")

    async def _has_made_any(self, run: str, places: Collection[str]) -> bool:
        """Whether anything of the run is there: mostly nothing, before its first attempt."""
        kinds = [(kind, place) for kind in (POD, VOLUME_SNAPSHOT) for place in places]
        kinds += [(PVC, self._namespace), (VOLUME_SNAPSHOT_CONTENT, "")]
        return any(await together(self._find(kind, run, place) for kind, place in kinds))

    async def _adopt_contents(self, run: str, places: Collection[str]) -> None:
        """Label contents that the snapshot controller made for us: a class may retain them."""
        for place in places:
            for snapshot in await self._find(VOLUME_SNAPSHOT, run, place):
                content = snapshot.get("status", {}).get("boundVolumeSnapshotContentName")
                if content and await self._cluster.get(VOLUME_SNAPSHOT_CONTENT, content):
                    patch = {"metadata": {"labels": labels_of(run)}}
                    await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, content, patch)

    async def _remove(self, kind: Kind, run: str, namespace: str) -> None:
        found = await self._find(kind, run, namespace)
        await together(remove(self._cluster, kind, obj) for obj in found)

    async def _find(self, kind: Kind, run: str, namespace: str) -> list[Object]:
        try:
            return await self._cluster.list(
                kind, namespace=namespace, label_selector=selector_of(run)
            )
        except NotServedError:
            return []  # a cluster without snapshots has none of ours
