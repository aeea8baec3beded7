"""The services as programs: what each is told in its environment. Pure.

Each knows nothing but its settings, and runs alone as `python -m appshield.<service>` too. Agents
of a node are services that are told a node, with an account of their own in the cluster.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from appshield.bus import BusAccess
from appshield.contracts.agents import agent_user


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the services of an installation have in common.

    With a `node`, its volumes can be reached below `kubelet_root` on this machine, by agents that
    reach the cluster as `agents_kubeconfig` says; with a `gate_host`, the API server reaches the
    gateway there, on `gate_port`, with a certificate that `gate_client_ca_file` has signed. People
    reach it on `web_port`, with login links that are made in `login_folder`.
    """

    cluster: str
    kubeconfig: str
    context: str
    node: str
    kubelet_root: str
    holder_image: str
    agents_kubeconfig: str = ""
    registry_hosts: str = ""
    gate_host: str = ""
    gate_port: int = 0
    gate_client_ca_file: str = ""
    web_port: int = 0
    login_folder: str = ""
    log_level: str = "info"


NICENESS = 5
"""The applications that AppShield protects go first on a machine that they share with it."""

SERVICES: Sequence[str] = ("watcher", "planner", "snapshotter", "uploader", "restorer", "gateway")
NODE_AGENTS: Sequence[str] = (agent_user("uploader"), agent_user("restorer"))
_WITH_CLUSTER = frozenset({"watcher", "snapshotter", "uploader", "restorer", "gateway"})
_WITH_GATE = frozenset({"watcher", "gateway"})
_WITH_REGISTRIES = frozenset({"uploader", "restorer"})
_WITH_HOLDERS = frozenset({"snapshotter", "restorer"})
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "PYTHONPATH")


def command_of_parent(control: int) -> list[str]:
    """Write the command line of what forks services; the kernel ends it with its keeper."""
    return [
        "setpriv",
        "--pdeathsig",
        "TERM",
        sys.executable,
        "-m",
        "appshield.local.forking",
        str(control),
    ]


def environment_of_parent(ours: Mapping[str, str]) -> dict[str, str]:
    """Write the environment of the process that forks services."""
    return {name: ours[name] for name in _KEPT if name in ours}


def programs_of(node: str) -> Sequence[str]:
    """List what runs on a machine: the services, and the agents of its node, if it has one."""
    return (*SERVICES, *NODE_AGENTS) if node else SERVICES


def service_of(program: str) -> str:
    """Name the service that a program is, or is an agent of."""
    return program.removesuffix("-agent")


def environment_of(
    service: str, *, bus: BusAccess, surroundings: Surroundings, ours: Mapping[str, str]
) -> dict[str, str]:
    """Write the whole environment of a service; settings of it that a person made go along.

    They count for its agents, too, where two processes can have the same.
    """
    settings = {
        "NATS_URL": bus.url,
        "NATS_SEED_FILE": bus.seed_file,
        "CLUSTER": surroundings.cluster,
        "LOG_LEVEL": surroundings.log_level,
    }
    if service in _WITH_CLUSTER:
        settings["KUBECONFIG"] = surroundings.kubeconfig
        settings["CONTEXT"] = surroundings.context
    if service in NODE_AGENTS:
        settings["KUBECONFIG"] = surroundings.agents_kubeconfig
        settings["NODE"] = surroundings.node
        settings["KUBELET_ROOT"] = surroundings.kubelet_root
    if service in _WITH_REGISTRIES:
        settings["REGISTRY_HOSTS"] = surroundings.registry_hosts
    if service in _WITH_HOLDERS and surroundings.holder_image:
        settings["HOLDER_IMAGE"] = surroundings.holder_image
    if service in _WITH_GATE and surroundings.gate_host:
        settings["GATE_AT"] = f"https://{surroundings.gate_host}:{surroundings.gate_port}"
    if service == "gateway":
        settings["GATE_HOST"] = surroundings.gate_host
        settings["GATE_CLIENT_CA_FILE"] = surroundings.gate_client_ca_file
        settings["HTTP_PORT"] = str(surroundings.web_port or "")
        settings["LOGIN_FOLDER"] = surroundings.login_folder
        if bus.seed_file:
            operator = Path(bus.seed_file).with_name("operator.nk")
            settings["OPERATOR_SEED_FILE"] = str(operator)
    begins = f"APPSHIELD_{service_of(service).upper()}_"
    ruled = {f"{begins}NODE", *([f"{begins}HEALTH_PORT"] if service in NODE_AGENTS else ())}
    of_person = {
        name: value for name, value in ours.items() if name.startswith(begins) and name not in ruled
    }
    made = {f"{begins}{name}": value for name, value in settings.items() if value}
    return {**environment_of_parent(ours), **of_person, **made}


def pid_file(folder: Path, service: str) -> Path:
    """Name the file that holds a running service's process id."""
    return folder / f"{service}.pid"
