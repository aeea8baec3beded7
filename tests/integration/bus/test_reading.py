"""Reading and watching through pages, outages and losses."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from appshield.bus import Bus, Change, connect_bus
from appshield.contracts.permissions import USERS
from appshield.contracts.stream_specs import BucketSpec, StreamSpec
from appshield.contracts.streams import RUNS, SIGNALS
from appshield.errors import DamagedError, NotFoundError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import TESTER, put, running_bus, scratch_bucket, scratch_stream, subject_in
from waiting import wait_until

DEADLINE_S = 20.0


@asynccontextmanager
async def watched(bus: Bus, spec: BucketSpec, prefix: str = "") -> AsyncIterator[list[Change[str]]]:
    """Watch a bucket for the time of the block; gives what was seen so far."""
    stopping = asyncio.Event()
    changes: list[Change[str]] = []

    async def watch() -> None:
        async for change in bus.bucket(spec, str).watch(prefix, stopping=stopping):
            changes.append(change)  # noqa: PERF401 - it ends only when told

    watching = asyncio.create_task(watch())
    try:
        yield changes
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE_S):
            await watching


@asynccontextmanager
async def followed(bus: Bus, stream: StreamSpec) -> AsyncIterator[list[str]]:
    """Follow a stream for the time of the block; gives the identities seen so far."""
    seen: list[str] = []

    async def follow() -> None:
        async for stored in bus.read(stream, follow=True):
            seen.append(stored.headers["Nats-Msg-Id"])  # noqa: PERF401 - it never ends

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def restart(server: EmbeddedBus) -> None:
    server.kill()
    await server.wait()
    await server.stop()
    await server.start()


async def test_many_messages_are_read_in_pages(bus: Bus) -> None:
    """Order and number are right beyond one page."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    await asyncio.gather(*(put(bus, stream, f"m{number}") for number in range(700)))
    read = [stored.sequence async for stored in bus.read(stream)]
    assert read == list(range(1, 701))
    even = [one async for one in bus.read(stream, since=600, filters=(subject_in(stream),))]
    assert len(even) == 101


async def test_many_keys_are_listed(bus: Bus) -> None:
    """More keys than the server answers to one question (1024)."""
    spec = scratch_bucket(bytes_max=8 * 1024 * 1024)
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    await asyncio.gather(*(bucket.put(f"k.{number:04}", number) for number in range(1500)))
    assert await bucket.keys("k.") == [f"k.{number:04}" for number in range(1500)]
    assert sorted([entry.value async for entry in bucket.items()]) == list(range(1500))


