"""A reflector keeps its sink right whatever the server does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from appshield.kubernetes import Cluster, Object, Reflector, kinds, watching
from appshield.kubernetes.watching import _Event, _lines
from fake_kubernetes import FakeKubernetes
from kubernetes_api import config_map, through_proxy
from mirror import Mirror
from waiting import wait_until


@pytest.fixture(params=["streamed", "paged"])
async def fake(request: pytest.FixtureRequest) -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes(watch_list=request.param == "streamed") as running:
        for name in ("a", "b"):
            running.put(placed(name))
        yield running


def placed(name: str, data: str = "1") -> Object:
    body = config_map(name, data=data)
    body["metadata"]["namespace"] = "default"
    return body


def watches(fake: FakeKubernetes) -> list[str]:
    return [path for _, path in fake.requests if "watch=true" in path]


@asynccontextmanager
async def reflecting(cluster: Cluster, mirror: Mirror) -> AsyncIterator[Reflector]:
    reflector = Reflector(cluster, kinds.CONFIG_MAP, sink=mirror)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reflector.run(stopping))
        try:
            await wait_until(lambda: reflector.synced, deadline_s=10, what="synced")
            yield reflector
        finally:
            stopping.set()


async def test_the_set_comes_first_whatever_the_server_can(fake: FakeKubernetes) -> None:
    """With WatchList or without, the sink is told everything in one call."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        assert mirror.calls == [("replace", "a,b")]


async def test_what_went_away_unseen_is_gone_after_history_was_lost(fake: FakeKubernetes) -> None:
    """410 in the stream leads to the whole set again, and nothing stale stays."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror) as reflector:
        await fake.stop()
        await wait_until(lambda: reflector.problem, deadline_s=10, what="it noticed")
        fake.remove(kinds.CONFIG_MAP, "a", "default")
        fake.put(placed("c"))
        fake.compact()
        await fake.start()
        await wait_until(lambda: mirror.names == {"b", "c"}, deadline_s=20, what="right again")
        assert mirror.calls == [("replace", "a,b"), ("replace", "b,c")]


async def test_lost_history_as_an_http_answer_is_the_same(fake: FakeKubernetes) -> None:
    """Some servers answer 410 instead of streaming it."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        fake.fail_next(1, 410, path="resourceVersion=")
        fake.cut_watches()
        await wait_until(lambda: len(mirror.calls) == 2, deadline_s=10, what="a second set")
        assert mirror.calls[1] == ("replace", "a,b")


async def test_a_restart_of_the_server_goes_on_where_it_was(fake: FakeKubernetes) -> None:
    """With history intact, only what happened comes."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        await fake.stop()
        fake.put(placed("c"))
        await fake.start()
        await wait_until(lambda: "c" in mirror.names, deadline_s=20, what="c came")
        assert mirror.calls == [("replace", "a,b"), ("changed", "c")]


async def test_a_change_that_the_sink_refused_comes_again(fake: FakeKubernetes) -> None:
    """A version is done only when the sink took it."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        mirror.refuse = 2
        fake.put(placed("c"))
        await wait_until(lambda: "c" in mirror.names, deadline_s=20, what="c came")
        assert mirror.calls == [("replace", "a,b"), ("changed", "c")]


async def test_a_set_that_the_sink_refused_comes_again(fake: FakeKubernetes) -> None:
    """The first call is repeated like any other."""
    mirror = Mirror()
    mirror.refuse = 1
    async with fake.cluster() as cluster, reflecting(cluster, mirror) as reflector:
        assert mirror.calls == [("replace", "a,b")]
        assert reflector.problem == ""


async def test_bookmarks_carry_the_version_on(fake: FakeKubernetes) -> None:
    """Where nothing of ours happens, history may still be forgotten without a new list."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror) as reflector:
        fake.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
        version = str(fake.store.version)
        await wait_until(
            lambda: reflector._resource_version == version, deadline_s=10, what="a bookmark"
        )
        fake.compact()
        fake.cut_watches()
        fake.put(placed("c"))
        await wait_until(lambda: "c" in mirror.names, deadline_s=20, what="c came")
        assert mirror.calls == [("replace", "a,b"), ("changed", "c")]


async def test_failures_do_not_become_a_storm(fake: FakeKubernetes) -> None:
    """Every failure waits, history that is always gone included."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        fake.requests.clear()
        fake.fail_next(1000, 410, path="configmaps")
        fake.cut_watches()
        started = time.monotonic()
        await wait_until(lambda: len(fake.requests) >= 3, deadline_s=20, what="three attempts")
        assert time.monotonic() - started >= 1.0
        assert len(fake.requests) <= 6


