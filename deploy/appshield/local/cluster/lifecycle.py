"""Bringing a local cluster up, down, and telling how it is.

`cluster_up` leaves the cluster running when the caller ends. It may be called at any time: it does
what is missing and no more, whatever was killed, and whether or not the machine went down between.
Data of the cluster (etcd, volumes, images) survives `cluster_down`, unless it is told to purge.
"""

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appshield.errors import DeadlineError, DeniedError, RefusedError, UnavailableError
from appshield.local.cluster import cgroups, leftovers
from appshield.local.cluster.building import Parts, ensure_parts
from appshield.local.cluster.certificates import ensure_certificates
from appshield.local.cluster.components import components
from appshield.local.cluster.configuration import configuration_files
from appshield.local.cluster.keeping import component_environment
from appshield.local.cluster.locking import is_locked, locked
from appshield.local.cluster.mounts import delete_folder, mounts_below, unmount_below
from appshield.local.cluster.network import ensure_network, namespace_file, remove_network
from appshield.local.cluster.processes import (
    carries_mark,
    end_processes,
    owned_processes,
)
from appshield.local.cluster.readiness import (
    ClusterFacts,
    SupervisorGoneError,
    wait_for_supervisor,
    wait_until_ready,
)
from appshield.local.cluster.settings import ClusterSettings
from appshield.local.cluster.state import is_alive, read_state
from appshield.local.cluster.storage import (
    container_snapshotter,
    ensure_pool,
    release_devices,
    release_pool,
)

Report = Callable[[str], None]

_LOCK_TIMEOUT_S = 900.0
_SUPERVISOR_GRACE_S = 15.0
_PODS_GRACE_S = 4.0
_LAUNCH_S = 30.0
_SUPERVISORS = 3
"""How many may die while `up` waits, before it gives up: one that was just killed is the first."""
_SHIM = "containerd-shim"


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One component, as it is now."""

    name: str
    pid: int
    alive: bool
    ready: bool
    starts: int
    last_exit: int | None


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A local cluster, as it is now. `running` means that its supervisor lives."""

    name: str
    running: bool
    ready: bool
    components: tuple[ComponentStatus, ...]
    kubeconfig: Path | None


async def cluster_up(
    settings: ClusterSettings, report: Report, *, environment: Mapping[str, str] | None = None
) -> ClusterFacts:
    """Install, build, start what is missing; return when pods with volumes can run.

    `report` gets one line for each thing that is installed, built, started or ready. `environment`
    is where `APPSHIELD_NO_INSTALL` is looked for. Raises `DeniedError` without root, `RefusedError`
    when this machine does not allow it, `DeadlineError` with the component that is not ready,
    `UnavailableError` when the machine fails (a full disk).
    """
    _need_root()
    async with _machine_errors(), locked(settings.layout.lock, timeout_s=_LOCK_TIMEOUT_S):
        parts = await ensure_parts(settings.cache, environment or os.environ, report)
        names = [component.name for component in components(settings, parts)]
        for _ in range(_SUPERVISORS - 1):
            await _ensure_supervisor(settings, parts, report)
            try:
                return await wait_until_ready(settings, names, report)
            except SupervisorGoneError as error:
                report(str(error))
        await _ensure_supervisor(settings, parts, report)
        return await wait_until_ready(settings, names, report)


async def cluster_down(settings: ClusterSettings, report: Report, *, purge: bool = False) -> None:
    """Stop it and leave nothing behind but its files; with `purge` not even those.

    Raises `DeniedError` without root, `RefusedError` when something cannot be removed.
    """
    _need_root()
    async with _machine_errors(), locked(settings.layout.lock, timeout_s=_LOCK_TIMEOUT_S):
        report(f"Stopping the local cluster {settings.name}")
        await _stop_components(settings, report)
        await _stop_pods(settings, report)
        await asyncio.to_thread(leftovers.remove_shim_sockets, settings)
        await release_devices(settings)
        await unmount_below(settings.home)
        await release_pool(settings)
        await remove_network(settings)
        await cgroups.remove_cgroups(settings)
        await asyncio.to_thread(leftovers.remove_written_outside, settings)
        await asyncio.to_thread(leftovers.remove_dead_device_socket)
        await delete_folder(settings.layout.run)
        if settings.home.parent.is_dir():
            await asyncio.to_thread(leftovers.restore_sysctls, settings)
        if purge:
            report(f"Deleting its data in {settings.home}")
            await delete_folder(settings.home)
        report("Stopped" if not purge else "Stopped and deleted")


def cluster_status(settings: ClusterSettings) -> ClusterStatus:
    """Look, and change nothing. Needs no root, but sees more with it."""
    layout = settings.layout
    running = is_locked(layout.supervisor_lock)
    state = read_state(layout.state)
    found = tuple(
        ComponentStatus(
            name=name,
            pid=component.pid,
            alive=(alive := running and is_alive(component, settings.home)),
            ready=alive and component.ready,
            starts=component.starts,
            last_exit=component.last_exit,
        )
        for name, component in (state.components.items() if state else ())
    )
    ready = running and bool(found) and all(component.ready for component in found)
    kubeconfig = layout.kubeconfig if layout.kubeconfig.exists() else None
    return ClusterStatus(settings.name, running, ready, found, kubeconfig)


