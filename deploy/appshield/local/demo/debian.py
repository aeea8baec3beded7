"""A root file system for a container image, unpacked from Debian packages by mmdebstrap.

The packages are unpacked without their installation scripts: quick, and the same packages give
the same bytes. What the scripts would have made and an image needs (users, a shell with its
tools) is added here; what no container needs (documentation, translations, the package manager)
is removed. They come from where this machine's own apt gets them.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from appshield.errors import NotFoundError, RunFailedError

SUITE = "bookworm"
"""The Debian release whose packages are used; the one that has PostgreSQL 15."""

UNPACK_DEADLINE_S = 600.0

SHELL_PACKAGE = "busybox-static"
"""The package of the shell and the tools of every image."""

TOOL = "mmdebstrap"

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


def unpack_packages(packages: Sequence[str], rootfs: Path, *, without: Sequence[str] = ()) -> None:
    """Unpack Debian packages and what they depend on into the new folder `rootfs`.

    `without` are patterns of paths to remove besides what no container needs. Needs root. Blocks
    for tens of seconds.

    Raises:
        NotFoundError: mmdebstrap, or a source of Debian packages, is missing on this machine.
        RunFailedError: the packages could not be fetched or unpacked.
    """
    if shutil.which(TOOL) is None:
        raise NotFoundError(
            f"the program {TOOL} is missing",
            why="the demo's images are made with it from Debian packages",
            next_step=f"apt-get install {TOOL}",
        )
    include = ",".join((*packages, SHELL_PACKAGE))
    options = ("--mode=root", "--variant=extract", "--quiet", f"--include={include}")
    _run((TOOL, *options, SUITE, str(rootfs), *_apt_sources()))
    for pattern in (*_NEVER_NEEDED, *without):
        for path in rootfs.glob(pattern):
            _remove(path)
    _link_shell_tools(rootfs)


def add_user(rootfs: Path, name: str, *, user: int, group: int) -> None:
    """Give the numbers `user` and `group` a name in the image, beside root's."""
    accounts = f"root:x:0:0:root:/:/bin/sh\n{name}:x:{user}:{group}:{name}:/:/bin/sh\n"
    (rootfs / "etc/passwd").write_text(accounts)
    (rootfs / "etc/group").write_text(f"root:x:0:\n{name}:x:{group}:\n")


def _apt_sources() -> tuple[str, ...]:
    """Return the files in which this machine's apt is told about Debian's packages."""
    wanted = ("Created-By: Packages", "Origin: Debian")
    text = _run(("apt-get", "indextargets", "--format", "$(SOURCESENTRY)|$(CODENAME)", *wanted))
    entries = [line.partition("|") for line in text.splitlines()]
    files = {place.rpartition(":")[0] for place, _, release in entries if _is_ours(release)}
    if not files:
        raise NotFoundError(
            f"apt on this machine knows no packages of Debian {SUITE}",
            why="the demo's images are made from them",
            next_step="Run `apt-get update`; on another system, use a Debian 12 machine",
        )
    return tuple(sorted(files))


def _is_ours(release: str) -> bool:
    return release == SUITE or release.startswith(f"{SUITE}-")


def _link_shell_tools(rootfs: Path) -> None:
    """Put the tools of busybox where no package has put its own."""
    busybox = rootfs / "bin/busybox"
    for path in _run((str(busybox), "--list-full")).split():
        tool = rootfs / path
        if not tool.exists() and not tool.is_symlink():
            tool.parent.mkdir(parents=True, exist_ok=True)
            tool.symlink_to("/bin/busybox")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=UNPACK_DEADLINE_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise RunFailedError(
            f"{command[0]} ended with exit code {error.returncode}",
            why=error.stderr.strip()[-1000:],
            next_step="Check that `apt-get update` works on this machine, then try again",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RunFailedError(
            f"{command[0]} did not end within {UNPACK_DEADLINE_S:.0f} s",
            next_step="Check the connection to the Debian mirror, then try again",
        ) from error
    except OSError as error:
        raise NotFoundError(f"{command[0]} cannot be run", why=str(error)) from error
    return done.stdout