async def test_a_busy_server_is_given_the_time_it_asked_for(fake: FakeKubernetes) -> None:
    """Retry-After counts for watches as well."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        fake.requests.clear()
        fake.fail_next(1, 429, path="resourceVersion=", retry_after_s=3)
        fake.cut_watches()
        await wait_until(lambda: len(watches(fake)) == 1, deadline_s=10, what="an attempt")
        started = time.monotonic()
        await wait_until(lambda: len(watches(fake)) == 2, deadline_s=10, what="the next")
        assert time.monotonic() - started >= 2.9


async def test_a_line_that_goes_silent_is_opened_again(
    fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-open connection is noticed without a word from the other side."""
    monkeypatch.setattr(watching, "SILENCE_S", 1.0)
    mirror = Mirror()
    async with (
        through_proxy(fake.kubeconfig, tmp_path) as (proxy, cluster),
        reflecting(cluster, mirror) as reflector,
    ):
        proxy.blackhole = True
        fake.put(placed("c"))
        await wait_until(lambda: reflector.problem, deadline_s=10, what="it noticed")
        proxy.blackhole = False
        proxy.cut()
        await wait_until(lambda: "c" in mirror.names, deadline_s=20, what="c came")


async def test_a_line_cut_in_the_middle_of_the_set_starts_the_set_again(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    """Half a set is never taken for the set."""
    for number in range(50):
        fake.put(placed(f"n{number:02}", data="x" * 10_000))
    mirror = Mirror()
    async with through_proxy(fake.kubeconfig, tmp_path) as (proxy, cluster):
        proxy.cut_after_bytes = 200_000
        async with reflecting(cluster, mirror):
            assert [name for name, _ in mirror.calls] == ["replace"]
            assert len(mirror.names) == 52


async def test_an_object_of_three_megabytes_passes(fake: FakeKubernetes) -> None:
    """No line is too long."""
    mirror = Mirror()
    async with fake.cluster() as cluster, reflecting(cluster, mirror):
        fake.put(placed("big", data="x" * 3 * 1024 * 1024))
        await wait_until(lambda: "big" in mirror.names, deadline_s=20, what="it came")
        assert len(mirror.objects["big"]["data"]["value"]) == 3 * 1024 * 1024


async def test_a_defect_in_the_sink_ends_the_reflector(fake: FakeKubernetes) -> None:
    """Only errors with a meaning are retried."""

    class Broken(Mirror):
        async def replace(self, objects: list[Object]) -> None:
            raise ZeroDivisionError

    async with fake.cluster() as cluster:
        reflector = Reflector(cluster, kinds.CONFIG_MAP, sink=Broken())
        with pytest.raises(ZeroDivisionError):
            await reflector.run(asyncio.Event())


async def test_stopping_ends_it_at_once(fake: FakeKubernetes) -> None:
    """A stop does not wait for the stream to end."""
    async with fake.cluster() as cluster:
        reflector = Reflector(cluster, kinds.CONFIG_MAP, sink=Mirror())
        stopping = asyncio.Event()
        running = asyncio.create_task(reflector.run(stopping))
        await wait_until(lambda: reflector.synced, deadline_s=10, what="synced")
        stopping.set()
        await asyncio.wait_for(running, timeout=2)


async def test_lines_are_whole_however_they_are_cut() -> None:
    """Chunks end anywhere; a line without its end was cut and is dropped."""
    for size in (1, 2, 3, 100):
        loop = asyncio.get_running_loop()
        protocol = aiohttp.base_protocol.BaseProtocol(loop)
        reader = aiohttp.StreamReader(protocol, limit=2**16, loop=loop)
        text = b'{"a": 1}\n\n{"b": 2}\n{"c'
        for start in range(0, len(text), size):
            reader.feed_data(text[start : start + size])
        reader.feed_eof()
        lines = [line async for some in _lines(reader) for line in some]
        assert lines == [b'{"a": 1}', b'{"b": 2}']


class Crossing(Mirror):
    """A sink whose first change of `a` ends only when one of `b` has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def changed(self, obj: Object) -> None:
        if obj["metadata"]["name"] == "b":
            self.begun.set()
        await asyncio.wait_for(self.begun.wait(), timeout=30)
        await super().changed(obj)


async def test_changes_that_came_together_are_taken_side_by_side(fake: FakeKubernetes) -> None:
    """Those of one object stay in their order."""
    sink = Crossing()
    events = [
        _Event("MODIFIED", {**placed(name, data), "metadata": _metadata(name, version)})
        for version, (name, data) in enumerate((("a", "2"), ("a", "3"), ("b", "2")), start=1)
    ]
    async with fake.cluster() as cluster:
        reflector = Reflector(cluster, kinds.CONFIG_MAP, sink=sink, side_by_side=True)
        await reflector._take_all(events)
    assert [call for call in sink.calls if "a" in call[1]] == [("changed", "a")] * 2
    assert {name: obj["data"]["value"] for name, obj in sink.objects.items()} == {
        "a": "3",
        "b": "2",
    }


def _metadata(name: str, version: int) -> Object:
    return {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(version)}
