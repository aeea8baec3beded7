"""The control groups of a local cluster: `/<label>` in every hierarchy, above all its pods."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from appshield.local.cluster.settings import ClusterSettings

_ROOT = Path("/sys/fs/cgroup")
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")
_CPU_SHARE = {"cpu.shares": "8192", "cpu.weight": "800"}
"""Of all pods together, in the words of v1 and v2: as much as eight processes beside them. Without
it pods have as much as one, and wait whenever the control plane and AppShield are busy."""


def ensure_cgroups(settings: ClusterSettings) -> None:
    """Make the group in each hierarchy, in the way of cgroup v1 or v2."""
    for hierarchy in _hierarchies():
        group = hierarchy / settings.label
        group.mkdir(exist_ok=True)
        # A new cpuset of v1 has no processors and no memory: then nothing can run in it.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / file).exists() and (group / file).exists():
                (group / file).write_text((hierarchy / file).read_text())
        for file, share in _CPU_SHARE.items():
            if (group / file).exists():
                (group / file).write_text(share)
        if (hierarchy / "cgroup.controllers").exists():
            _pass_on(hierarchy)
            _pass_on(group)


def pod_pids(settings: ClusterSettings) -> list[int]:
    """The processes of all containers."""
    found: set[int] = set()
    for group in _groups(settings):
        with contextlib.suppress(FileNotFoundError, OSError):
            found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
    return sorted(found - {os.getpid()})


def in_cgroup(settings: ClusterSettings, pid: int) -> bool:
    """Whether a process is one of the containers of this cluster."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(line.split(":", 2)[2].startswith(f"/{settings.label}/") for line in lines)


async def remove_cgroups(settings: ClusterSettings) -> None:
    """Remove the groups, the deepest first. A group empties a moment after its last process."""
    for group in _groups(settings):
        for pause_s in (0.01, 0.05, 0.1, 0.5, 1.0):
            try:
                group.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                await asyncio.sleep(pause_s)
            else:
                break


def _hierarchies() -> list[Path]:
    """The mount points of cgroup v1 controllers, and the one of v2 where it has controllers."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split(" ")
        path = Path(point)
        if not path.is_relative_to(_ROOT):
            continue
        has_controllers = kind == "cgroup" and "name=" not in options
        if kind == "cgroup2":
            has_controllers = bool((path / "cgroup.controllers").read_text().strip())
        # runc also makes groups in the named hierarchy of systemd.
        if has_controllers or "name=systemd" in options:
            found.append(path)
    return found


def _groups(settings: ClusterSettings) -> Iterator[Path]:
    for hierarchy in _hierarchies():
        top = hierarchy / settings.label
        for folder, _, _ in os.walk(top, topdown=False):
            yield Path(folder)


def _pass_on(group: Path) -> None:
    """Let the groups below use the controllers that this one has (cgroup v2)."""
    available = (group / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _V2_CONTROLLERS if name in available)
    (group / "cgroup.subtree_control").write_text(wanted)
