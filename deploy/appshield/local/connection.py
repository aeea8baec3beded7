"""How to reach an installation: written by `appshield up`, read by every other command.

The environment goes first: `APPSHIELD_NATS_URL` with `APPSHIELD_NATS_SEED_FILE`, `KUBECONFIG`,
`APPSHIELD_CONTEXT`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from appshield.bus import BusAccess
from appshield.errors import NotFoundError
from appshield.local.embedded.private_file import read_private, write_private
from appshield.local.home import Home

if TYPE_CHECKING:  # the command line starts without it
    from appshield.kubernetes import ClusterAccess


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Where bus, cluster and web interface are, and the cluster's name on the bus."""

    nats_url: str
    users_folder: str
    kubeconfig: str
    context: str
    cluster: str
    web: str = ""

    def bus(self, user: str) -> BusAccess:
        """Say how to reach the bus as one of its users."""
        seed = Path(self.users_folder) / f"{user}.nk" if self.users_folder else None
        return BusAccess(url=self.nats_url, user=user, seed_file=str(seed or ""))

    def kubernetes(self) -> "ClusterAccess":
        """Say how to reach the cluster."""
        from appshield.kubernetes import ClusterAccess

        return ClusterAccess(kubeconfig=self.kubeconfig, context=self.context)


def read_connection(home: Home) -> Connection:
    """Read how to reach the installation of this home.

    Raises:
        NotFoundError: AppShield was never brought up here.
    """
    found = read_private(home.connection, Connection)
    if found is None:
        raise NotFoundError(
            "AppShield does not run here",
            why=f"there is no {home.connection}",
            next_step="Run `appshield up`, or set APPSHIELD_NATS_URL.",
        )
    return found


def write_connection(home: Home, connection: Connection) -> None:
    """Tell every other command how to reach this installation."""
    write_private(home.connection, connection)


def bus_access(home: Home, environment: Mapping[str, str], user: str) -> BusAccess:
    """Say how a command reaches the bus: the environment goes first.

    Raises:
        NotFoundError: neither the environment nor an installation says so.
    """
    url = environment.get("APPSHIELD_NATS_URL", "")
    if url:
        seed = environment.get("APPSHIELD_NATS_SEED_FILE", "")
        return BusAccess(url=url, user=user, seed_file=seed)
    return read_connection(home).bus(user)
