"""What one local cluster leaves visible on the machine, from the outside."""

import subprocess
from pathlib import Path

from appshield.local.cluster import ClusterSettings
from appshield.local.cluster.configuration import network_name


def traces(settings: ClusterSettings) -> list[str]:
    """Every process, mount, link, route, namespace, cgroup, loop device and file of it."""
    return [
        *_processes(settings),
        *(f"mount {line}" for line in _lines("/proc/mounts") if str(settings.home) in line),
        *(f"mount {line}" for line in _lines("/proc/mounts") if f"/{settings.label} " in line),
        *(f"link {line}" for line in _ran("ip", "-o", "link") if f"{settings.host_link}@" in line),
        *(f"route {line}" for line in _ran("ip", "route") if f" {settings.host_link} " in line),
        *(f"netns {line}" for line in _ran("ip", "netns") if line.split()[0] == settings.label),
        *(f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{settings.label}")),
        *(f"loop {line}" for line in _ran("losetup", "-a") if str(settings.home) in line),
        *_files(settings),
    ]


def firewall() -> list[str]:
    """The rules of the machine's own network that look like Kubernetes made them."""
    return [line for line in _ran("iptables-save") if "KUBE" in line or "CNI" in line]


def _processes(settings: ClusterSettings) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            groups = (folder / "cgroup").read_text()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        ours = str(settings.home) in command or f":/{settings.label}/" in groups
        if ours and state != "Z":
            found.append(f"process {folder.name} {command}")
    return found


def _files(settings: ClusterSettings) -> list[str]:
    results = Path("/var/lib/cni/results").glob(f"{network_name(settings)}-*")
    logs = Path("/var/log/containers").glob("*")
    links = (link for link in logs if _target(link).startswith(str(settings.home)))
    run = [settings.layout.run] if settings.layout.run.exists() else []
    return [f"file {path}" for path in (*results, *links, *run)]


def _target(link: Path) -> str:
    """Return where a link leads; nowhere if the pod of another cluster is gone meanwhile."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()


def _ran(*argv: str) -> list[str]:
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if line]
