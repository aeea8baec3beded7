"""Consumers for tests of a bus: a stream with one, and a handler that notes what it is given."""

import asyncio

from appshield.bus import Bus, Delivery
from appshield.contracts.stream_specs import ConsumerSpec, StreamSpec
from embedded_bus import scratch_consumer, scratch_stream
from waiting import wait_until

DEADLINE_S = 15.0


class Handled:
    """A handler that notes what it was given and answers as told."""

    def __init__(self, *answers: Exception | None) -> None:
        self.deliveries: list[Delivery] = []
        self._answers = list(answers)

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer

    @property
    def ids(self) -> list[str]:
        return [delivery.message_id for delivery in self.deliveries]


async def run_until(bus: Bus, consumer: ConsumerSpec, handler: Handled, *, count: int) -> None:
    """Consume until the handler was called `count` times, then stop."""
    stopping = asyncio.Event()
    running = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping))
    try:
        await wait_until(
            lambda: len(handler.deliveries) >= count or running.done(),
            deadline_s=DEADLINE_S,
            what=f"{count} deliveries",
        )
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE_S):
            await running


async def consumed_stream(bus: Bus, **limits: int) -> tuple[StreamSpec, ConsumerSpec]:
    """Make a work queue with one consumer."""
    stream = scratch_stream(retention="work")
    consumer = scratch_consumer(stream, **limits)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    return stream, consumer
