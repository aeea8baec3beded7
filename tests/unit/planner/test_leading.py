"""A planner that may not lead any more gives way at once, whatever the bus and its work do."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.bus import Delivery
from appshield.contracts import streams
from appshield.contracts.requests import RequestBackup
from appshield.planner.handling import Planner
from appshield.planner.leading import Leadership
from appshield.planner.service import lead
from appshield.planner.settings import Settings
from appshield.service.health import Health
from appshield.service.joining import Joined
from fixed_clock import FixedClock
from memory_bucket import MemoryBucket
from memory_bus import MemoryBus
from planner_world import APP
from simulation import virtual_time

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_bus_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal that nobody answers ends with the lease."""

    async def silent(*_: Any) -> None:
        await asyncio.Event().wait()

    async def live() -> tuple[bool, float]:
        leadership = Leadership(MemoryBus("planner", now=NOW), "one")
        stopping = asyncio.Event()
        assert await leadership.acquire(stopping)
        monkeypatch.setattr(MemoryBucket, "update", silent)
        await leadership.keep(stopping)
        return leadership.held(), _now_s()

    held, gave_way_at_s = virtual_time.run(live())
    assert not held
    assert gave_way_at_s < streams.LEASES.live_s


def test_work_that_hangs_does_not_keep_a_planner_from_leading_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is in hand when the lease is lost comes again to whoever leads next."""

    async def hang(_: Planner, delivery: Delivery) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Planner, "handle", hang)

    async def live() -> float:
        bus, stopping = MemoryBus("planner", now=NOW), asyncio.Event()
        await bus.publish(RequestBackup(app=APP, request_id="one"))
        async with asyncio.TaskGroup() as tasks:
            joined = Joined(
                bus=bus,
                worker="one",
                health=Health(),
                stopping=stopping,
                concurrency=4,
                tasks=tasks,
            )
            settings = Settings(nats_url="", cluster=APP.cluster)
            leading = tasks.create_task(lead(joined, settings, stopping, FixedClock(NOW)))
            await asyncio.sleep(1)
            leases = bus.bucket(streams.LEASES, str)
            await leases.put("planner", "another")
            await leading
        return _now_s()

    assert virtual_time.run(live()) < streams.LEASES.live_s
