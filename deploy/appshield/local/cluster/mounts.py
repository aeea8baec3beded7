"""Mounts below a folder, and deleting a folder without ever crossing one."""

import asyncio
import re
import shutil
from pathlib import Path

from appshield.errors import RefusedError
from appshield.local.cluster.commands import run_command

_OCTAL = re.compile(r"\\([0-7]{3})")


def mounts_below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, the deepest and latest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    root = folder.resolve()
    points = [Path(_unescape(line.split(" ")[4])) for line in lines]
    return [point for point in reversed(points) if point.is_relative_to(root)]


async def unmount_below(folder: Path) -> None:
    """Detach every mount at or below `folder`, also those that are still in use."""
    for point in mounts_below(folder):
        await run_command("umount", "--lazy", point, accepted=(0, 32))
    left = mounts_below(folder)
    if left:
        raise RefusedError(
            f"{left[0]} is still mounted",
            why="the kernel refused to detach it",
            next_step="Unmount it by hand, then try again; nothing below it was deleted",
        )


async def delete_folder(folder: Path) -> None:
    """Delete `folder` and all below it, unless something is mounted there.

    A volume that is bind-mounted below would lose its data: so a mount is an error, not a detail.
    """
    mounted = mounts_below(folder)
    if mounted:
        raise RefusedError(
            f"{folder} was not deleted",
            why=f"{mounted[0]} is mounted",
            next_step="Run `appshield cluster down` first",
        )
    if folder.is_dir():
        await asyncio.to_thread(shutil.rmtree, folder)


def _unescape(field: str) -> str:
    """The kernel writes blanks and backslashes of a path as octal numbers."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)
