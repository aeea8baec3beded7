"""A message bus, and what forks or becomes the services."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.bus import connect_bus
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.forking.services import ServiceParent
from appshield.local.programs import environment_of_parent
from embedded_bus import running_bus


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    """A message bus with the streams of AppShield."""
    async with running_bus(tmp_path / "bus") as running:
        async with connect_bus(running.access("tester"), name="tests") as bus:
            await bus.ensure_topology()
        yield running


@pytest.fixture
async def parent(tmp_path: Path) -> AsyncIterator[ServiceParent]:
    """The parent of the services; they end with it."""
    started = ServiceParent(
        environment=environment_of_parent(os.environ), log_file=tmp_path / "services.log"
    )
    yield started
    await started.stop()
