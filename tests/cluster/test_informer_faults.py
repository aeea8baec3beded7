"""Informers on the real API server: whatever happens on the way, they end in the truth.

Nothing is told as gone that is there, and nothing stays that is gone. (A killed API server:
test_watch_restart.py.)
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appshield.kubernetes import AlreadyExistsError, Cluster, ClusterAccess, Kind, Object, kinds
from appshield.local.cluster import ClusterFacts
from appshield.watcher.informers import Informers
from faulty_api import FaultyApi
from kubernetes_api import config_map, gadgets, namespace_in
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)
_MADE_BY_ITSELF = "kube-root-ca.crt"
"""In every namespace."""


class Notes:
    """A follower that keeps the names in one namespace, and whom it was told to be gone."""

    metadata_only = False

    def __init__(self, namespace: str) -> None:
        self.names: dict[str, set[str]] = {}
        self.sets = 0
        self.gone: list[str] = []
        self.unknown_kinds: list[str] = []
        self._namespace = namespace

    def keep(self, kind: Kind, obj: Object) -> str:
        metadata = obj["metadata"]
        ours = metadata.get("namespace") == self._namespace and metadata["name"] != _MADE_BY_ITSELF
        return str(metadata["name"]) if ours else ""

    async def replace(self, kind: Kind, kept: list[str]) -> None:
        self.sets += 1
        self.names[kind.kind] = set(kept) - {""}

    async def changed(self, kind: Kind, kept: str) -> None:
        self.names[kind.kind] |= {kept} - {""}

    async def deleted(self, kind: Kind, kept: str) -> None:
        if kept:
            self.names[kind.kind].discard(kept)
            self.gone.append(kept)

    async def unknown(self, kind: Kind) -> None:
        self.unknown_kinds.append(kind.kind)

    async def until(self, kind: Kind, *names: str) -> None:
        """Wait until exactly these are known."""
        await wait_until(
            lambda: self.names.get(kind.kind) == set(names),
            deadline_s=90,
            what=f"of {kind.kind} {names} are known",
        )


class Scene:
    """The cluster itself, the faulty way to it, and informers that take that way."""

    def __init__(
        self, cluster: Cluster, api: FaultyApi, informers: Informers, namespace: str
    ) -> None:
        self.cluster = cluster
        self.api = api
        self.informers = informers
        self.namespace = namespace
        self.notes = Notes(namespace)

    async def make(self, name: str, data: str = "1") -> None:
        body = config_map(name, data=data)
        await self.cluster.create(kinds.CONFIG_MAP, body, namespace=self.namespace)

    async def remove(self, name: str) -> None:
        await self.cluster.delete(kinds.CONFIG_MAP, name, namespace=self.namespace)


@pytest.fixture
async def scene(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[Scene]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with (
        Cluster.connect(access) as cluster,
        namespace_in(cluster) as namespace,
        FaultyApi(cluster) as api,
        Cluster.connect(api.access(tmp_path)) as through,
        _running(through) as informers,
    ):
        yield Scene(cluster, api, informers, namespace)


@asynccontextmanager
async def _running(cluster: Cluster) -> AsyncIterator[Informers]:
    informers, stopping = Informers(cluster), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(informers.run(stopping))
        try:
            yield informers
        finally:
            stopping.set()


async def test_storms_refusals_and_cut_events_end_in_the_truth(scene: Scene) -> None:
    """410 again and again, a server that is busy, a line that ends in the middle of an event."""
    notes, api = scene.notes, scene.api
    await scene.make("stays")
    await scene.make("goes")
    scene.informers.follow(kinds.CONFIG_MAP, notes)
    await notes.until(kinds.CONFIG_MAP, "stays", "goes")

    api.forgetting = 3
    api.cut()
    await scene.remove("goes")
    await scene.make("comes")
    await notes.until(kinds.CONFIG_MAP, "stays", "comes")
    await wait_until(lambda: _cut_until_gone(api), deadline_s=90, what="a storm of 410")

    api.busy = 2
    api.cut()
    await scene.make("later")
    await notes.until(kinds.CONFIG_MAP, "stays", "comes", "later")
    assert api.seen["busy"] == 2

    api.cut_at = b"0123456789-in-the-middle-of-it"
    await scene.make("large", "x" * 100_000 + "0123456789-in-the-middle-of-it")
    await notes.until(kinds.CONFIG_MAP, "stays", "comes", "later", "large")
    assert api.seen["cut"] == 1
    assert set(notes.gone) <= {"goes"}


def _cut_until_gone(api: FaultyApi) -> bool:
    """Cut the watch again while the server has not said three times that history is gone."""
    if api.forgetting:
        api.cut()
    return api.seen["gone"] >= 3


async def test_a_kind_whose_definition_is_deleted_is_unknown_until_it_is_back(
    scene: Scene,
) -> None:
    """Its objects are not told as deleted by hand: nobody knows; then they are really gone."""
    notes, group = scene.notes, f"t{secrets.token_hex(4)}.example.org"
    gadget = Kind(group, "v1", "Gadget", "gadgets")
    body: Object = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "one"}}
    await _define(scene.cluster, group, gadget)
    try:
        await scene.cluster.create(gadget, body, namespace=scene.namespace)
        scene.informers.follow(gadget, notes)
        await notes.until(gadget, "one")
        await scene.cluster.delete(kinds.CRD, f"gadgets.{group}")
        await wait_until(lambda: notes.unknown_kinds, deadline_s=90, what="the kind is unknown")
        await _define(scene.cluster, group, gadget)
        await notes.until(gadget)
        await scene.cluster.create(gadget, body, namespace=scene.namespace)
        await notes.until(gadget, "one")
    finally:
        await scene.cluster.delete(kinds.CRD, f"gadgets.{group}")


async def _define(cluster: Cluster, group: str, gadget: Kind) -> None:
    """Make the definition, and wait until its objects are served."""

    async def made() -> bool:
        try:
            await cluster.create(kinds.CRD, gadgets(group))
        except AlreadyExistsError:
            return False  # the one before is still going
        return True

    async def served() -> bool:
        cluster.refresh()
        return gadget in await cluster.kinds()

    await wait_until(made, deadline_s=90, what="it is defined")
    await wait_until(served, deadline_s=90, what="it is served")
