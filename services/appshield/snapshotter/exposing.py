"""Expose a snapshot in our own namespace, mounted by a pod, for the agent on that pod's node.

The snapshot is handed over without a moment at which nothing keeps it: its first content is set to
Retain, a static content names the same snapshot, and only then the first pair is removed.
"""

import msgspec

from appshield.kubernetes import AlreadyExistsError, Cluster, Kind, Object
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import holder_pod, is_running, labels_of
from appshield.snapshotter import bodies
from appshield.snapshotter.cutting import Cut, raise_if_failed


class Exposed(msgspec.Struct, frozen=True):
    """A copy of a claim that is mounted on a node."""

    claim: str
    exposed_claim: str
    pod: str
    pod_uid: str
    node: str


class Exposing:
    """Makes snapshots readable, each step once."""

    def __init__(
        self, cluster: Cluster, *, system_namespace: str, holder_image: str, timeout_s: float
    ) -> None:
        self._cluster = cluster
        self.namespace = system_namespace
        self._image = holder_image
        self._timeout_s = timeout_s

    async def expose(self, run: str, cut: Cut, original: Object) -> Exposed:
        """Make the snapshot of one claim readable.

        Raises:
            RunFailedError: the snapshot failed after it was cut.
            DeadlineError: it was not mounted in time.
        """
        restore_size = await self._hand_over(run, cut, original["metadata"]["namespace"])
        claim = bodies.exposed_claim(run, self.namespace, original, restore_size)
        name = claim["metadata"]["name"]
        await self._make(PVC, claim)
        pod = holder_pod(
            name=name,
            namespace=self.namespace,
            claim=name,
            image=self._image,
            run=run,
            read_only=True,
        )
        await self._make(POD, pod)
        mounted = await self._cluster.wait_for(
            POD,
            name,
            self.namespace,
            is_running,
            timeout_s=self._timeout_s,
            what=f"copy of volume {cut.claim} mounted",
        )
        return Exposed(
            claim=cut.claim,
            exposed_claim=name,
            pod=name,
            pod_uid=mounted["metadata"]["uid"],
            node=mounted["spec"]["nodeName"],
        )

    async def _hand_over(self, run: str, cut: Cut, namespace: str) -> str:
        """Move the snapshot into our own namespace; return its size as a quantity."""
        name = cut.snapshot
        static = await self._cluster.get(VOLUME_SNAPSHOT, name, self.namespace)
        if static is None:
            content = await self._retain(run, name, namespace)
            await self._make(
                VOLUME_SNAPSHOT_CONTENT,
                bodies.exposed_content(run, cut.claim, self.namespace, content),
            )
            await self._make(
                VOLUME_SNAPSHOT, bodies.exposed_snapshot(run, cut.claim, self.namespace)
            )
        ready = await self._cluster.wait_for(
            VOLUME_SNAPSHOT,
            name,
            self.namespace,
            _is_ready,
            timeout_s=self._timeout_s,
            what=f"snapshot of volume {cut.claim} ready to use",
        )
        await self._remove_first(name, namespace)
        return str(ready["status"].get("restoreSize", ""))

    async def _retain(self, run: str, name: str, namespace: str) -> Object:
        """Keep the first content's snapshot whatever becomes of its objects."""
        first = await self._cluster.wait_for(
            VOLUME_SNAPSHOT,
            name,
            namespace,
            _is_ready,
            timeout_s=self._timeout_s,
            what=f"snapshot {namespace}/{name} ready to use",
        )
        content_name = first["status"]["boundVolumeSnapshotContentName"]
        patch = {"metadata": {"labels": labels_of(run)}, "spec": {"deletionPolicy": "Retain"}}
        return await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, content_name, patch)

    async def _remove_first(self, name: str, namespace: str) -> None:
        """Remove the first pair, now that the static content names the snapshot too."""
        if namespace == self.namespace:
            return
        first = await self._cluster.get(VOLUME_SNAPSHOT, name, namespace)
        if first is None:
            return
        content = first.get("status", {}).get("boundVolumeSnapshotContentName", "")
        await self._cluster.delete(VOLUME_SNAPSHOT, name, namespace=namespace)
        if content:
            await self._cluster.delete(VOLUME_SNAPSHOT_CONTENT, content)

    async def _make(self, kind: Kind, body: Object) -> None:
        try:
            await self._cluster.create(kind, body)
        except AlreadyExistsError:
            return  # made by an earlier attempt of this run


def _is_ready(obj: Object | None) -> bool:
    if obj is None:
        return False
    raise_if_failed(obj)
    return obj.get("status", {}).get("readyToUse") is True
