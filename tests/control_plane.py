"""A real API server with its etcd and no node: for what nobody does to a cluster that is shared.

It takes 2 s of a processor and 320 MiB, and listens on an address of loopback of its own.

async with control_plane(folder) as plane, plane.connect() as cluster:
    await plane.forget_history()        # watches and pages from before are told so: 410
    async with plane.too_busy_for(kinds.CONFIG_MAP): ...    # turned away: 429
    await plane.kill_api_server()
    await plane.start_api_server()
"""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import yaml

from appshield.errors import AppShieldError
from appshield.kubernetes import BusyError, Cluster, ClusterAccess, Kind, Object, kinds
from appshield.kubernetes.requests import Call
from appshield.local.cluster.building import Parts, ensure_parts
from appshield.local.cluster.certificates import ensure_certificates, kubeconfig
from appshield.local.cluster.settings import ClusterSettings
from waiting import wait_until

User = Literal["admin", "proxy"]
"""An API server is never too busy for its administrators; to the others it may say that it is."""
NO_WATCH_CACHE = "--watch-cache=false"
"""Then history is etcd's: the API server remembers nothing that etcd has forgotten."""
_FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"
_FLOWS = Kind(_FLOW_CONTROL, "v1", "FlowSchema", "flowschemas", namespaced=False)
_LEVELS = Kind(
    _FLOW_CONTROL,
    "v1",
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    namespaced=False,
)
_DEADLINE_S = 120.0
_numbers = itertools.count(1)