@contextlib.asynccontextmanager
async def _machine_errors() -> AsyncIterator[None]:
    """A full disk or a kernel that says no is told in a sentence."""
    try:
        yield
    except TimeoutError as error:
        raise DeadlineError(
            "a program that sets up the local cluster did not end in time",
            next_step="Try again when the machine is less busy",
        ) from error
    except OSError as error:
        raise UnavailableError(
            "this machine refused something that the local cluster needs",
            why=str(error),
            next_step="See that the disk has room and that this is not a restricted container",
        ) from error


def _need_root() -> None:
    if os.geteuid() != 0:
        raise DeniedError(
            "a local cluster needs root",
            why="it makes a network namespace, mounts and cgroups",
            next_step="Run it with sudo, or set KUBECONFIG to use a cluster that you have",
        )


async def _ensure_supervisor(settings: ClusterSettings, parts: Parts, report: Report) -> None:
    if _same_plan_runs(settings, parts):
        report(f"The local cluster {settings.name} runs in {settings.home}")
        return
    await _stop_components(settings, report)
    await _prepare(settings)
    report(f"Starting the local cluster {settings.name} in {settings.home}")
    await _launch_supervisor(settings, parts)


def _same_plan_runs(settings: ClusterSettings, parts: Parts) -> bool:
    """A supervisor lives, runs exactly what we would run now, and its network is still there."""
    state = read_state(settings.layout.state)
    return (
        is_locked(settings.layout.supervisor_lock)
        and state is not None
        and state.plan == plan_digest(settings, parts)
        and bool(mounts_below(namespace_file(settings)))
        and bool(mounts_below(settings.layout.pool))
    )


def plan_digest(settings: ClusterSettings, parts: Parts) -> str:
    """Changes with every program, argument and configuration file: then `up` restarts them."""
    digest = hashlib.sha256()
    for component in components(settings, parts):
        digest.update(repr(component).encode())
    files = configuration_files(settings, snapshotter=container_snapshotter(settings.home))
    digest.update(repr(sorted(files.items())).encode())
    for source in sorted(Path(__file__).with_name("csi").glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


async def _prepare(settings: ClusterSettings) -> None:
    """Everything that must be there before the first component starts."""
    layout = settings.layout
    if not owned_processes(settings.home) and not cgroups.pod_pids(settings):
        # Nothing of an earlier run lives (a stop, or a crash of the machine): its notes are lies.
        await asyncio.to_thread(leftovers.remove_shim_sockets, settings)
        await unmount_below(layout.run)
        await delete_folder(layout.run)
    for folder in (layout.home, layout.run, layout.logs, layout.config, layout.kubelet):
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    await asyncio.to_thread(leftovers.remember_sysctls, settings)
    await asyncio.to_thread(ensure_certificates, settings)
    snapshotter = container_snapshotter(settings.home)
    for path, content in configuration_files(settings, snapshotter=snapshotter).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    await asyncio.to_thread(cgroups.ensure_cgroups, settings)
    await ensure_network(settings)
    await ensure_pool(settings)


async def _launch_supervisor(settings: ClusterSettings, parts: Parts) -> None:
    """Start it detached (`setsid --fork`: nobody has to wait for it) in the node's network."""
    inside = ("nsenter", f"--net={namespace_file(settings)}")
    supervise = (
        *(sys.executable, "-m", "appshield.local.cluster.supervise"),
        *("--home", str(settings.home), "--cache", str(settings.cache), "--name", settings.name),
        *("--parts", str(parts.folder), "--plan", plan_digest(settings, parts)),
    )
    with (settings.layout.logs / "supervisor.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *("setsid", "--fork", *inside, *supervise),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=component_environment(settings.home),
        )
        await asyncio.wait_for(process.wait(), timeout=_LAUNCH_S)
    await wait_for_supervisor(settings, timeout_s=_LAUNCH_S)


async def _stop_components(settings: ClusterSettings, report: Report) -> None:
    """End supervisor and components; containers and their shims go on."""
    home = settings.home

    def supervisors() -> list[int]:
        found = owned_processes(home)
        return [process.pid for process in found if "cluster.supervise" in process.command]

    def programs() -> list[int]:
        found = owned_processes(home)
        return [process.pid for process in found if _SHIM not in process.command]

    def belongs(pid: int) -> bool:
        return carries_mark(pid, home)

    if programs():
        report("Ending its components")
    left = await end_processes(supervisors, belongs, grace_s=_SUPERVISOR_GRACE_S)
    left += await end_processes(programs, belongs, grace_s=1.0)
    _refuse_left(left)


async def _stop_pods(settings: ClusterSettings, report: Report) -> None:
    """End all containers, then the shims that held them."""
    home = settings.home
    if cgroups.pod_pids(settings):
        report("Ending its containers")
    left = await end_processes(
        lambda: cgroups.pod_pids(settings),
        lambda pid: cgroups.in_cgroup(settings, pid),
        grace_s=_PODS_GRACE_S,
    )
    left += await end_processes(
        lambda: [process.pid for process in owned_processes(home)],
        lambda pid: carries_mark(pid, home),
        grace_s=0.3,
    )
    _refuse_left(left)


def _refuse_left(pids: list[int]) -> None:
    if pids:
        raise RefusedError(
            f"processes {pids} of the local cluster cannot be ended",
            why="the kernel holds them",
            next_step="See what they wait for in /proc/<pid>/stack, then try again",
        )
