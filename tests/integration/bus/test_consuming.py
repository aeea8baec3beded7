"""The consume loop against a real server: silence, heartbeats, drains, crashes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from appshield.bus import Bus, DeadLetters, Delivery, Handler, Reject, connect_bus, tracing
from appshield.bus.api import Done
from appshield.bus.jetstream import JetStreamBus
from appshield.bus.pulling import pulling
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import ConsumerSpec, StreamSpec
from appshield.contracts.streams import DEAD, SNAPSHOTTER_ORDERS
from appshield.contracts.subjects import command
from appshield.errors import UnavailableError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import APP, put, running_bus, scratch_consumer, scratch_stream, subject_in
from waiting import wait_until

DEADLINE_S = 15.0


async def queue(
    bus: Bus, *, window_s: float = 120, **limits: float
) -> tuple[StreamSpec, ConsumerSpec]:
    """Make a work queue with one consumer."""
    stream = scratch_stream(retention="work", duplicate_window_s=window_s)
    consumer = scratch_consumer(stream, **limits)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    return stream, consumer


@asynccontextmanager
async def consuming(
    bus: Bus, consumer: ConsumerSpec, handler: Handler, concurrency: int = 8
) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a consumer for the time of the block, then drain it."""
    stopping = asyncio.Event()
    loop = asyncio.create_task(
        bus.consume(consumer, handler, stopping=stopping, concurrency=concurrency)
    )
    try:
        yield loop
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(loop, return_exceptions=True)


async def left_in(bus: Bus, stream: StreamSpec) -> list[str]:
    return [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)]


async def test_a_handler_that_moves_may_take_as_long_as_it_wants(bus: Bus) -> None:
    """Four times the silence allowed, but never silent: one delivery."""
    stream, consumer = await queue(bus, ack_wait_s=0.5)
    await put(bus, stream, "long")
    deliveries: list[int] = []
    done = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        deliveries.append(delivery.deliveries)
        for _ in range(20):
            await asyncio.sleep(0.1)  # time is the claim: in all, four times the silence allowed
            delivery.moved()
        done.set()

    async with consuming(bus, consumer, handler), asyncio.timeout(DEADLINE_S):
        await done.wait()
    assert deliveries == [1]
    assert await left_in(bus, stream) == []


async def test_a_hung_handler_is_stopped_and_its_message_comes_again(bus: Bus) -> None:
    """Silence for longer than allowed ends the handler; the slot is free again."""
    stream, consumer = await queue(bus, ack_wait_s=0.6)
    await put(bus, stream, "hung")
    outcomes: list[str] = []

    async def handler(delivery: Delivery) -> None:
        if delivery.deliveries == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                outcomes.append("stopped")
                raise
        outcomes.append("done")

    async with consuming(bus, consumer, handler, concurrency=1):
        await wait_until(lambda: "done" in outcomes, deadline_s=DEADLINE_S, what="handled")
    assert outcomes == ["stopped", "done"]


async def test_heartbeats_end_with_the_progress(bus: Bus) -> None:
    """A handler that cannot even be stopped keeps nothing: the message is delivered again."""
    stream, consumer = await queue(bus, ack_wait_s=0.5, deliver_max=3)
    await put(bus, stream, "stubborn")
    deliveries: list[int] = []
    release = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        deliveries.append(delivery.deliveries)
        while delivery.deliveries == 1 and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with consuming(bus, consumer, handler):
        await wait_until(lambda: 2 in deliveries, deadline_s=DEADLINE_S, what="a second delivery")
        release.set()


