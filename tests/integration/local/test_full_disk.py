"""The embedded object store on a disk that is really full."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appshield.errors import UnavailableError
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import S3ObjectStore
from appshield.objectstore.bucket import ensure_bucket

MIB = 1024 * 1024
DISK_MIB = 96


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
