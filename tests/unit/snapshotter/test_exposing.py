"""The copy of a volume is bound before a pod asks for it, where it can be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POD, PVC, VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT
from appshield.snapshotter import bodies, exposing
from appshield.snapshotter.cutting import Cut
from appshield.snapshotter.exposing import Exposed, Exposing
from fake_kubernetes import FakeKubernetes
from waiting import wait_until

RUN = "b-0123456789abcdef0123"
SYSTEM = "appshield-system"
NAME = bodies.name_of(RUN, "data")
ORIGINAL: Object = {
    "metadata": {"name": "data", "namespace": SYSTEM},
    "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
}
CUT = Cut(claim="data", snapshot=NAME, content="content-1", at=datetime(2026, 11, 30, tzinfo=UTC))


class Place:
    """A cluster with a snapshot that is ready, and the roles of those who act in it."""

    def __init__(self, kubernetes: FakeKubernetes, cluster: Cluster) -> None:
        kubernetes.serve(VOLUME_SNAPSHOT, VOLUME_SNAPSHOT_CONTENT)
        self._kubernetes = kubernetes
        self._cluster = cluster
        kubernetes.put(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": SYSTEM},
                "status": {"phase": "Active"},
            }
        )
        snapshot = {"name": NAME, "namespace": SYSTEM}
        kubernetes.put(
            {
                "apiVersion": "snapshot.storage.k8s.io/v1",
                "kind": "VolumeSnapshot",
                "metadata": snapshot,
                "status": {"readyToUse": True, "restoreSize": "1Gi"},
            }
        )

    def expose(self, node: str) -> asyncio.Task[Exposed]:
        work = Exposing(
            self._cluster, system_namespace=SYSTEM, holder_image="pause", timeout_s=60.0
        )
        return asyncio.create_task(work.expose(RUN, CUT, ORIGINAL, node))

    async def claim(self) -> Object:
        """Return the claim when somebody waits for it, before there is a pod."""
        looked = ("GET", f"/api/v1/namespaces/{SYSTEM}/persistentvolumeclaims/{NAME}")
        await wait_until(
            lambda: looked in self._kubernetes.requests, deadline_s=30, what="a claim is waited for"
        )
        assert self._kubernetes.take(POD, NAME, SYSTEM) is None
        claim = self._kubernetes.take(PVC, NAME, SYSTEM)
        assert claim is not None
        return claim

    def bind(self, claim: Object) -> None:
        self._kubernetes.put({**claim, "status": {"phase": "Bound"}})

    def refuse_node(self, claim: Object) -> None:
        self._kubernetes.put({**claim, "metadata": {**claim["metadata"], "annotations": {}}})

    async def schedule(self, node: str) -> None:
        """Wait for the pod, and give it a node."""
        pod = await wait_until(
            lambda: self._kubernetes.take(POD, NAME, SYSTEM), deadline_s=30, what="a pod is made"
        )
        self._kubernetes.put({**pod, "spec": {**pod["spec"], "nodeName": node}})


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as kubernetes, kubernetes.cluster() as cluster:
        yield Place(kubernetes, cluster)


async def test_the_copy_is_bound_where_the_original_is_used_before_it_has_a_pod(
    place: Place,
) -> None:
    """For a pod whose claim has yet to be bound, a scheduler looks again a second later."""
    exposed = place.expose("node-1")
    claim = await place.claim()
    assert claim["metadata"]["annotations"][bodies.SELECTED_NODE] == "node-1"
    place.bind(claim)
    await place.schedule("node-1")
    assert (await exposed).node == "node-1"


async def test_a_node_that_the_driver_refuses_is_left_to_the_scheduler(place: Place) -> None:
    """The driver takes the node away from the claim; then it is bound as any other."""
    exposed = place.expose("node-1")
    place.refuse_node(await place.claim())
    await place.schedule("node-2")
    assert (await exposed).node == "node-2"


async def test_a_volume_in_no_use_gets_its_pod_at_once(place: Place) -> None:
    """Nobody but the scheduler knows a node for it."""
    exposed = place.expose("")
    await place.schedule("node-2")
    assert (await exposed).node == "node-2"


async def test_a_claim_that_is_bound_for_no_node_alone_gets_a_pod_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever provisions may know only what a scheduler says."""
    monkeypatch.setattr(exposing, "_BOUND_ALONE_S", 0.01)
    exposed = place.expose("node-1")
    await place.schedule("node-1")
    assert (await exposed).node == "node-1"
