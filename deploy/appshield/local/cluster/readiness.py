"""When a local cluster is ready: all components are, and a pod with a volume would run.

The node must have reported itself after its kubelet was started (an older report may be left in
etcd from before a stop), both CSI drivers must be known to it, and the account that pods run with
must exist.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from appshield.errors import DeadlineError, UnavailableError
from appshield.local.cluster.certificates import WEBHOOKS
from appshield.local.cluster.components import IMAGES, OBJECTS
from appshield.local.cluster.locking import is_locked
from appshield.local.cluster.settings import DRIVER, PLAIN_DRIVER, ClusterSettings
from appshield.local.cluster.state import State, is_alive, read_state
from appshield.local.cluster.waiting import Backoff, until

Report = Callable[[str], None]

_DEADLINE_S = 180.0
_LOG_LINES = 3


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What a user of the running cluster needs to know."""

    kubeconfig: Path
    kubelet_root: Path
    """Visible to this machine: `pods/<uid>/volumes/kubernetes.io~csi/<pv>/mount` below it."""
    registry: str
    """host:port for push from this machine and for pulls by the node."""
    registry_hosts: Path
    """The folder in which the node's containerd looks up where registries are."""
    containerd_socket: Path
    host: str
    """This machine, as the node and its API server see it."""
    webhook_certificate: Path
    """What the API server shows when it asks a webhook; nobody else has one that it signs."""
    node_name: str
    pause_image: str
    """By digest, usable in pods; it does nothing until it is told to end."""
    busybox_image: str
    """By digest, usable in pods; a shell and small tools."""


class SupervisorGoneError(UnavailableError):
    """The supervisor ended while somebody waited for what it should start."""


async def wait_for_supervisor(settings: ClusterSettings, *, timeout_s: float) -> None:
    """Return when a supervisor lives. Raises `DeadlineError` with its last words."""

    async def lives() -> bool:
        return is_locked(settings.layout.supervisor_lock)

    try:
        await until(lives, timeout_s=timeout_s)
    except TimeoutError as error:
        raise DeadlineError(
            "the supervisor of the local cluster did not start",
            why=_last_words(settings, "supervisor"),
            next_step=f"Read the logs in {settings.layout.logs}",
        ) from error


async def wait_until_ready(
    settings: ClusterSettings, names: Sequence[str], report: Report
) -> ClusterFacts:
    """Report each component as it becomes ready.

    Raises `DeadlineError` naming what is not, `SupervisorGoneError` when nobody works on it.
    """
    begin = time.monotonic()
    pauses = Backoff(longest_s=0.3)
    state = read_state(settings.layout.state) or State(plan="")
    reported = set(names) - set(unready(state, names, settings.home))
    while True:
        state = read_state(settings.layout.state) or State(plan="")
        waiting = unready(state, names, settings.home)
        for name in names:
            if name not in waiting and name not in reported:
                reported.add(name)
                report(f"  {name} is ready ({time.monotonic() - begin:.1f} s)")
        if not waiting:
            waiting = await _unready_in_cluster(settings, state)
        if not waiting:
            return _facts(settings, state)
        if not is_locked(settings.layout.supervisor_lock):
            raise SupervisorGoneError(
                "the supervisor of the local cluster ended",
                why=_last_words(settings, "supervisor"),
                next_step=f"Read the logs in {settings.layout.logs}",
            )
        if time.monotonic() - begin > _DEADLINE_S:
            raise DeadlineError(
                f"the local cluster was not ready within {_DEADLINE_S:g} s",
                why=f"{waiting[0]} is not: {_last_words(settings, waiting[0])}",
                next_step=f"Read the logs in {settings.layout.logs}",
            )
        await asyncio.sleep(pauses.next_s())


def unready(state: State, names: Sequence[str], home: Path) -> list[str]:
    """Components that do not live or do not answer, and steps that are not done."""
    missing = [name for name in (IMAGES, OBJECTS) if name not in state.steps]
    for name in names:
        component = state.components.get(name)
        if component is None or not component.ready or not is_alive(component, home):
            missing.append(name)
    return missing


async def _unready_in_cluster(settings: ClusterSettings, state: State) -> list[str]:
    """What the API server says is missing."""
    pki, node = settings.layout.pki, settings.label
    trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    trust.load_cert_chain(pki / "storage.crt", pki / "storage.key")
    try:
        async with aiohttp.ClientSession(
            settings.addresses.api_url,
            connector=aiohttp.TCPConnector(ssl=trust),
            timeout=aiohttp.ClientTimeout(total=5),
            raise_for_status=True,
        ) as session:
            found = await _get(session, f"/api/v1/nodes/{node}")
            if not node_is_ready(found, since=state.components["kubelet"].started_at):
                return ["kubelet"]
            drivers = await _get(session, f"/apis/storage.k8s.io/v1/csinodes/{node}")
            if not {DRIVER, PLAIN_DRIVER} <= _drivers(drivers):
                return ["csi-driver"]
            await _get(session, "/api/v1/namespaces/default/serviceaccounts/default")
    except aiohttp.ClientResponseError as error:
        return ["kube-controller-manager" if error.status == 404 else "kube-apiserver"]
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ["kube-apiserver"]
    return []


def node_is_ready(node: dict[str, Any], *, since: float) -> bool:
    """Whether the node says that it is ready, in a report made after `since` (Unix seconds)."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            reported = datetime.fromisoformat(condition["lastHeartbeatTime"])
            # Reports have whole seconds.
            return reported.timestamp() >= int(since)
    return False


async def _get(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with session.get(path) as answer:
        document: dict[str, Any] = await answer.json()
        return document


def _drivers(node: dict[str, Any]) -> set[str]:
    return {driver["name"] for driver in node["spec"].get("drivers") or []}


def _facts(settings: ClusterSettings, state: State) -> ClusterFacts:
    return ClusterFacts(
        kubeconfig=settings.layout.kubeconfig,
        kubelet_root=settings.layout.kubelet,
        registry=settings.addresses.registry,
        registry_hosts=settings.layout.registry_hosts,
        containerd_socket=settings.layout.containerd_socket,
        host=settings.addresses.host,
        webhook_certificate=settings.layout.pki / f"{WEBHOOKS}.crt",
        node_name=settings.label,
        pause_image=state.images["pause"],
        busybox_image=state.images["busybox"],
    )


def _last_words(settings: ClusterSettings, component: str) -> str:
    log = settings.layout.logs / f"{component}.log"
    if not log.exists():
        return "it was not started"
    return " / ".join(log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:])
