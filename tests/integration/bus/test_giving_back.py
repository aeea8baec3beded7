"""What comes to a consumer that is told to stop waits for the next one, its deliveries unspent."""

import asyncio

from appshield.bus import Bus, Delivery
from embedded_bus import put, scratch_consumer, scratch_stream
from waiting import wait_until


async def test_a_stopping_consumer_does_not_use_up_the_deliveries_of_what_comes(bus: Bus) -> None:
    """Given back at once, it would come to the very same request until none is left."""
    stream = scratch_stream()
    consumer = scratch_consumer(stream, deliver_max=4)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    handled: list[Delivery] = []

    async def take(delivery: Delivery) -> None:
        handled.append(delivery)

    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        stopped = tasks.create_task(bus.consume(consumer, take, stopping=first))
        await put(bus, stream, "before")
        await wait_until(lambda: len(handled) == 1, deadline_s=10, what="it consumes")
        first.set()
        await put(bus, stream, "after")
        await stopped
        tasks.create_task(bus.consume(consumer, take, stopping=second))
        await wait_until(lambda: len(handled) == 2, deadline_s=10, what="the next one has it")
        second.set()
    assert handled[1].message_id == "after"
    assert handled[1].deliveries <= 2
