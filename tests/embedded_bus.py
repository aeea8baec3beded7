"""Real NATS servers for tests: one for the session, and fresh ones for tests that end them.

`tester` may do everything, so that a test can make streams and buckets of its own names.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appshield.bus import Bus
from appshield.contracts.permissions import USERS, UserSpec
from appshield.local.embedded.message_bus import EmbeddedBus

TESTER = UserSpec(
    name="tester", publishes=("$JS.>", "$KV.>", ">"), listens=(">",), administers=True
)

_numbers = itertools.count(1)


def fresh_name(prefix: str) -> str:
    """Return a name that no other test of this session uses."""
    return f"{prefix}{next(_numbers)}"


@asynccontextmanager
async def running_bus(folder: Path) -> AsyncIterator[EmbeddedBus]:
    """Run a server of one's own for the time of the block."""
    async with EmbeddedBus(folder, users=(*USERS, TESTER)) as server:
        yield server


@pytest.fixture(scope="session")
async def embedded_bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBus]:
    """One server for the session."""
    async with running_bus(tmp_path_factory.mktemp("bus")) as server:
        yield server


@pytest.fixture(scope="session")
async def bus(embedded_bus: EmbeddedBus) -> AsyncIterator[Bus]:
    """A connection to it as `tester`."""
    async with Bus.connect(embedded_bus.access("tester"), name="tests") as connected:
        yield connected
