"""The account of node agents in the cluster, and how they show that they are it.

agents/kubeconfig    the cluster that `appshield up` works against, with the token beside it
agents/token         a token of the account, renewed long before it ends
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import yaml

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.doors.agent_role import AGENT, agent_objects
from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster, ClusterAccess, with_token_file
from appshield.kubernetes.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, SERVICE_ACCOUNT
from appshield.kubernetes.requests import Call
from appshield.local.embedded.private_file import write_private_bytes
from appshield.local.system_namespace import ensure_system_namespace
from appshield.service import pause

TOKEN_LIVES_S = 3600
_LEAST_PAUSE_S = 10.0


class AgentAccount:
    """The account, with its files in `folder`."""

    def __init__(self, access: ClusterAccess, folder: Path) -> None:
        self._access = access
        self._folder = folder

    @property
    def kubeconfig(self) -> Path:
        """How agents reach the cluster."""
        return self._folder / "kubeconfig"

    async def install(self) -> None:
        """Make the account with its rights, and the files by which agents are it."""
        async with Cluster.connect(self._access) as cluster:
            await ensure_system_namespace(cluster)
            kinds = (SERVICE_ACCOUNT, CLUSTER_ROLE, CLUSTER_ROLE_BINDING)
            for kind, obj in zip(kinds, agent_objects(), strict=True):
                await cluster.apply(kind, obj)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            await self._renew(cluster)
        document = await asyncio.to_thread(with_token_file, self._access, self._folder / "token")
        write_private_bytes(self.kubeconfig, yaml.safe_dump(document).encode())

    async def keep(self, stopping: asyncio.Event, report: Callable[[str], None]) -> None:
        """Renew the token until told to stop; one that cannot be renewed is tried again soon."""
        async with Cluster.connect(self._access) as cluster:
            lasts_s = float(TOKEN_LIVES_S)
            while not stopping.is_set():
                await pause(stopping, max(lasts_s / 3, _LEAST_PAUSE_S))
                if stopping.is_set():
                    return
                try:
                    lasts_s = await self._renew(cluster)
                except AppShieldError as error:
                    report(f"the token of node agents was not renewed: {error}")
                    lasts_s = 0.0

    async def _renew(self, cluster: Cluster) -> float:
        """Write a new token; return for how many seconds it lasts."""
        call = Call(
            method="POST",
            path=SERVICE_ACCOUNT.path(SYSTEM_NAMESPACE, AGENT, "token"),
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_LIVES_S},
            },
            doing="ask for a token of node agents",
            confidential=True,
        )
        status = (await cluster.requests.send(call))["status"]
        write_private_bytes(self._folder / "token", str(status["token"]).encode())
        ends_at = datetime.fromisoformat(status["expirationTimestamp"])
        return max(0.0, (ends_at - datetime.now(UTC)).total_seconds())
