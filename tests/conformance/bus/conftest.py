"""The kinds of message bus that the suite is run on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appshield.bus import Bus, BusAccess, connect_bus
from appshield.local.embedded.message_bus import EmbeddedBus
from memory_bus import MemoryBus

KINDS = ["memory", "nats", "nats in a container"]


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, embedded_bus: EmbeddedBus) -> AsyncIterator[Bus]:
    """Each kind of bus, with the topology of the contracts."""
    async with connected(request, embedded_bus) as bus:
        yield bus


@pytest.fixture(params=KINDS)
async def impatient_bus(
    request: pytest.FixtureRequest, embedded_bus: EmbeddedBus
) -> AsyncIterator[Bus]:
    """Each kind, that gives a publish up soon."""
    async with connected(request, embedded_bus, publish_budget_s=2.0) as bus:
        yield bus


@asynccontextmanager
async def connected(
    request: pytest.FixtureRequest, embedded_bus: EmbeddedBus, publish_budget_s: float = 30.0
) -> AsyncIterator[Bus]:
    """Connect to the kind of bus that a fixture is asked for."""
    if request.param == "memory":
        yield MemoryBus("tester")
        return
    access = embedded_bus.access("tester")
    if request.param == "nats in a container":
        access = BusAccess(url=request.getfixturevalue("nats_in_container"), user="tester")
    async with connect_bus(access, name="conformance", publish_budget_s=publish_budget_s) as bus:
        await bus.ensure_topology()
        yield bus
