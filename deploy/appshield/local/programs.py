"""The services as programs: what each is told in its environment. Pure.

Each runs as `python -m appshield.<service>` and knows nothing but its settings.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from appshield.bus import BusAccess


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the services of an installation have in common.

    With a `node`, its volumes can be reached below `kubelet_root` on this machine.
    """

    cluster: str
    kubeconfig: str
    context: str
    node: str
    kubelet_root: str
    holder_image: str
    registry_hosts: str = ""
    log_level: str = "info"


SERVICES: Sequence[str] = ("watcher", "planner", "snapshotter", "uploader", "restorer", "gateway")
_WITH_CLUSTER = frozenset({"watcher", "snapshotter", "uploader", "restorer"})
_WITH_NODE = frozenset({"uploader", "restorer"})
_WITH_HOLDERS = frozenset({"snapshotter", "restorer"})
_NICENESS = "5"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "PYTHONPATH")


def command_of(service: str) -> list[str]:
    """Write the command line of a service.

    The kernel asks it to stop when its keeper dies, and lets the applications that it protects go
    first when they want the processors of this machine at the same time.
    """
    keeping = ("setpriv", "--pdeathsig", "TERM", "nice", "-n", _NICENESS)
    return [*keeping, sys.executable, "-m", f"appshield.{service}"]


def environment_of(
    service: str, *, bus: BusAccess, surroundings: Surroundings, ours: Mapping[str, str]
) -> dict[str, str]:
    """Write the whole environment of a service."""
    settings = {
        "NATS_URL": bus.url,
        "NATS_SEED_FILE": bus.seed_file,
        "CLUSTER": surroundings.cluster,
        "LOG_LEVEL": surroundings.log_level,
    }
    if service in _WITH_CLUSTER:
        settings["KUBECONFIG"] = surroundings.kubeconfig
        settings["CONTEXT"] = surroundings.context
    if service in _WITH_NODE:
        settings["NODE"] = surroundings.node
        settings["KUBELET_ROOT"] = surroundings.kubelet_root
        settings["REGISTRY_HOSTS"] = surroundings.registry_hosts
    if service in _WITH_HOLDERS and surroundings.holder_image:
        settings["HOLDER_IMAGE"] = surroundings.holder_image
    environment = {name: ours[name] for name in _KEPT if name in ours}
    for name, value in settings.items():
        if value:
            environment[f"APPSHIELD_{service.upper()}_{name}"] = value
    return environment


def pid_file(folder: Path, service: str) -> Path:
    """Name the file that holds a running service's process id."""
    return folder / f"{service}.pid"
