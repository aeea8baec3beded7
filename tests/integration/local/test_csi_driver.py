"""The CSI driver on a real btrfs: every call may come twice, and nothing leaves the pool."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.local.cluster.commands import run_command
from appshield.local.cluster.csi.subvolumes import Pool
from appshield.local.cluster.loops import attach, detach_below, device_of
from appshield.local.cluster.mounts import delete_folder, mounts_below, unmount_below
from appshield.local.cluster.settings import ClusterSettings
from appshield.local.cluster.storage import ensure_pool, release_pool

SIZE = 1 << 20


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home must leave room for the names of sockets."""
    return tmp_path_factory.mktemp("c")


@pytest.fixture
async def pool(short_path: Path) -> AsyncIterator[Pool]:
    """A pool in a file of its own, mounted as a cluster does it."""
    home = short_path / "home"
    home.mkdir()
    settings = ClusterSettings(home=home, cache=short_path, pool_size_bytes=256 << 20)
    await ensure_pool(settings)
    await ensure_pool(settings)
    made = Pool(settings.layout.pool / "driver")
    made.prepare()
    yield made
    await unmount_below(home)
    await release_pool(settings)


async def test_a_snapshot_keeps_what_was_there_and_cannot_be_changed(pool: Pool) -> None:
    """Also what was not synced; the copy of it can be changed again."""
    await pool.create_volume("vol", SIZE)
    (pool.volume("vol") / "file").write_text("1")
    cut = await pool.create_snapshot("snap", "vol")
    (pool.volume("vol") / "file").write_text("2")
    assert (pool.snapshot("snap") / "file").read_text() == "1"
    with pytest.raises(OSError, match="Read-only"):
        (pool.snapshot("snap") / "file").write_text("3")
    await pool.create_volume("copy", SIZE, of_snapshot="snap")
    (pool.volume("copy") / "file").write_text("4")
    assert (cut.source, cut.size_bytes) == ("vol", SIZE)


async def test_every_operation_may_be_repeated(pool: Pool) -> None:
    """A side-car that did not hear the answer asks again and gets the same one."""
    for _ in range(2):
        assert await pool.create_volume("vol", SIZE) == SIZE
    (pool.volume("vol") / "file").write_text("kept")
    await pool.create_volume("vol", SIZE)
    assert (pool.volume("vol") / "file").read_text() == "kept"
    assert await pool.create_snapshot("s", "vol") == await pool.create_snapshot("s", "vol")
    for _ in range(2):
        await pool.delete_snapshot("s")
        await pool.delete_volume("vol")
    assert pool.snapshots() == []


async def test_a_snapshot_outlives_its_volume(pool: Pool) -> None:
    """Deleting the volume first is allowed by CSI."""
    await pool.create_volume("vol", SIZE)
    await pool.create_snapshot("s", "vol")
    await pool.delete_volume("vol")
    assert [found.handle for found in pool.snapshots()] == ["s"]


async def test_the_same_name_for_something_else_is_refused(pool: Pool) -> None:
    """A bigger volume, or a snapshot of another volume, under a name that is taken."""
    await pool.create_volume("one", SIZE)
    await pool.create_volume("two", SIZE)
    await pool.create_snapshot("s", "one")
    with pytest.raises(RefusedError, match="exists with"):
        await pool.create_volume("one", 2 * SIZE)
    with pytest.raises(RefusedError, match="volume one"):
        await pool.create_snapshot("s", "two")


async def test_what_does_not_exist_is_named(pool: Pool) -> None:
    """Neither a snapshot of nothing nor a copy of nothing is made."""
    with pytest.raises(NotFoundError, match="no volume absent"):
        await pool.create_snapshot("s", "absent")
    with pytest.raises(NotFoundError, match="no snapshot absent"):
        await pool.create_volume("v", SIZE, of_snapshot="absent")
    assert not pool.volume("v").exists()


