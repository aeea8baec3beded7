"""The embedded object store and message bus on a disk that is really full."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appshield.bus import Bus, NotStoredError
from appshield.bus.jetstream import JetStreamBus
from appshield.errors import UnavailableError
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import S3ObjectStore
from appshield.objectstore.bucket import ensure_bucket
from embedded_bus import running_bus, scratch_stream, subject_in

MIB = 1024 * 1024
DISK_MIB = 96
BUS_MIB = 24


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so that it can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={DISK_MIB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_refuses_what_comes_and_keeps_what_is_there(small_disk: Path) -> None:
    """The error says that the disk may be full; every object that was taken is whole."""
    async with EmbeddedObjectStore(small_disk / "store") as server:
        location = server.location()
        await ensure_bucket(location, server.credentials)
        store = S3ObjectStore(location, server.credentials)
        taken: dict[str, bytes] = {}

        def fill() -> None:
            for number in range(DISK_MIB):
                name, content = f"data/{number}", os.urandom(4 * MIB)
                store.put(name, content)
                taken[name] = content

        with pytest.raises(UnavailableError, match="when their disk is full"):
            await asyncio.to_thread(fill)
        assert taken
        for name, content in taken.items():
            assert await asyncio.to_thread(store.get, name) == content


async def test_a_bus_whose_disk_is_full_says_so_and_keeps_what_it_confirmed(
    small_disk: Path,
) -> None:
    """The server is silent then; with room and started again it has all, and takes the rest."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((DISK_MIB - BUS_MIB) * MIB))
    stream, confirmed = scratch_stream(bytes_max=DISK_MIB * MIB), list[str]()
    async with running_bus(small_disk / "bus") as server, impatient(server) as bus:
        await bus.ensure_stream(stream)

        async def store(number: int) -> None:
            name = str(number)
            await bus.publish_raw(subject_in(stream), os.urandom(MIB // 2), message_id=name)
            confirmed.append(name)

        async def fill() -> None:
            for number in range(DISK_MIB):
                await store(number)

        with pytest.raises(NotStoredError) as told:
            await fill()
        assert f"the message bus at {server.url} did not store a message" in str(told.value)
        assert "its disk may be full" in str(told.value)
        assert told.value.next_step.startswith("Look at its log, make room on its disk")
        assert "no space left on device" in server.log_file.read_text()

        ballast.unlink()
        await server.stop()
        await server.start()
        await store(len(confirmed))
        found = [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)]
        assert found == confirmed


@asynccontextmanager
async def impatient(server: EmbeddedBus) -> AsyncIterator[Bus]:
    """Connect as somebody who does not try for half a minute."""
    bus = await JetStreamBus.open(
        server.access("tester"), name="tests", on_problem=None, deadline_s=10, publish_budget_s=5
    )
    try:
        yield bus
    finally:
        await bus.close()
