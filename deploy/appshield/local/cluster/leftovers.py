"""What the kubelet and containerd write outside the home, whatever they are told.

Removed by `down`: links in /var/log/containers, results in /var/lib/cni, sockets of shims, and the
kernel settings that the kubelet changes for the whole machine.
"""

import socket
from pathlib import Path

import msgspec

from appshield.local.cluster.configuration import network_name
from appshield.local.cluster.locking import is_locked
from appshield.local.cluster.settings import ClusterSettings, Layout

_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_PROC_SYS = Path("/proc/sys")
_SHIM_STATE = Path("containerd/io.containerd.runtime.v2.task/k8s.io")


def remember_sysctls(settings: ClusterSettings) -> None:
    """Write down the machine's settings, unless another cluster of ours did before it ran."""
    file = _sysctl_file(settings)
    if not file.exists():
        values = {name: (_PROC_SYS / name).read_text().strip() for name in _SYSCTLS}
        unfinished = file.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(values))
        unfinished.rename(file)


def restore_sysctls(settings: ClusterSettings) -> None:
    """Put the machine's settings back, unless another cluster of ours still runs."""
    file = _sysctl_file(settings)
    homes = (path for path in settings.home.parent.iterdir() if path.is_dir())
    others = (Layout(home) for home in homes if home != settings.home)
    if not file.exists() or any(is_locked(other.supervisor_lock) for other in others):
        return
    for name, value in msgspec.json.decode(file.read_bytes(), type=dict[str, str]).items():
        if name in _SYSCTLS and (_PROC_SYS / name).read_text().strip() != value:
            (_PROC_SYS / name).write_text(value)
    file.unlink()


def remove_shim_sockets(settings: ClusterSettings) -> None:
    """Sockets below /run/containerd/s of shims that could not remove theirs."""
    for address in (settings.layout.run / _SHIM_STATE).glob("*/address"):
        path = Path(address.read_text().strip().removeprefix("unix://"))
        if path.is_relative_to("/run/containerd/s"):
            path.unlink(missing_ok=True)


def remove_written_outside(settings: ClusterSettings) -> None:
    """Log links and CNI results that name this cluster."""
    home = settings.home.resolve()
    for link in _entries(Path("/var/log/containers")):
        if link.is_symlink() and link.readlink().is_relative_to(home):
            link.unlink(missing_ok=True)
    for result in _entries(Path("/var/lib/cni/results")):
        if result.name.startswith(f"{network_name(settings)}-"):
            result.unlink(missing_ok=True)


def remove_dead_device_socket() -> None:
    """The kubelet's socket for device plugins, unless a living kubelet answers there."""
    folder = Path("/var/lib/kubelet/device-plugins")
    address = folder / "kubelet.sock"
    if not address.exists():
        return
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        if client.connect_ex(str(address)) == 0:
            return
    for name in ("kubelet.sock", "kubelet_internal_checkpoint"):
        (folder / name).unlink(missing_ok=True)
    for empty in (folder, folder.parent):
        if not _entries(empty):
            empty.rmdir()


def _sysctl_file(settings: ClusterSettings) -> Path:
    return settings.home.parent / "sysctls.json"


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
