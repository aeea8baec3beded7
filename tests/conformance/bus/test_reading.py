"""What a message bus keeps can be read by anybody, and is removed when asked."""

import asyncio
import uuid
from datetime import UTC, datetime

from appshield.bus import Bus
from appshield.contracts import decode, subjects
from appshield.contracts.health import Health, HealthChanged, HealthStatus
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Message
from appshield.contracts.streams import HISTORY, STATE
from bus_consumers import Handled, consumed_stream, run_until
from embedded_bus import put, scratch_stream, subject_in
from waiting import wait_until

DEADLINE_S = 15.0


async def test_reading_gives_a_stream_in_order_without_consuming(bus: Bus) -> None:
    """Filters, a start and the present end are kept to; the consumer still gets everything."""
    stream, consumer = await consumed_stream(bus)
    for number in range(3):
        await put(bus, stream, f"m{number}", name="even" if number % 2 == 0 else "odd")
    even = subject_in(stream, "even")
    assert [one.sequence async for one in bus.read(stream, filters=(even,))] == [1, 3]
    assert [one.sequence async for one in bus.read(stream, since=2)] == [2, 3]
    assert [one.sequence async for one in bus.read(stream, since="new")] == []
    handled = Handled()
    await run_until(bus, consumer, handled, count=3)


async def test_headers_are_read_as_they_were_given(bus: Bus) -> None:
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    given = {"Ce-Time": "2026-11-30T06:00:00Z", "Plain": "ä: b", "X_y.z": "1,2 3"}
    await bus.publish_raw(subject_in(stream), b"body", message_id="one", headers=given)
    (read,) = [one async for one in bus.read(stream)]
    assert {name: read.headers[name] for name in given} == given


async def test_following_gives_what_comes(bus: Bus) -> None:
    """A follower sees new messages, of several filters, and can be closed."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    await put(bus, stream, "old")
    seen: list[str] = []
    filters = (subject_in(stream, "left"), subject_in(stream, "right"))

    async def follow() -> None:
        async for stored in bus.read(stream, filters=filters, since="new", follow=True):
            seen.append(stored.headers["Nats-Msg-Id"])  # noqa: PERF401 - it never ends

    following = asyncio.create_task(follow())
    number = 0

    async def told() -> bool:
        nonlocal number
        number += 1
        await put(bus, stream, f"n{number}", name=("left", "middle", "right")[number % 3])
        return len(seen) >= 4

    await wait_until(told, deadline_s=DEADLINE_S, what="four followed")
    following.cancel()
    numbers = [int(one[1:]) for one in seen]
    assert numbers == sorted(numbers)
    assert all(one % 3 != 1 for one in numbers)


async def test_of_a_fact_of_which_the_latest_counts_the_last_few_can_be_read(bus: Bus) -> None:
    """A stream that takes from another one keeps them under subjects of its own."""
    app = AppRef(cluster="test", namespace=f"n{uuid.uuid4().hex[:8]}", name="web")
    statuses: tuple[HealthStatus, ...] = ("Degraded", "Healthy", "Missing")
    for change, status in enumerate(statuses):
        health = Health(status=status, since=datetime(2026, 1, 1, tzinfo=UTC))
        await bus.publish(HealthChanged(app=app, uid=app.namespace, change=change, health=health))
    wanted = (subjects.told("health", "changed", app),)

    async def seen() -> list[Message]:
        return [decode(one.body) async for one in bus.read(HISTORY, filters=wanted)]

    async def all_there() -> bool:
        return len(await seen()) == len(statuses)

    await wait_until(all_there, deadline_s=30, what="the last few facts")
    found = [one.health.status for one in await seen() if isinstance(one, HealthChanged)]
    assert found == list(statuses)
    latest = (subjects.event("health", "changed", app),)
    assert len([one async for one in bus.read(STATE, filters=latest)]) == 1


async def test_trim_drops_what_lies_below(bus: Bus) -> None:
    """A trim keeps the sequence that it names."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    for number in range(4):
        await put(bus, stream, f"m{number}")
    await bus.trim(stream, below_sequence=0)
    await bus.trim(stream, below_sequence=3)
    assert [one.sequence async for one in bus.read(stream)] == [3, 4]


async def test_a_removed_consumer_takes_its_messages_along(bus: Bus) -> None:
    """With purge, what only it would read is gone; removing twice is no error."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    await bus.remove_consumer(consumer, purge=True)
    await bus.remove_consumer(consumer, purge=True)
    assert [stored async for stored in bus.read(stream)] == []