async def test_a_cancelled_consumer_gives_its_messages_back_at_once(bus: Bus) -> None:
    """The caller's deadline ended the drain: another worker need not wait for the silence."""
    stream, consumer = await queue(bus, ack_wait_s=60)
    await put(bus, stream, "a")
    begun = asyncio.Event()

    async def stuck(_: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    loop = asyncio.create_task(bus.consume(consumer, stuck, stopping=asyncio.Event()))
    async with asyncio.timeout(DEADLINE_S):
        await begun.wait()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    taken: list[int] = []

    async def handler(delivery: Delivery) -> None:
        taken.append(delivery.deliveries)

    asked = time.monotonic()
    async with consuming(bus, consumer, handler):
        await wait_until(lambda: taken, deadline_s=DEADLINE_S, what="given to another")
    assert taken == [2]
    assert time.monotonic() - asked < 5


async def test_no_more_is_fetched_than_can_start(bus: Bus) -> None:
    """What one worker cannot start is there for another at once."""
    stream, consumer = await queue(bus, ack_wait_s=60)
    for number in range(4):
        await put(bus, stream, f"m{number}")
    go_on = asyncio.Event()
    first: list[str] = []
    second: list[str] = []

    async def slow(delivery: Delivery) -> None:
        first.append(delivery.message_id)
        await go_on.wait()

    async def quick(delivery: Delivery) -> None:
        second.append(delivery.message_id)

    async with consuming(bus, consumer, slow, concurrency=1):
        await wait_until(lambda: first, deadline_s=DEADLINE_S, what="the slow one has begun")
        async with consuming(bus, consumer, quick):
            await wait_until(lambda: len(second) == 3, deadline_s=DEADLINE_S, what="all others")
        go_on.set()
    assert (first, sorted(second)) == (["m0"], ["m1", "m2", "m3"])


async def test_correctness_does_not_depend_on_the_duplicate_window(bus: Bus) -> None:
    """Outside of a window of 100 ms the same identity is stored again and delivered as such."""
    stream, consumer = await queue(bus, window_s=0.1)
    await put(bus, stream, "a")

    async def stored_again() -> bool:
        return not (await put(bus, stream, "a")).duplicate

    await wait_until(stored_again, deadline_s=5, what="the window has passed", every_s=0.15)
    ids: list[str] = []

    async def handler(delivery: Delivery) -> None:
        ids.append(delivery.message_id)

    async with consuming(bus, consumer, handler):
        await wait_until(lambda: len(ids) == 2, deadline_s=DEADLINE_S, what="both")
    assert ids == ["a", "a"]
    assert await left_in(bus, stream) == []


async def test_a_lost_stream_is_made_again(bus: Bus) -> None:
    """Somebody deletes the stream with everything: the loop makes it again and goes on."""
    assert isinstance(bus, JetStreamBus)
    stream, consumer = await queue(bus)
    ids: list[str] = []

    async def handler(delivery: Delivery) -> None:
        ids.append(delivery.message_id)

    async with consuming(bus, consumer, handler):
        await put(bus, stream, "a")
        await wait_until(lambda: ids == ["a"], deadline_s=DEADLINE_S, what="the first")
        await bus._api.call(f"STREAM.DELETE.{stream.name}", None, Done)
        await put(bus, stream, "b")
        await wait_until(lambda: "b" in ids, deadline_s=DEADLINE_S, what="the second")


async def test_who_may_not_make_a_consumer_waits_for_it(
    bus: Bus, embedded_bus: EmbeddedBus
) -> None:
    """A worker whose consumer is missing waits, and works as soon as somebody made it."""
    await bus.remove_consumer(SNAPSHOTTER_ORDERS, purge=True)
    ids: list[str] = []
    problems: list[str] = []

    async def handler(delivery: Delivery) -> None:
        ids.append(delivery.message_id)

    access = embedded_bus.access("snapshotter")
    async with (
        connect_bus(access, name="snapshotter", on_problem=problems.append) as worker,
        consuming(worker, SNAPSHOTTER_ORDERS, handler) as loop,
    ):
        await bus.publish(
            RequestBackup(app=APP, request_id="x"), subject=command("snapshot", "take", APP)
        )
        await wait_until(lambda: len(problems) > 1, deadline_s=DEADLINE_S, what="it may not")
        assert not loop.done()
        await bus.ensure_consumer(SNAPSHOTTER_ORDERS)
        await wait_until(lambda: ids, deadline_s=DEADLINE_S, what="the order")
    assert ids == ["backup.request.x"]


async def test_what_a_crashed_worker_left_behind_is_swept(bus: Bus) -> None:
    """A worker dies on the last delivery: the message becomes a dead letter all the same."""
    assert isinstance(bus, JetStreamBus)
    stream, consumer = await queue(bus, ack_wait_s=0.3, deliver_max=1)
    await put(bus, stream, "orphan")
    async with pulling(bus._connection, consumer) as pull:
        assert [taken.message_id async for taken in pull.take(1)] == ["orphan"]
    stopping = asyncio.Event()
    sweeping = asyncio.create_task(bus.sweep_exhausted(stopping=stopping))
    ids: list[str] = []

    async def handler(delivery: Delivery) -> None:
        ids.append(delivery.message_id)

    async def parked() -> bool:
        return any(one.stream == stream.name for one in await DeadLetters(bus).list("tester"))

    async with consuming(bus, consumer, handler):  # the server tells only while somebody asks
        await wait_until(parked, deadline_s=DEADLINE_S, what="a dead letter")

        async def removed() -> bool:
            return await left_in(bus, stream) == []

        await wait_until(removed, deadline_s=DEADLINE_S, what="removed from the queue")
    stopping.set()
    await sweeping
    letter = next(one for one in await DeadLetters(bus).list() if one.stream == stream.name)
    assert (letter.message_id, letter.service) == ("orphan", "tester")
    assert letter.reason == f"{consumer.name} never settled it in 1 deliveries"
    assert ids == []


async def test_a_message_that_cannot_be_parked_is_not_lost(tmp_path: Path) -> None:
    """With a full store of dead letters the message stays, and is parked when there is room."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="parking") as bus,
    ):
        assert isinstance(bus, JetStreamBus)
        await bus.ensure_topology()
        small = StreamSpec(
            name=DEAD.name, purpose=DEAD.purpose, subjects=DEAD.subjects, bytes_max=600
        )
        await bus._api.call(f"STREAM.DELETE.{DEAD.name}", None, Done)
        await bus.ensure_stream(small)
        stream, consumer = await queue(bus)
        await bus.publish_raw("appshield.v1.dead.x", b"x" * 300, message_id="filler")
        await put(bus, stream, "a")
        tries: list[int] = []

        async def handler(delivery: Delivery) -> None:
            tries.append(delivery.deliveries)
            raise Reject("never")

        async with consuming(bus, consumer, handler):
            await wait_until(lambda: len(tries) >= 2, deadline_s=DEADLINE_S, what="tried again")
            assert await left_in(bus, stream) == ["a"]
            await bus.ensure_stream(DEAD)

            async def parked() -> bool:
                return await left_in(bus, stream) == []

            await wait_until(parked, deadline_s=DEADLINE_S, what="parked")
        assert [one.reason for one in await DeadLetters(bus).list("tester")] == ["never"]


async def test_logs_of_a_handler_carry_what_it_works_on(bus: Bus) -> None:
    """Application, subject, delivery and trace are bound, and gone afterwards."""
    stream, consumer = await queue(bus)
    bound: list[dict[str, object]] = []

    async def handler(_: Delivery) -> None:
        bound.append(structlog.contextvars.get_contextvars())

    with tracing.within(tracing.Trace(trace_id="a" * 32, span_id="b" * 16)):
        await put(bus, stream, "a")
    async with consuming(bus, consumer, handler):
        await wait_until(lambda: bound, deadline_s=DEADLINE_S, what="handled")
    names = bound[0]
    assert names["app"] == "shop/web"
    assert (names["subject"], names["message_id"]) == (subject_in(stream), "a")
    assert (names["delivery"], names["trace_id"]) == (1, "a" * 32)
    assert "subject" not in structlog.contextvars.get_contextvars()


async def test_a_trace_goes_through_a_handler(bus: Bus) -> None:
    """What a handler publishes belongs to the trace of what it handles, as another span."""
    stream, consumer = await queue(bus)
    told = scratch_stream()
    await bus.ensure_stream(told)

    async def handler(delivery: Delivery) -> None:
        await put(bus, told, delivery.message_id + ".told")

    async with consuming(bus, consumer, handler):
        await put(bus, stream, "a")

        async def arrived() -> bool:
            return bool(await left_in(bus, told))

        await wait_until(arrived, deadline_s=DEADLINE_S, what="told")
    before = [one async for one in bus.read(told)]
    child = tracing.incoming(before[0].headers)
    assert before[0].headers["traceparent"] == child.header()
    assert len(child.trace_id) == 32


async def test_a_connection_closed_for_good_ends_the_loop(tmp_path: Path) -> None:
    """When the server throws us out there is nothing to wait for: the caller gets the error."""
    async with running_bus(tmp_path) as server:
        bus = await JetStreamBus.open(
            server.access("tester"),
            name="closed",
            on_problem=None,
            deadline_s=5,
            publish_budget_s=10,
        )
        stream, consumer = await queue(bus)

        async def handler(_: Delivery) -> None:
            return

        loop = asyncio.create_task(bus.consume(consumer, handler, stopping=asyncio.Event()))
        await put(bus, stream, "a")
        await bus._connection._client._process_err("'Maximum Connections Exceeded'")
        with pytest.raises(UnavailableError, match="connection"):
            async with asyncio.timeout(DEADLINE_S):
                await loop
        assert "maximum connections exceeded" in (await bus.health()).lower()
        with pytest.raises(UnavailableError, match="closed the connection"):
            await put(bus, stream, "b")
        await bus.close()
