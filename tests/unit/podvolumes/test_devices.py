"""The device of a block volume is taken from where the kubelet has mounted it, and nowhere else."""

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appshield.errors import RefusedError, UnavailableError
from appshield.kubernetes import Object
from appshield.local.cluster.loops import attach, detach
from appshield.local.cluster.mounts import unmount_below
from appshield.podvolumes import PodDevice, open_pod_volume
from unit.podvolumes.test_opening import DRIVER, HANDLE, UID, Facts, objects

BLOCK: Object = {"volumeMode": "Block", "csi": {"driver": DRIVER, "volumeHandle": HANDLE}}


async def found(root: Path, *, source: Object = BLOCK) -> PodDevice:
    volume = await open_pod_volume(
        Facts(*objects(source=source)),
        kubelet_root=root,
        node="n-1",
        pod_namespace="shop",
        pod="db-0",
        pod_uid=UID,
        claim="data-db-0",
    )
    assert isinstance(volume, PodDevice)
    return volume


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make what the kubelet makes before it mounts a device; return where it mounts it."""
    folder = tmp_path / "plugins/kubernetes.io/csi/volumeDevices/pv-1"
    for name in ("data", "dev"):
        (folder / name).mkdir(parents=True)
    facts = {"driverName": DRIVER, "volumeHandle": HANDLE}
    (folder / "data" / "vol_data.json").write_text(json.dumps(facts))
    return folder / "dev" / UID


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a real device, and mount it nowhere yet."""
    file = tmp_path / "disk"
    file.write_bytes(b"what is on the disk".ljust(1 << 20, b"\0"))
    device = Path(asyncio.run(attach(file)))
    try:
        yield device
    finally:
        asyncio.run(unmount_below(tmp_path))
        asyncio.run(detach(file))


def mount(device: Path, place: Path) -> None:
    place.touch()
    subprocess.run(["mount", "--bind", device, place], check=True)


async def test_the_device_of_the_pod_is_opened(tmp_path: Path, place: Path, disk: Path) -> None:
    """To read it, or to write where that is asked for."""
    device = await found(tmp_path)
    assert not device.is_there()
    mount(disk, place)
    assert device.is_there()
    with device.opened() as descriptor:
        assert os.pread(descriptor, 19, 0) == b"what is on the disk"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(descriptor, b"x", 0)
    with device.opened(writable=True) as descriptor:
        os.pwrite(descriptor, b"W", 0)
    with device.opened() as descriptor:
        assert os.pread(descriptor, 4, 0) == b"What"


@pytest.mark.parametrize("what", ["nothing", "a plain file", "a node beside no mount"])
async def test_what_is_not_mounted_is_waited_for(
    tmp_path: Path, place: Path, disk: Path, what: str
) -> None:
    """A node that somebody has made in the folder is not what the kubelet mounted."""
    if what == "a plain file":
        os.mknod(place)
    if what == "a node beside no mount":
        os.mknod(place, 0o600 | stat.S_IFBLK, os.stat(disk).st_rdev)  # noqa: PTH116 - async
    device = await found(tmp_path)
    assert not device.is_there()
    with pytest.raises(UnavailableError, match="is not mounted"):
        device.opened().__enter__()


async def test_a_link_is_never_followed(tmp_path: Path, place: Path, disk: Path) -> None:
    """Not in the place of the device, and not on the way to it."""
    device = await found(tmp_path)
    replace_by_a_link(place, disk)
    with pytest.raises(RefusedError):
        device.opened().__enter__()
    replace_by_a_link(place.parent, tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="it is a link"):
        device.opened().__enter__()


def replace_by_a_link(place: Path, target: Path) -> None:
    """Put a link in the place of what is there, which is moved to `target` if that is free."""
    if place.exists():
        place.rename(target)
    place.symlink_to(target)


async def test_a_mount_that_is_no_device_is_refused(tmp_path: Path, place: Path) -> None:
    """Somebody has mounted a file over it."""
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    mount(secret, place)
    try:
        with pytest.raises(RefusedError, match="is no block device"):
            (await found(tmp_path)).opened().__enter__()
    finally:
        await unmount_below(tmp_path)


async def test_a_device_of_another_volume_is_refused(
    tmp_path: Path, place: Path, disk: Path
) -> None:
    """What the kubelet wrote beside the mount has the last word."""
    mount(disk, place)
    facts = {"driverName": DRIVER, "volumeHandle": "another"}
    (place.parent.parent / "data" / "vol_data.json").write_text(json.dumps(facts))
    with pytest.raises(RefusedError, match="is not the volume that the API server names"):
        (await found(tmp_path)).opened().__enter__()


async def test_a_block_volume_without_a_csi_driver_is_refused(tmp_path: Path) -> None:
    """Its device would be any path of the node."""
    local: Object = {"volumeMode": "Block", "local": {"path": "/dev/sda"}}
    with pytest.raises(RefusedError, match="block volume pv-1 cannot be read on its node"):
        await found(tmp_path, source=local)
