"""A root file system for a container image, unpacked from Debian packages by mmdebstrap.

The packages are unpacked without their installation scripts: quick, and the same packages give
the same bytes. What the scripts would have made and an image needs (users, a shell with its
tools) is added here; what no container needs (documentation, translations, the package manager)
is removed. They come from where this machine's own apt gets them.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from appshield.errors import NotFoundError
from appshield.local.cluster.commands import run_command

SUITE = "bookworm"
"""The Debian release whose packages are used; the one that has PostgreSQL 15."""

UNPACK_DEADLINE_S = 600.0

SHELL_PACKAGE = "busybox-static"
"""The package of the shell and the tools of every image."""

TOOL = "mmdebstrap"

_BUSYBOX = "bin/busybox"
_PLACE_AND_RELEASE = "$(SOURCESENTRY)|$(CODENAME)"

_NEVER_NEEDED = (
    "dev/*",
    "etc/apt",
    "etc/cron*",
    "etc/dpkg",
    "etc/fstab",
    "etc/hostname",
    "etc/init.d",
    "etc/logrotate.d",
    "etc/rc*.d",
    "etc/resolv.conf",
    "etc/systemd",
    "lib/lsb",
    "lib/systemd",
    "usr/bin/dpkg*",
    "usr/bin/perl*",
    "usr/lib/*-linux-gnu/gconv",
    "usr/lib/*-linux-gnu/libperl*",
    "usr/lib/*-linux-gnu/perl*",
    "usr/lib/apt",
    "usr/lib/dpkg",
    "usr/lib/systemd",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/debconf",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/dpkg",
    "usr/share/i18n",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl*",
    "usr/share/pixmaps",
    "usr/share/polkit-1",
    "var/cache/*",
    "var/lib/*",
    "var/log/*",
)


async def unpack_packages(
    packages: Sequence[str], rootfs: Path, *, without: Sequence[str] = ()
) -> None:
    """Unpack Debian packages and what they depend on into the new folder `rootfs`.

    `without` are patterns of paths to remove besides what no container needs. Needs root and
    `mmdebstrap`; takes tens of seconds.

    Raises:
        NotFoundError: this machine's apt knows no source of the packages.
        RunFailedError, DeadlineError: they could not be fetched or unpacked.
    """
    include = ",".join((*packages, SHELL_PACKAGE))
    rootfs.parent.mkdir(parents=True, exist_ok=True)
    options = ("--mode=root", "--variant=extract", f"--include={include}")
    sources = await _apt_sources()
    await run_command(TOOL, *options, SUITE, rootfs, *sources, timeout_s=UNPACK_DEADLINE_S)
    await asyncio.to_thread(_trim, rootfs, (*_NEVER_NEEDED, *without))
    tools = await run_command(rootfs / _BUSYBOX, "--list-full")
    _link_shell_tools(rootfs, tools.split())


def add_user(rootfs: Path, name: str, *, user: int, group: int) -> None:
    """Give the numbers `user` and `group` a name in the image, beside root's."""
    accounts = f"root:x:0:0:root:/:/bin/sh\n{name}:x:{user}:{group}:{name}:/:/bin/sh\n"
    (rootfs / "etc/passwd").write_text(accounts)
    (rootfs / "etc/group").write_text(f"root:x:0:\n{name}:x:{group}:\n")


async def _apt_sources() -> tuple[str, ...]:
    """Return the files in which this machine's apt is told about Debian's packages."""
    files = await _listed_sources()
    if not files:  # its lists were never fetched, or removed to save space
        await run_command("apt-get", "--quiet", "update", timeout_s=UNPACK_DEADLINE_S)
        files = await _listed_sources()
    if not files:
        raise NotFoundError(
            f"apt on this machine knows no packages of Debian {SUITE}",
            why="the demo's images are made from them",
            next_step="Use a machine with Debian 12, or add that release to apt's sources",
        )
    return files


async def _listed_sources() -> tuple[str, ...]:
    wanted = ("Created-By: Packages", "Origin: Debian")
    lines = await run_command("apt-get", "indextargets", "--format", _PLACE_AND_RELEASE, *wanted)
    entries = [line.partition("|") for line in lines.splitlines()]
    return tuple(sorted({place.rpartition(":")[0] for place, _, name in entries if _ours(name)}))


def _ours(release: str) -> bool:
    return release == SUITE or release.startswith(f"{SUITE}-")


def _trim(rootfs: Path, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for path in rootfs.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _link_shell_tools(rootfs: Path, tools: Sequence[str]) -> None:
    """Put the tools of busybox where no package has put its own."""
    for path in tools:
        tool = rootfs / path
        if not tool.exists() and not tool.is_symlink():
            tool.parent.mkdir(parents=True, exist_ok=True)
            tool.symlink_to(f"/{_BUSYBOX}")
