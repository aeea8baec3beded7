"""Loop devices: files of the local cluster that the kernel serves as block devices.

The pool of volumes is one, each published block volume is one, and for each of those the kubelet
makes one more to keep it open.
"""

from pathlib import Path

from appshield.local.cluster.commands import run_command

_KERNEL = Path("/sys/block")
_GONE = " (deleted)"


async def device_of(file: Path) -> str:
    """Return the loop device of a file, empty if it has none."""
    names = (await run_command("losetup", "-nO", "NAME", "--associated", file)).split()
    return names[0] if names else ""


async def attach(file: Path) -> str:
    """Return the loop device of a file, made unless there is one."""
    return await device_of(file) or (await run_command("losetup", "--find", "--show", file)).strip()


async def detach(file: Path) -> None:
    """Take the loop device of a file away; of one that is in use the kernel does it later."""
    while device := await device_of(file):
        await run_command("losetup", "--detach", device, accepted=(0, 1))
        if await device_of(file) == device:
            return


async def detach_below(folder: Path) -> None:
    """Take away the loop devices of all files below a folder."""
    root = folder.resolve()
    for device, file in _attached():
        if file.is_relative_to(root):
            await run_command("losetup", "--detach", device, accepted=(0, 1))


def _attached() -> list[tuple[str, Path]]:
    found = []
    for backing in _KERNEL.glob("loop*/loop/backing_file"):
        try:
            file = backing.read_text().strip().removesuffix(_GONE)
        except OSError:
            continue  # detached since it was listed
        found.append((f"/dev/{backing.parent.parent.name}", Path(file)))
    return found
