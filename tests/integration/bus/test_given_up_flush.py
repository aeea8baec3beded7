"""A flush that is given up must not end the connection (nats-py sets results of cancelled ones)."""

import asyncio
from pathlib import Path

from appshield.bus import connect_bus
from appshield.contracts.streams import RUNS
from embedded_bus import running_bus


async def test_a_cancelled_watch_leaves_the_connection_alone(tmp_path: Path) -> None:
    """Watches that end at once, again and again, cost no reconnect."""
    problems: list[str] = []
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="test", on_problem=problems.append) as bus,
    ):
        await bus.ensure_topology()
        bucket = bus.bucket(RUNS, str)
        for number in range(40):
            watching = asyncio.ensure_future(anext(bucket.watch("x", stopping=asyncio.Event())))
            for _ in range(number % 7):
                await asyncio.sleep(0)  # a turn of the loop: cancelled after 0 to 6 of them
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await bucket.put("x", str(number))
        assert await bus.health() == ""
    assert problems == []
