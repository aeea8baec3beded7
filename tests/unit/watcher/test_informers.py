"""Informers: one watch of a kind for all who follow it, whatever the API server does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.kinds import CONFIG_MAP, SECRET
from appshield.watcher.informers import Informers
from fake_kubernetes import FakeKubernetes
from waiting import wait_until

WIDGET = Kind("acme.io", "v1", "Widget", "widgets")


class Notes:
    """A follower that keeps names, and how much it saw of each object."""

    def __init__(self, *, metadata_only: bool = True) -> None:
        self.metadata_only = metadata_only
        self.names: dict[str, set[str]] = {}
        self.sets = 0
        self.lost: list[str] = []
        self.seen: set[str] = set()

    def keep(self, kind: Kind, obj: Object) -> str:
        self.seen |= obj.keys()
        assert (obj["kind"], obj["apiVersion"]) == (kind.kind, kind.api_version)
        return str(obj["metadata"]["name"])

    async def replace(self, kind: Kind, kept: list[str]) -> None:
        self.sets += 1
        self.names[kind.kind] = set(kept)

    async def changed(self, kind: Kind, kept: str) -> None:
        self.names[kind.kind].add(kept)

    async def deleted(self, kind: Kind, kept: str) -> None:
        self.names[kind.kind].discard(kept)

    async def unknown(self, kind: Kind) -> None:
        self.lost.append(kind.kind)


def placed(name: str, kind: Kind = CONFIG_MAP) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "data": {}}


@pytest.fixture(params=["streamed", "paged"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes(watch_list=request.param == "streamed") as running:
        running.put(placed("a"))
        yield running


@asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[Informers]:
    informers, stopping = Informers(cluster), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(informers.run(stopping))
        try:
            yield informers
        finally:
            stopping.set()


async def known(notes: Notes, *names: str, kind: Kind = CONFIG_MAP) -> None:
    await wait_until(
        lambda: notes.names.get(kind.kind) == set(names), deadline_s=20, what=f"{names} are known"
    )


async def test_what_is_kept_of_each_object_is_told_set_and_changes(fake: FakeKubernetes) -> None:
    notes = Notes()
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(CONFIG_MAP, notes)
        await known(notes, "a")
        fake.put(placed("b"))
        await known(notes, "a", "b")
        fake.remove(CONFIG_MAP, "a", "default")
        await known(notes, "b")


async def test_the_server_sends_metadata_only_unless_somebody_wants_more(
    fake: FakeKubernetes,
) -> None:
    """One who wants whole objects makes the shared watch one of whole objects."""
    little, whole = Notes(), Notes(metadata_only=False)
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(CONFIG_MAP, little)
        await known(little, "a")
        assert little.seen == {"apiVersion", "kind", "metadata"}
        informers.follow(CONFIG_MAP, whole)
        await known(whole, "a")
        assert "data" in whole.seen


async def test_all_who_follow_a_kind_share_one_watch(fake: FakeKubernetes) -> None:
    first, second = Notes(), Notes()
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(CONFIG_MAP, first)
        informers.follow(CONFIG_MAP, second)
        informers.follow(CONFIG_MAP, second)
        await known(first, "a")
        await known(second, "a")
        assert (first.sets, second.sets) == (1, 1)
        assert len([path for _, path in fake.requests if "watch=true" in path]) <= 2
        informers.unfollow(CONFIG_MAP, first)
        await wait_until(lambda: second.sets == 2, deadline_s=20, what="a watch without the first")
        fake.put(placed("b"))
        await known(second, "a", "b")
        await known(first, "a")


async def test_a_kind_that_nobody_follows_is_not_watched(fake: FakeKubernetes) -> None:
    notes = Notes()
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(SECRET, notes)
        await known(notes, kind=SECRET)
        informers.unfollow(SECRET, notes)
        await wait_until(lambda: not informers.synced(SECRET), deadline_s=10, what="it ended")
        assert all("configmaps" not in path for _, path in fake.requests)


async def test_storms_of_lost_history_and_refusals_end_in_the_truth(fake: FakeKubernetes) -> None:
    """410 and 429 again and again, a server that restarts: nothing stale stays."""
    notes = Notes()
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(CONFIG_MAP, notes)
        await known(notes, "a")
        fake.fail_next(2, 410, path="resourceVersion=")
        fake.fail_next(1, 429, path="configmaps", retry_after_s=1)
        fake.cut_watches()
        fake.remove(CONFIG_MAP, "a", "default")
        fake.put(placed("b"))
        await known(notes, "b")
        await fake.stop()
        fake.compact()
        await fake.start()
        fake.put(placed("c"))
        await known(notes, "b", "c")


async def test_a_kind_whose_definition_goes_is_unknown_and_comes_back(
    fake: FakeKubernetes,
) -> None:
    notes = Notes()
    fake.serve(WIDGET)
    fake.put(placed("w", WIDGET))
    async with fake.cluster() as cluster, running(cluster) as informers:
        informers.follow(WIDGET, notes)
        await known(notes, "w", kind=WIDGET)
        fake.store.kinds.remove(WIDGET)
        fake.cut_watches()
        await wait_until(lambda: notes.lost == ["Widget"], deadline_s=30, what="it is unknown")
        assert notes.names["Widget"] == {"w"}
        fake.store.kinds.append(WIDGET)
        fake.remove(WIDGET, "w", "default")
        await known(notes, kind=WIDGET)
