"""The gateway's own certificate, made in memory below the installation's authority and exchanged.

The watcher makes the authority when the first gate is in force, and another one in time; whoever
serves looks for it every little while.
"""

import asyncio
from collections.abc import Callable

import structlog

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import AppShieldError
from appshield.gate import (
    AUTHORITY_SECRET,
    Authority,
    Serving,
    authority_of,
    new_serving,
)
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import SECRET
from appshield.service import Clock, pause

_EVERY_S = 5.0
_FIRST_EVERY_S = 0.5
"""Until there is one at all, the first gated application waits for us."""


class Certifying:
    """Keeps a server with a certificate that the API server trusts."""

    def __init__(
        self, cluster: Cluster, use: Callable[[Serving], None], name: str, clock: Clock
    ) -> None:
        self._cluster = cluster
        self._use = use
        self._name = name
        self._clock = clock
        self._authority: Authority | None = None
        self._serving: Serving | None = None
        self._problem = ""

    async def problems(self) -> str:
        """Say what is wrong, for the readiness of the service."""
        return self._problem

    async def keep(self, stopping: asyncio.Event) -> None:
        """Look for another authority, and for the end of our certificate, until told to stop."""
        while not stopping.is_set():
            try:
                await self.look()
                self._problem = ""
            except AppShieldError as error:
                if str(error) != self._problem:
                    structlog.get_logger().warning("no certificate", problem=str(error))
                self._problem = str(error)
            await pause(stopping, _EVERY_S if self._serving else _FIRST_EVERY_S)

    async def look(self) -> None:
        """Make a certificate where the one in use is worn, or of another authority.

        Raises:
            DeniedError: the Secret may not be read.
            DamagedError: it does not hold an authority.
        """
        secret = await self._cluster.get(SECRET, AUTHORITY_SECRET, SYSTEM_NAMESPACE)
        if secret is None:
            return  # nothing is gated yet
        authority, now = authority_of(secret), self._clock.now()
        if authority == self._authority and self._serving and now < self._serving.worn_at:
            return
        self._serving = new_serving(authority, self._name, now)
        self._authority = authority
        self._use(self._serving)
        structlog.get_logger().info("certificate made", name=self._name)
