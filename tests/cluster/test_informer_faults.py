"""Informers on a real API server: whatever it does, and happens on the way, they end in the truth.

Nothing is told as gone that is there, and nothing stays that is gone. History is lost because etcd
has compacted it, and requests are turned away by priority and fairness, as in any cluster. (A
killed API server: test_watch_restart.py.)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appshield.kubernetes import AlreadyExistsError, Cluster, Kind, Object, kinds, listing
from appshield.kubernetes.listing import Selection, list_all
from appshield.kubernetes.requests import Call, Requests
from appshield.local.cluster import ClusterFacts
from appshield.watcher.informers import Informers
from control_plane import NO_WATCH_CACHE, ControlPlane, control_plane
from faulty_api import FaultyApi
from kubernetes_api import config_map, gadgets
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)
NAMESPACE = "default"


class Notes:
    """A follower that keeps the names of objects, and of those that it was told to be gone."""

    metadata_only = False

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.sets = 0
        self.gone: list[str] = []
        self.unknown_kinds: list[str] = []

    def keep(self, kind: Kind, obj: Object) -> str:
        metadata = obj["metadata"]
        return str(metadata["name"]) if metadata["namespace"] == NAMESPACE else ""

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
    """The API server, the door to it, and informers that come in by that door."""

    def __init__(
        self,
        plane: ControlPlane,
        cluster: Cluster,
        api: FaultyApi,
        through: Cluster,
        informers: Informers,
    ) -> None:
        self.plane = plane
        self.cluster = cluster
        self.api = api
        self.through = through
        self.informers = informers
        self.notes = Notes()

    async def make(self, name: str, data: str = "1") -> None:
        body = config_map(name, data=data)
        await self.cluster.create(kinds.CONFIG_MAP, body, namespace=NAMESPACE)

    async def remove(self, name: str) -> None:
        await self.cluster.delete(kinds.CONFIG_MAP, name, namespace=NAMESPACE)


class ForgottenBetweenPages(Requests):
    """After the first page an object goes, and the server forgets how it was before."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.through.requests.connection)
        self._scene = scene
        self._pages = 0

    async def send(self, call: Call) -> Object:
        page = await super().send(call)
        self._pages += 1
        if self._pages == 1:
            await self._scene.remove("a")
            await self._scene.plane.forget_history()
        return page


@pytest.fixture
async def scene(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[Scene]:
    """The shared cluster has built what the API server is made of."""
    async with (
        control_plane(tmp_path, NO_WATCH_CACHE) as plane,
        plane.connect() as cluster,
        plane.connect("proxy") as turned_away,
        FaultyApi(turned_away) as api,
        Cluster.connect(api.access(tmp_path)) as through,
        _running(through) as informers,
    ):
        yield Scene(plane, cluster, api, through, informers)


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
    await scene.make("goes-0")
    scene.informers.follow(kinds.CONFIG_MAP, notes)
    await notes.until(kinds.CONFIG_MAP, "stays", "goes-0")

    for number in range(1, 4):
        async with api.away():
            await scene.remove(f"goes-{number - 1}")
            await scene.make(f"goes-{number}")
            await scene.plane.forget_history()
        await notes.until(kinds.CONFIG_MAP, "stays", f"goes-{number}")
        assert api.refused[410] == number

    async with scene.plane.too_busy_for(kinds.CONFIG_MAP):
        async with api.away():
            await scene.make("later")
        await wait_until(lambda: api.refused[429] >= 2, deadline_s=90, what="turned away")
        assert notes.names[kinds.CONFIG_MAP.kind] == {"stays", "goes-3"}
        assert "too busy" in await scene.informers.health()
    await notes.until(kinds.CONFIG_MAP, "stays", "goes-3", "later")

    api.cut_at = b"0123456789-in-the-middle-of-it"
    await scene.make("large", "x" * 100_000 + "0123456789-in-the-middle-of-it")
    await notes.until(kinds.CONFIG_MAP, "stays", "goes-3", "later", "large")
    assert api.cut_in_events == 1
    assert notes.gone == []


async def test_a_list_whose_pages_are_forgotten_on_the_way_begins_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes is one moment's: nothing is missing, nothing is there twice."""
    monkeypatch.setattr(listing, "PAGE_LIMIT", 2)
    for name in "abcde":
        await scene.make(name)
    reading = ForgottenBetweenPages(scene)
    found = await list_all(
        reading, kinds.CONFIG_MAP, Selection(NAMESPACE), lambda obj: obj["metadata"]["name"]
    )
    assert found.objects == ["b", "c", "d", "e"]
    assert scene.api.refused[410] == 1


async def test_a_kind_whose_definition_is_deleted_is_unknown_until_it_is_back(
    scene: Scene,
) -> None:
    """Its objects are not told as deleted by hand: nobody knows; then they are really gone."""
    notes, group = scene.notes, "example.org"
    gadget = Kind(group, "v1", "Gadget", "gadgets")
    body: Object = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "one"}}
    await _define(scene.cluster, group, gadget)
    try:
        await scene.cluster.create(gadget, body, namespace=NAMESPACE)
        scene.informers.follow(gadget, notes)
        await notes.until(gadget, "one")
        await scene.cluster.delete(kinds.CRD, f"gadgets.{group}")
        await wait_until(lambda: notes.unknown_kinds, deadline_s=90, what="the kind is unknown")
        await _define(scene.cluster, group, gadget)
        await notes.until(gadget)
        await scene.cluster.create(gadget, body, namespace=NAMESPACE)
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
