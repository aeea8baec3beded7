"""The programs of a local cluster: Debian packages installed, Go programs built, once.

Everything that will be installed or built is said in one line before it happens. What was built
lies in the cache under a key made of the sources, so a new version is built beside the old one; a
folder there is complete, because it gets its name only at the end. `APPSHIELD_NO_INSTALL=1` turns
the first missing thing into an error that lists all of them.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appshield.errors import NotFoundError, RefusedError
from appshield.local.cluster.commands import SYSTEM_PATH, run_command
from appshield.local.cluster.compiling import compile_programs, find_go
from appshield.local.cluster.locking import locked

Report = Callable[[str], None]

PACKAGES: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "mkfs.btrfs": "btrfs-progs",
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""A program that a cluster needs, and the Debian package that brings it."""

BUILT_FROM = (
    "Kubernetes 1.34.4, etcd 3.6.8, CoreDNS 1.12.4, csi-provisioner 5.3.0 and "
    "external-snapshotter 8.3.0"
)
_SOURCES = Path(__file__).with_name("go")
_INSTALL_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the programs are: those built lie in `folder`, those of the system in the path."""

    folder: Path

    def program(self, name: str) -> Path:
        """A program that was built here, such as `kubelet`."""
        return self.folder / "bin" / name

    def system(self, name: str) -> Path:
        """A program of the system, such as `containerd`. Raises `NotFoundError`."""
        return system_program(name)

    @property
    def descriptors(self) -> Path:
        """The CSI and registration protocols as a protobuf FileDescriptorSet."""
        return self.folder / "descriptors.binpb"

    @property
    def definitions(self) -> Path:
        """A folder with the CustomResourceDefinitions of volume snapshots."""
        return self.folder / "definitions"


def system_program(name: str) -> Path:
    """The absolute path of a program of the system. Raises `NotFoundError`."""
    found = _which(name)
    if found is None:
        package = PACKAGES.get(name, name)
        raise NotFoundError(f"{name} is not installed", next_step=f"apt-get install {package}")
    return found


async def ensure_parts(cache: Path, environment: Mapping[str, str], report: Report) -> Parts:
    """Install and build what is missing; return at once when nothing is.

    Raises `RefusedError` when something is missing and `APPSHIELD_NO_INSTALL=1` is set, and
    `RunFailedError` or `DeadlineError` when installing or building fails.
    """
    parts = Parts(cache / "cluster" / build_key(_SOURCES))
    packages = missing_packages(PACKAGES)
    if environment.get("APPSHIELD_NO_INSTALL") == "1":
        missing = [f"the Debian package {package}" for package in packages]
        if not parts.folder.is_dir():
            missing.append(f"a build of {BUILT_FROM} in {parts.folder}")
        if missing:
            raise RefusedError(
                f"the local cluster misses {', '.join(missing)}",
                why="APPSHIELD_NO_INSTALL=1 forbids to install and build",
                next_step="Unset it, or set KUBECONFIG to use another cluster",
            )
    await ensure_packages(PACKAGES, report)
    if not parts.folder.is_dir():
        parts.folder.parent.mkdir(parents=True, exist_ok=True)
        async with locked(parts.folder.parent / "building.lock", timeout_s=3600.0):
            if not parts.folder.is_dir():
                await _build(parts.folder, report)
    return parts


async def ensure_packages(needed: Mapping[str, str], report: Report) -> None:
    """Install the Debian packages whose program (a name or an absolute path) is not there."""
    packages = missing_packages(needed)
    if not packages:
        return
    if _which("apt-get") is None:
        raise RefusedError(
            f"{', '.join(packages)} must be installed first",
            why="this machine has no apt-get to do it with",
            next_step="Install them, or set KUBECONFIG to use another cluster",
        )
    report(f"Installing Debian packages: {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
    install = (*apt, "install", "-y", "--no-install-recommends", *packages)
    if any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        # Lists that are too old name versions that are gone: then they are fetched below.
        await run_command(
            *install, timeout_s=_INSTALL_TIMEOUT_S, environment=quiet, accepted=(0, 100)
        )
    if missing_packages(needed):
        report("Fetching the lists of Debian packages")
        await run_command(*apt, "update", timeout_s=_INSTALL_TIMEOUT_S, environment=quiet)
        await run_command(*install, timeout_s=_INSTALL_TIMEOUT_S, environment=quiet)


def missing_packages(needed: Mapping[str, str]) -> list[str]:
    """The packages of those programs that are not on this machine."""
    return sorted({package for program, package in needed.items() if _which(program) is None})


def build_key(sources: Path) -> str:
    """A name for what these sources build: any change of them gives another one."""
    digest = hashlib.sha256()
    for file in sorted(path for path in sources.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(sources)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


async def _build(folder: Path, report: Report) -> None:
    go = await find_go()
    report(f"Building {BUILT_FROM} with {go} (once, 5 to 10 minutes on 2 cores)")
    unfinished = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "bin").mkdir(parents=True)
    await compile_programs(go, _SOURCES, unfinished, report)
    os.sync()
    unfinished.rename(folder)
    report(f"Built into {folder}")


def _which(program: str) -> Path | None:
    found = shutil.which(program, path=SYSTEM_PATH)
    return Path(found) if found else None