class ControlPlane:
    """See the module; made by `control_plane`."""

    def __init__(self, folder: Path, parts: Parts, flags: tuple[str, ...]) -> None:
        self._settings = ClusterSettings(home=folder, cache=folder, name="plane")
        self._parts = parts
        self._flags = flags
        self._etcd_url = f"http://{_address()}:2379"
        self._host = _address()
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """Start both, from nothing."""
        ensure_certificates(self._settings)
        peer = self._etcd_url.replace("2379", "2380")
        await self._run(
            "etcd",
            "--name=node",
            f"--data-dir={self._settings.layout.etcd}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=node={peer}",
            "--unsafe-no-fsync",
        )
        await self.start_api_server()

    async def start_api_server(self) -> None:
        """Start the API server; return when it is ready."""
        pki = self._settings.layout.pki
        await self._run(
            "kube-apiserver",
            f"--bind-address={self._host}",
            "--advertise-address=192.0.2.1",  # told to nobody: there are no nodes
            "--endpoint-reconciler-type=none",
            f"--etcd-servers={self._etcd_url}",
            "--service-cluster-ip-range=192.0.2.128/25",
            "--authorization-mode=AlwaysAllow",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/tokens.pub",
            f"--service-account-signing-key-file={pki}/tokens.key",
            *self._flags,
        )
        await wait_until(self._answers, deadline_s=_DEADLINE_S, what="an API server that answers")

    async def kill_api_server(self) -> None:
        """End it as a crash does: nobody is told."""
        process = self._processes.pop("kube-apiserver")
        process.kill()
        await process.wait()

    async def end(self) -> None:
        """End both."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            await process.wait()

    @asynccontextmanager
    async def connect(self, user: User = "admin") -> AsyncIterator[Cluster]:
        """Connect to it as somebody."""
        async with Cluster.connect(self.access(user)) as cluster:
            yield cluster

    def access(self, user: User = "admin") -> ClusterAccess:
        """Return how somebody comes in; the kubeconfig is written beside everything else."""
        layout = self._settings.layout
        document: dict[str, Any] = yaml.safe_load(kubeconfig(self._settings, layout.pki, user))
        cluster = document["clusters"][0]["cluster"]
        cluster |= {"server": f"https://{self._host}:6443", "tls-server-name": "localhost"}
        path = layout.pki / f"{user}-of-plane.kubeconfig"
        path.write_text(json.dumps(document))
        return ClusterAccess(kubeconfig=str(path))

    async def forget_history(self) -> None:
        """Let etcd forget all versions of objects but the present ones."""
        async with aiohttp.ClientSession(self._etcd_url, raise_for_status=True) as etcd:
            async with etcd.post("/v3/maintenance/status", json={}) as answer:
                revision = (await answer.json())["header"]["revision"]
            async with etcd.post("/v3/kv/compaction", json={"revision": revision}):
                pass

    @asynccontextmanager
    async def too_busy_for(self, kind: Kind) -> AsyncIterator[None]:
        """Let it turn away whoever is no administrator and asks for a kind, for the block.

        That is done by its priority and fairness: a level that has no seat, and no queue. It lets
        one request in all the same; whose body never ends takes that place.
        """
        name = f"busy-{next(_numbers)}"
        limits = {
            "nominalConcurrencyShares": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        }
        level: Object = {
            "apiVersion": _LEVELS.api_version,
            "kind": _LEVELS.kind,
            "metadata": {"name": name},
            "spec": {"type": "Limited", "limited": limits},
        }
        asked = {
            "verbs": ["*"],
            "apiGroups": [kind.group],
            "resources": [kind.plural],
            "namespaces": ["*"],
            "clusterScope": True,
        }
        everybody = {"kind": "Group", "group": {"name": "system:authenticated"}}
        flow: Object = {
            "apiVersion": _FLOWS.api_version,
            "kind": _FLOWS.kind,
            "metadata": {"name": name},
            "spec": {
                "matchingPrecedence": 2,
                "priorityLevelConfiguration": {"name": name},
                "rules": [{"subjects": [everybody], "resourceRules": [asked]}],
            },
        }
        taking: list[asyncio.Task[None]] = []
        async with self.connect() as cluster, self.connect("proxy") as turned_away:
            await cluster.create(_LEVELS, level)
            await cluster.create(_FLOWS, flow)

            async def turns_away() -> bool:
                taking.append(asyncio.create_task(_never_end(turned_away, kind)))
                return await _is_turned_away(turned_away, kind)

            try:
                await wait_until(turns_away, deadline_s=_DEADLINE_S, what="too busy", every_s=0.5)
                yield
            finally:
                for task in taking:
                    task.cancel()
                await asyncio.gather(*taking, return_exceptions=True)
                await cluster.delete(_FLOWS, name)
                await cluster.delete(_LEVELS, name)

    async def _answers(self) -> bool:
        ended = self._processes["kube-apiserver"].returncode
        assert ended is None, f"the API server has ended: see {self._settings.home}"
        try:
            async with self.connect() as cluster:
                return await cluster.get(kinds.NAMESPACE, "default") is not None
        except AppShieldError:
            return False

    async def _run(self, name: str, *arguments: str) -> None:
        with (self._settings.home / f"{name}.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL"),
                str(self._parts.program(name)),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


async def _never_end(cluster: Cluster, kind: Kind) -> None:
    """Send an object whose end does not come."""

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    connection = cluster.requests.connection
    url = f"{connection.server}{kind.path('default')}"
    headers = {"Content-Type": "application/json"}
    async with connection.session.post(url, data=body(), headers=headers, **connection.route()):
        pass


async def _is_turned_away(cluster: Cluster, kind: Kind) -> bool:
    once = Call(method="GET", path=kind.path(), doing=f"list {kind.resource}", attempts=1)
    try:
        await cluster.requests.send(once)
    except BusyError:
        return True
    return False


def _address() -> str:
    """Name an address of loopback that is this process's own, so that ports need no choosing."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16) % 64}.{(pid >> 8) % 256}.{pid % 256}"


@asynccontextmanager
async def control_plane(folder: Path, *flags: str) -> AsyncIterator[ControlPlane]:
    """Run both for the time of the block; one at a time in a process."""
    cache = ClusterSettings.from_environment(os.environ).cache
    made = ControlPlane(folder, await ensure_parts(cache, os.environ, print), flags)
    try:
        await made.start()
        yield made
    finally:
        await made.end()
