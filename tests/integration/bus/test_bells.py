"""Of many messages that tell the same one is taken, and none is missed that tells of more."""

import asyncio

import pytest

from appshield.bus import Bus, connect_bus, reading
from appshield.bus.connection import Connection
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import scratch_bucket
from waiting import wait_until

SUBJECT = "appshield.v1.test.bell"
MANY = 100
WRITES = 300


async def settled(connection: Connection) -> None:
    """Return when the server has delivered whatever it had to deliver."""
    assert not await connection.problem()  # which asks it for a sign of life


async def test_a_bell_rings_once_until_it_is_armed_again(embedded_bus: EmbeddedBus) -> None:
    connection = Connection(embedded_bus.access("tester"), "bell", None, asyncio.Event())
    await connection.open(20)
    try:
        async with connection.bell(SUBJECT) as bell:
            for number in range(2):
                for _ in range(MANY):
                    await connection.send(SUBJECT, str(number).encode())
                await settled(connection)
                rung = await bell.rung(20)
                assert rung is not None
                assert rung.body == str(number).encode()
                assert await bell.rung(0) is None
                await bell.arm()
                await bell.arm()  # again it changes nothing
            await settled(connection)
    finally:
        await connection.close()


async def test_what_is_written_while_a_follower_looks_rings_again(
    bus: Bus, embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower that missed one would wait for its own look, which does not come here."""
    monkeypatch.setattr(reading, "FALLBACK_S", 3600.0)
    spec, stopping, seen = scratch_bucket(), asyncio.Event(), dict[str, int]()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)

    async def follow(following: Bus) -> None:
        async for change in following.bucket(spec, int).watch(stopping=stopping):
            seen[change.key] = change.value or 0

    async with connect_bus(embedded_bus.access("tester"), name="follower") as following:
        task = asyncio.create_task(follow(following))
        for number in range(1, WRITES + 1):
            await bucket.put("one", number)
            if number % 10 == 0:
                await asyncio.gather(*(bucket.put(f"k{n}", number) for n in range(20)))
        wanted = {"one": WRITES, "": 0} | {f"k{n}": WRITES for n in range(20)}
        await wait_until(lambda: seen == wanted, deadline_s=30, what="the last of everything")
        stopping.set()
        await task