@pytest.mark.parametrize("handle", ["../escape", "/etc", "", "a/b", ".", "..", "A"])
async def test_a_handle_is_never_a_path(pool: Pool, handle: str) -> None:
    """Nothing that a caller says leads out of the pool."""
    with pytest.raises(InvalidInputError, match="not a handle"):
        await pool.delete_volume(handle)


async def test_a_snapshot_that_was_interrupted_is_cut_again(pool: Pool) -> None:
    """Without its record it was never promised to anybody, so a fresh one takes its place."""
    await pool.create_volume("vol", SIZE)
    await pool.create_snapshot("s", "vol")
    pool.record("s").unlink()
    (pool.volume("vol") / "new").touch()
    assert pool.find_snapshot("s") is None
    await pool.create_snapshot("s", "vol")
    assert (pool.snapshot("s") / "new").exists()


async def test_a_folder_with_a_mount_in_it_is_not_deleted(pool: Pool, short_path: Path) -> None:
    """Deleting across a bind mount would delete the data of a volume."""
    await pool.create_volume("vol", SIZE)
    (pool.volume("vol") / "file").write_text("kept")
    target = short_path / "to delete" / "a b"
    target.mkdir(parents=True)
    argv = ["mount", "--bind", str(pool.volume("vol")), str(target)]
    await asyncio.to_thread(subprocess.run, argv, check=True)
    with pytest.raises(RefusedError, match="is mounted"):
        await delete_folder(target.parent)
    assert mounts_below(target.parent) == [target]
    await unmount_below(target.parent)
    await delete_folder(target.parent)
    assert (pool.volume("vol") / "file").read_text() == "kept"


async def test_a_block_volume_is_a_file_and_a_snapshot_of_it_holds_what_was_written(
    pool: Pool,
) -> None:
    """Through the device, without a flush of the file; a copy may be larger and can be written."""
    await pool.create_volume("vol", SIZE, block=True)
    device = Path(await attach(pool.device("vol")))
    assert await attach(pool.device("vol")) == str(device)
    await write(device, b"1")
    await pool.create_snapshot("snap", "vol")
    await write(device, b"2")
    assert await pool.create_volume("copy", 2 * SIZE, of_snapshot="snap", block=True) == 2 * SIZE
    content = pool.device("copy").read_bytes()
    assert (content[:1], len(content)) == (b"1", 2 * SIZE)
    await pool.delete_volume("vol")
    assert await device_of(pool.device("copy")) == ""
    assert str(device) not in await devices(pool)


async def test_a_copy_keeps_the_mode_of_its_source(pool: Pool) -> None:
    """A file system cannot become a device, and no device a file system."""
    for handle, block in (("files", False), ("device", True)):
        await pool.create_volume(handle, SIZE, block=block)
        with pytest.raises(InvalidInputError, match="another volume mode"):
            await pool.create_volume("other", SIZE, of_volume=handle, block=not block)


async def test_devices_that_a_crash_left_are_taken_away(pool: Pool) -> None:
    """Also those that stand on others: the pool can be unmounted then."""
    await pool.create_volume("vol", SIZE, block=True)
    device = Path(await attach(pool.device("vol")))
    published = pool.folder / "published"
    published.touch()
    await run_command("mount", "--bind", device, published)
    await attach(published)
    assert len(await devices(pool)) == 2
    await detach_below(pool.folder)
    await run_command("umount", published)
    assert await devices(pool) == []


async def write(device: Path, data: bytes) -> None:
    """Write to a device as one does who waits for it."""

    def do() -> None:
        descriptor = os.open(device, os.O_WRONLY)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)

    await asyncio.to_thread(do)


async def devices(pool: Pool) -> list[str]:
    """List the loop devices of files in the pool."""
    lines = (await run_command("losetup", "-nO", "NAME,BACK-FILE", "--list")).splitlines()
    return [line.split()[0] for line in lines if str(pool.folder) in line]
