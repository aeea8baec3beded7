"""The pool of all volumes: one sparse file with btrfs in it, mounted while the cluster runs."""

import contextlib
import os
from pathlib import Path

from appshield.errors import DeadlineError, RefusedError, RunFailedError
from appshield.local.cluster.commands import run_command
from appshield.local.cluster.loops import detach_below, device_of
from appshield.local.cluster.mounts import mounts_below
from appshield.local.cluster.settings import ClusterSettings
from appshield.local.cluster.waiting import until

_RELEASE_S = 30.0


async def ensure_pool(settings: ClusterSettings) -> None:
    """Make the file unless it is there, and mount it unless it is mounted.

    Raises `RefusedError` when the machine cannot mount it.
    """
    layout = settings.layout
    if not layout.pool_file.exists():
        await _make(layout.pool_file, settings.pool_size_bytes)
    layout.pool.mkdir(parents=True, exist_ok=True)
    if layout.pool.resolve() in mounts_below(layout.pool):
        return
    await release_pool(settings)
    try:
        # mount frees the loop device again when the file system is unmounted.
        await run_command("mount", "-o", "loop,noatime", layout.pool_file, layout.pool)
    except RunFailedError as error:
        raise RefusedError(
            "the volumes of the local cluster could not be mounted",
            why=error.why,
            next_step="It needs a kernel with btrfs and a free /dev/loop device, and all rights",
        ) from error
    # Past the page cache of the machine: a snapshot then waits for this file's writes alone.
    with contextlib.suppress(RunFailedError):  # not every file system can
        await run_command("losetup", "--direct-io=on", await device_of(layout.pool_file))


async def _make(file: Path, size_bytes: int) -> None:
    """Complete or not at all: the name is given when the file system is in it."""
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("wb") as sparse:
        os.truncate(sparse.fileno(), size_bytes)
    await run_command("mkfs.btrfs", "--quiet", unfinished)
    unfinished.rename(file)


def container_snapshotter(home: Path) -> str:
    """How containerd stacks image layers here: overlayfs cannot lie on another overlayfs."""
    best = max(
        (line.split(" ") for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        key=lambda fields: _match(home.resolve(), Path(fields[4])),
    )
    kind = best[best.index("-") + 1]
    return "native" if kind == "overlay" else "overlayfs"


def _match(path: Path, mount_point: Path) -> int:
    return len(mount_point.parts) if path.is_relative_to(mount_point) else 0


async def release_devices(settings: ClusterSettings) -> None:
    """Take away the devices of block volumes, the kubelet's own among them.

    To be done before anything is unmounted: their names are paths below the home.
    """
    await detach_below(settings.layout.kubelet)
    await detach_below(settings.layout.pool)


async def release_pool(settings: ClusterSettings) -> None:
    """Wait until the kernel has let go of the pool's file: a lazy unmount ends later.

    Raises `DeadlineError`: mounting it again before would be two owners of one file system.
    """
    file = settings.layout.pool_file
    if not file.exists():
        return

    async def is_free() -> bool:
        return not await device_of(file)

    try:
        await until(is_free, timeout_s=_RELEASE_S)
    except TimeoutError as error:
        raise DeadlineError(
            f"the kernel still uses {file} after {_RELEASE_S:g} s",
            why="a process has a file of a volume open",
            next_step="End that process, then run `appshield cluster down` again",
        ) from error
