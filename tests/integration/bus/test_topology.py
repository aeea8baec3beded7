"""Streams, buckets and consumers become what the contracts say, and stay within their limits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from appshield.bus import Bus, BusFullError, connect_bus
from appshield.bus.jetstream import JetStreamBus
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import BUCKETS, CONSUMERS, STREAMS
from appshield.errors import NotFoundError, RefusedError
from embedded_bus import put, running_bus, scratch_bucket, scratch_consumer, scratch_stream

replace = msgspec.structs.replace
SMALL_BYTES = 4096


@pytest.fixture
async def own_bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A bus with a server of its own, still empty."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("installer"), name="topology") as bus,
    ):
        yield bus


async def test_the_topology_is_made_and_making_it_again_changes_nothing(own_bus: Bus) -> None:
    """Every stream, bucket and consumer exists; a second time is no change at all."""
    assert isinstance(own_bus, JetStreamBus)
    api = own_bus._api
    names = [spec.name for spec in STREAMS] + [f"KV_{spec.name}" for spec in BUCKETS]
    await own_bus.ensure_topology()
    before = [await api.stream(name) for name in names]
    assert all(before)
    await own_bus.ensure_topology()
    after = [await api.stream(name) for name in names]
    assert [one.config for one in before if one] == [one.config for one in after if one]
    for consumer in CONSUMERS:
        assert await own_bus.acknowledged(consumer) == 0


async def test_two_at_once_make_one_topology(own_bus: Bus) -> None:
    """Planner and installer may both begin with it."""
    await asyncio.gather(own_bus.ensure_topology(), own_bus.ensure_topology())


async def test_changed_limits_are_taken_over(bus: Bus) -> None:
    """A new limit comes into force in place; what is stored stays."""
    assert isinstance(bus, JetStreamBus)
    stream = scratch_stream(messages_max=1)
    await bus.ensure_stream(stream)
    await put(bus, stream, "a")
    with pytest.raises(BusFullError):
        await put(bus, stream, "b")
    await bus.ensure_stream(replace(stream, messages_max=2, purpose="another test"))
    await put(bus, stream, "b")
    info = await bus._api.stream(stream.name)
    assert info is not None
    assert (info.state.messages, info.config["description"]) == (2, "another test")


async def test_a_change_that_would_lose_messages_is_refused(bus: Bus) -> None:
    """The error names stream and difference, and says what to do; nothing was changed."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    await put(bus, stream, "a")
    with pytest.raises(RefusedError, match=r"retention is limits and would become workqueue"):
        await bus.ensure_stream(replace(stream, retention="work"))
    with pytest.raises(RefusedError, match=r"cannot be made smaller: it holds \d+ bytes"):
        await bus.ensure_stream(replace(stream, bytes_max=10))
    assert len([one async for one in bus.read(stream)]) == 1


async def test_a_consumer_is_changed_in_place(bus: Bus) -> None:
    """Its limits change, its position stays."""
    stream = scratch_stream()
    consumer = scratch_consumer(stream)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    await bus.ensure_consumer(replace(consumer, ack_wait_s=5, deliver_max=3))
    await bus.ensure_consumer(replace(consumer, filters=(f"{stream.subjects[0][:-1]}x",)))


async def test_a_consumer_of_nothing_is_told(bus: Bus) -> None:
    """A consumer needs its stream, and the error says who makes it."""
    with pytest.raises(NotFoundError, match=r"has no stream APPSHIELD_TEST_.*planner"):
        await bus.ensure_consumer(scratch_consumer(scratch_stream()))


async def test_a_second_reader_of_a_work_queue_is_refused(bus: Bus) -> None:
    """An order has one kind of worker: the server refuses an overlap, and says so."""
    stream = scratch_stream(retention="work")
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(scratch_consumer(stream))
    with pytest.raises(RefusedError, match="filtered consumer not unique"):
        await bus.ensure_consumer(scratch_consumer(stream))


async def test_agents_get_consumers_of_their_own(bus: Bus) -> None:
    """Consumers of two nodes and of the pool stand side by side."""
    agents = [
        agent_consumer("uploader", "test", "node-1"),
        agent_consumer("uploader", "test", "node-2.example"),
        agent_consumer("restorer", "test", "node-1"),
    ]
    for agent in agents:
        await bus.ensure_consumer(agent)
    for agent in agents:
        await bus.remove_consumer(agent, purge=True)


async def test_a_bucket_is_full_at_its_limit(bus: Bus) -> None:
    """A full bucket refuses by name; a smaller value still goes in place of an old one."""
    spec = scratch_bucket(bytes_max=SMALL_BYTES)
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)

    async def fill() -> None:
        for number in range(20):
            await bucket.put(f"k{number}", "x" * 500)

    with pytest.raises(BusFullError, match=f"KV_{spec.name} .*{SMALL_BYTES} bytes"):
        await fill()
    await bucket.put("k0", "y")


async def fill(bus: Bus, stream: StreamSpec, stored: list[str]) -> None:
    """Publish sixty messages on as many subjects, noting those that are stored."""
    for number in range(60):
        await put(bus, stream, f"m{number}", name=f"n{number}")
        stored.append(f"m{number}")


@pytest.mark.parametrize("spec", STREAMS, ids=lambda spec: spec.name)
async def test_every_stream_behaves_as_written_when_it_is_full(bus: Bus, spec: StreamSpec) -> None:
    """`new`: the publisher is refused and nothing is evicted. `old`: the oldest goes."""
    scratch = scratch_stream()
    stream = replace(
        spec, name=scratch.name, subjects=scratch.subjects, bytes_max=SMALL_BYTES, age_max_s=0
    )
    await bus.ensure_stream(stream)
    stored: list[str] = []
    if spec.discard == "new":
        with pytest.raises(BusFullError, match=f"{stream.name} .*{SMALL_BYTES} bytes"):
            await fill(bus, stream, stored)
    else:
        await fill(bus, stream, stored)
    left = [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)]
    assert 0 < len(left) < 60
    assert left == (stored if spec.discard == "new" else stored[-len(left) :])


async def test_a_stream_of_latest_facts_keeps_one_per_subject(bus: Bus) -> None:
    """A new fact takes the place of the old one, also when the stream refuses new subjects."""
    stream = scratch_stream(messages_per_subject_max=1)
    await bus.ensure_stream(stream)
    for number in range(3):
        await put(bus, stream, f"a{number}", name="a")
    await put(bus, stream, "b0", name="b")
    assert [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)] == ["a2", "b0"]
