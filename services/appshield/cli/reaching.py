"""How commands reach bus and cluster: the environment goes first, then this installation."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appshield.bus import Bus, connect_bus
from appshield.cli.output import quiet_logs
from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS
from appshield.doors.asking import Asker
from appshield.doors.requesting import asker_here
from appshield.errors import InvalidInputError, UnavailableError
from appshield.local.connection import bus_access, read_connection
from appshield.local.home import Home

if TYPE_CHECKING:  # imported where it is used: most commands do without
    from appshield.kubernetes import Cluster, ClusterAccess

PERSON = "person"
OPERATOR = "operator"

_CONNECT_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What a command knows about where it runs."""

    home: Home
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def here(cls) -> "Reach":
        """Take the environment of this process."""
        quiet_logs()
        environment = dict(os.environ)
        return cls(Home.from_environment(environment), environment)

    @asynccontextmanager
    async def bus(self, user: str = PERSON) -> AsyncIterator[Bus]:
        """Connect to the bus as a user.

        Raises:
            NotFoundError: there is no installation here and the environment names none.
            UnavailableError: it does not run.
            DeniedError: the user's key is not accepted.
        """
        access = bus_access(self.home, self.environment, user)
        connecting = connect_bus(access, name="appshield", deadline_s=_CONNECT_DEADLINE_S)
        async with AsyncExitStack() as stack:
            try:
                connected = await stack.enter_async_context(connecting)
            except UnavailableError as error:
                if self.environment.get("APPSHIELD_NATS_URL"):
                    raise
                raise UnavailableError(
                    error.what, why=error.why, next_step="Start it with `appshield up`."
                ) from error
            yield connected

    @asynccontextmanager
    async def cluster(self) -> AsyncIterator["Cluster"]:
        """Connect to the cluster that the environment or the installation names."""
        from appshield.kubernetes import Cluster

        async with Cluster.connect(self.cluster_access()) as connected:
            yield connected

    def cluster_access(self) -> "ClusterAccess":
        """Say which cluster that is.

        Raises:
            NotFoundError: nothing names a cluster.
        """
        from appshield.kubernetes import ClusterAccess

        kubeconfig = self.environment.get("KUBECONFIG", "")
        context = self.environment.get("APPSHIELD_CONTEXT", "")
        if kubeconfig or context:
            return ClusterAccess(kubeconfig=kubeconfig, context=context)
        return read_connection(self.home).kubernetes()

    async def asker(self, bus: Bus) -> Asker:
        """Say who asks for something now; raises as `cluster_name`."""
        return asker_here(await self.cluster_name(bus))

    async def cluster_name(self, bus: Bus) -> str:
        """Find the name under which the cluster of this installation is known on the bus.

        Raises:
            UnavailableError: the bus is one that the environment names, and no service runs there.
            InvalidInputError: it serves several clusters.
        """
        if not self.environment.get("APPSHIELD_NATS_URL"):
            return read_connection(self.home).cluster
        if named := self.environment.get("APPSHIELD_CLUSTER", ""):
            return named
        agents = [entry.value async for entry in bus.bucket(AGENTS, Agent).items()]
        names = sorted({agent.cluster for agent in agents})
        if not names:
            raise UnavailableError(
                "the cluster's name on the bus is not known",
                why="no service of AppShield runs there at the moment",
                next_step="Start the services, or set APPSHIELD_CLUSTER.",
            )
        if len(names) > 1:
            raise InvalidInputError(
                "the bus serves several clusters",
                why=", ".join(names),
                next_step="Set APPSHIELD_CLUSTER to the one that is meant.",
            )
        return names[0]
