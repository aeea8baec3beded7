"""Expose a snapshot in our own namespace, mounted by a pod, for the agent on that pod's node.

The agent sees for itself when the mount is there: it is earlier than the API server knows.

The snapshot is handed over without a moment at which nothing keeps it: its first content is set to
Retain, a static content names the same snapshot, and only then the first pair is removed.

The copy is provisioned for the node on which the original is in use, before there is a pod. For a
pod whose claim has yet to be bound, the scheduler looks only once a second whether it is.
"""

import contextlib

import msgspec

from appshield.errors import DeadlineError
from appshield.kubernetes import AlreadyExistsError, Cluster, Kind, Object
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.podvolumes import holder_pod, is_block, is_placed, labels_of
from appshield.service import both
from appshield.snapshotter import bodies
from appshield.snapshotter.cutting import Cut, raise_if_failed

_BOUND_ALONE_S = 10.0
"""How long a claim may take to be bound without a pod; then it gets one all the same."""


class Exposed(msgspec.Struct, frozen=True):
    """A copy of a claim, and the pod that mounts it on a node."""

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

    async def expose(self, run: str, cut: Cut, original: Object, node: str) -> Exposed:
        """Make the snapshot of one claim readable, where the original is in use: on `node`.

        That is empty where it is not in use: then the scheduler chooses.

        Raises:
            RunFailedError: the snapshot failed after it was cut.
            DeadlineError: there was no copy on a node in time.
        """
        namespace = original["metadata"]["namespace"]
        ready = await self._until_ready(cut, namespace)
        if namespace != self.namespace:
            ready = await self._hand_over(run, cut)
        restore_size = str(ready["status"].get("restoreSize", ""))
        claim = bodies.exposed_claim(run, self.namespace, original, restore_size, node)
        exposed, _ = await both(self._mount(run, cut, claim), self._remove_first(cut, namespace))
        return exposed

    async def _mount(self, run: str, cut: Cut, claim: Object) -> Exposed:
        """Make a volume of the snapshot, and a pod that mounts it."""
        name = claim["metadata"]["name"]
        await self._make(PVC, claim)
        await self._wait_for_volume(name, cut)
        pod = holder_pod(
            name=name,
            namespace=self.namespace,
            claim=name,
            image=self._image,
            run=run,
            read_only=True,
            block=is_block(claim),
        )
        await self._make(POD, pod)
        placed = await self._cluster.wait_for(
            POD,
            name,
            self.namespace,
            is_placed,
            timeout_s=self._timeout_s,
            what=f"copy of volume {cut.claim} given a node",
        )
        return Exposed(
            claim=cut.claim,
            exposed_claim=name,
            pod=name,
            pod_uid=placed["metadata"]["uid"],
            node=placed["spec"]["nodeName"],
        )

    async def _wait_for_volume(self, name: str, cut: Cut) -> None:
        """Wait until a claim is bound, as long as that may happen without a pod."""
        with contextlib.suppress(DeadlineError):
            await self._cluster.wait_for(
                PVC,
                name,
                self.namespace,
                _is_settled,
                timeout_s=min(_BOUND_ALONE_S, self._timeout_s),
                what=f"copy of volume {cut.claim} bound",
            )

    async def _hand_over(self, run: str, cut: Cut) -> Object:
        """Move the snapshot into our own namespace; return its object there."""
        patch = {"metadata": {"labels": labels_of(run)}, "spec": {"deletionPolicy": "Retain"}}
        first = await self._cluster.merge_patch(VOLUME_SNAPSHOT_CONTENT, cut.content, patch)
        content = bodies.exposed_content(run, cut.claim, self.namespace, first)
        await self._make(VOLUME_SNAPSHOT_CONTENT, content)
        snapshot = bodies.exposed_snapshot(run, cut.claim, self.namespace)
        await self._make(VOLUME_SNAPSHOT, snapshot)
        return await self._until_ready(cut, self.namespace)

    async def _until_ready(self, cut: Cut, namespace: str) -> Object:
        return await self._cluster.wait_for(
            VOLUME_SNAPSHOT,
            cut.snapshot,
            namespace,
            _is_ready,
            timeout_s=self._timeout_s,
            what=f"snapshot of volume {cut.claim} ready to use",
        )

    async def _remove_first(self, cut: Cut, namespace: str) -> None:
        """Remove the first pair, now that the static content names the snapshot too."""
        if namespace != self.namespace:
            await self._cluster.delete(VOLUME_SNAPSHOT, cut.snapshot, namespace=namespace)
            await self._cluster.delete(VOLUME_SNAPSHOT_CONTENT, cut.content)

    async def _make(self, kind: Kind, body: Object) -> None:
        try:
            await self._cluster.create(kind, body)
        except AlreadyExistsError:
            return  # made by an earlier attempt of this run


def _is_settled(claim: Object | None) -> bool:
    """Whether waiting for a claim without a pod has an end: it is bound, or has to have a pod.

    The latter from the beginning, or since its driver has refused the node that was chosen.
    """
    if claim is None or claim.get("status", {}).get("phase") == "Bound":
        return True
    return bodies.SELECTED_NODE not in claim["metadata"].get("annotations", {})


def _is_ready(obj: Object | None) -> bool:
    if obj is None:
        return False
    raise_if_failed(obj)
    return obj.get("status", {}).get("readyToUse") is True