async def test_a_watch_survives_a_server_that_dies(tmp_path: Path) -> None:
    """Changes and deletions from before, during and after an outage arrive once, in the end."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="watcher") as bus,
        connect_bus(server.access("tester"), name="writer") as writer,
    ):
        spec = scratch_bucket()
        await bus.ensure_bucket(spec)
        bucket = writer.bucket(spec, str)
        await bucket.put("stays", "1")
        await bucket.put("goes", "1")
        async with watched(bus, spec) as changes:
            await wait_until(lambda: len(changes) == 3, deadline_s=5, what="the present state")
            await restart(server)
            await bucket.put("comes", "1")
            await bucket.delete("goes")
            await restart(server)
            await bucket.put("stays", "2")
            await wait_until(
                lambda: changes[-1].value == "2", deadline_s=DEADLINE_S, what="the last change"
            )
        said = [(one.key, one.value) for one in changes]
        assert said[2] == ("", None)
        assert said.count(("", None)) == 1
        assert sorted(said[3:5]) == [("comes", "1"), ("goes", None)]
        assert said[5:] == [("stays", "2")]


async def test_a_watch_tells_of_keys_that_the_server_has_lost(tmp_path: Path) -> None:
    """The server comes back empty: what was there is gone, and what comes then is seen."""
    server = EmbeddedBus(tmp_path)
    await server.start()
    async with connect_bus(server.access("planner"), name="planner") as bus:
        await bus.ensure_topology()
        runs = bus.bucket(RUNS, str)
        for number in range(5):
            await runs.put("old", str(number))
        async with watched(bus, RUNS) as changes:
            await wait_until(lambda: len(changes) == 2, deadline_s=5, what="the present state")
            server.kill()
            await server.wait()
            await server.stop()
            shutil.rmtree(tmp_path / "data")
            await server.start()
            await bus.ensure_topology()
            await wait_until(
                lambda: len(changes) == 3, deadline_s=DEADLINE_S, what="the loss was told"
            )
            await runs.put("new", "1")
            await wait_until(lambda: len(changes) == 4, deadline_s=5, what="the new key")
        assert [(one.key, one.value) for one in changes[2:]] == [("old", None), ("new", "1")]
    await server.stop()


async def test_following_survives_a_server_that_dies(tmp_path: Path) -> None:
    """No message is missed or given twice over two outages."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="test") as bus,
    ):
        stream = scratch_stream()
        await bus.ensure_stream(stream)
        async with followed(bus, stream) as seen:
            for number in range(3):
                await put(bus, stream, f"a{number}")
                await restart(server)
                await put(bus, stream, f"b{number}")
            await wait_until(lambda: len(seen) == 6, deadline_s=DEADLINE_S, what="all six")
        assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_a_stream_made_anew_is_followed_from_its_begin(tmp_path: Path) -> None:
    """Sequences begin again after a loss; the follower does not wait for the old ones."""
    server = EmbeddedBus(tmp_path, users=(*USERS, TESTER))
    await server.start()
    async with connect_bus(server.access("tester"), name="test") as bus:
        await bus.ensure_topology()
        for number in range(5):
            await bus.publish_raw("appshield.v1.signal.x", b"{}", message_id=f"old{number}")
        async with followed(bus, SIGNALS) as seen:
            await wait_until(lambda: len(seen) == 5, deadline_s=5, what="the old ones")
            server.kill()
            await server.wait()
            await server.stop()
            shutil.rmtree(tmp_path / "data")
            await server.start()
            await bus.ensure_topology()
            await bus.publish_raw("appshield.v1.signal.x", b"{}", message_id="new")
            await wait_until(lambda: seen[-1] == "new", deadline_s=DEADLINE_S, what="the new one")
        assert len(seen) == 6
    await server.stop()


async def test_a_bucket_or_stream_that_is_missing_is_told(bus: Bus) -> None:
    """The error names it and says who makes it."""
    spec = scratch_bucket()
    with pytest.raises(NotFoundError, match=f"no stream KV_{spec.name}.*planner"):
        await bus.bucket(spec, str).get("a")
    with pytest.raises(NotFoundError, match="no stream APPSHIELD_TEST"):
        _ = [one async for one in bus.read(scratch_stream())]


async def test_a_damaged_value_is_named_and_not_shown(bus: Bus) -> None:
    """The error has bucket and key, and nothing of the value."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    await bus.bucket(spec, msgspec.Raw).put("a", msgspec.Raw(b'"SECRETWORD"'))
    with pytest.raises(DamagedError, match=f"key a in {spec.name}") as caught:
        await bus.bucket(spec, int).get("a")
    assert "SECRETWORD" not in str(caught.value)


async def test_a_watch_of_one_key_reads_that_key_only(bus: Bus) -> None:
    """Other keys do not reach it."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)
    await bucket.put("other", "1")
    async with watched(bus, spec, "mine") as changes:
        await wait_until(lambda: len(changes) == 1, deadline_s=5, what="the marker")
        await bucket.put("other", "2")
        await bucket.put("mine", "1")
        await wait_until(lambda: len(changes) == 2, deadline_s=5, what="the change")
    assert [(one.key, one.value) for one in changes] == [("", None), ("mine", "1")]
