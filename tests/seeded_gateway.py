"""A gateway over a real bus that holds a team's applications, for tests of the web interface.

Who comes with the session cookie `NAME` is NAME; `ann` may do everything, `ben` may only look.
"""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from litestar import Litestar
from litestar.types import ASGIApp

from appshield.bus import Bus, connect_bus
from appshield.doors.actions import ACTIONS
from appshield.gateway.api.application import api
from appshield.gateway.api.frame.callers import Caller, Credentials, UnauthenticatedError
from appshield.gateway.api.frame.logins import LoginMethods, Session
from appshield.gateway.api.known.progress import HeardProgress
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.listeners import Feed
from appshield.gateway.serving import Server
from appshield.gateway.website import Website
from appshield.kubernetes import Cluster
from appshield.local.embedded.process import LOOPBACK
from appshield.rights.access import EVERYWHERE, Access
from appshield.service import SystemClock
from appshield.vault import VaultAccess
from embedded_bus import running_bus
from fake_kubernetes import FakeKubernetes
from rest_api import CLUSTER, NoLogins, RightsByTable, no_vault, rest_backend
from seeded_audit import seed_audit
from seeded_bus import seed_bus
from seeded_cluster import seed_cluster

Vaults = Callable[[str], Awaitable[VaultAccess]]
EVERYTHING, LOOKING = "ann", "ben"
_RIGHTS = {
    EVERYTHING: frozenset(
        [
            *((one.verb, one.resource, EVERYWHERE) for one in ACTIONS),
            *((verb, "*.*", EVERYWHERE) for verb in ("create", "update")),
        ]
    ),
    LOOKING: frozenset(
        (one.verb, one.resource, EVERYWHERE) for one in ACTIONS if one.role == "viewer"
    ),
}


class SessionsByName(NoLogins):
    """Begins a session for a login code that is a name, and takes sessions for their callers."""

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is."""
        if credentials.session not in _RIGHTS:
            raise UnauthenticatedError("nobody is signed in", next_step="Sign in.")
        return Caller(name=credentials.session, how="session", address=credentials.address)

    def methods(self) -> LoginMethods:
        """Offer login links, and a provider."""
        return LoginMethods(login_link=True, provider="Example ID")

    async def recognize(self, *, code: str, bearer: str, address: str) -> Session:
        """Say who that is."""
        if code not in _RIGHTS:
            raise UnauthenticatedError(
                "the login link is not accepted",
                why="it was used already, or is too old",
                next_step="`appshield web` makes a new one.",
            )
        return Session(caller=Caller(name=code, how="session", address=address))

    async def begin(self, session: Session) -> str:
        """Begin a session."""
        return session.caller.name

    async def end(self, name: str) -> Session | None:
        """Forget nothing, as nothing is kept."""
        return None


@dataclass(frozen=True, slots=True)
class SeededGateway:
    """Where the gateway is, its bus, and the cluster that it asks."""

    url: str
    bus: Bus
    cluster: FakeKubernetes


@asynccontextmanager
async def running_seeded_gateway(
    website: Path, folder: Path, vaults: Vaults = no_vault
) -> AsyncIterator[SeededGateway]:
    """Run one for the time of the block, with a bus in the folder, and Vaults that are there."""
    async with (
        running_bus(folder) as server,
        connect_bus(server.access("tester"), name="tests") as bus,
        FakeKubernetes() as fake,
        fake.cluster() as cluster,
    ):
        await bus.ensure_topology()
        await seed_bus(bus, datetime.now(UTC))
        await seed_audit(bus, datetime.now(UTC))
        seed_cluster(fake)
        async with (
            _api_over(bus, cluster, vaults) as application,
            serving(Website(application, website)) as url,
        ):
            yield SeededGateway(url, bus, fake)


@asynccontextmanager
async def _api_over(bus: Bus, cluster: Cluster, vaults: Vaults) -> AsyncIterator[Litestar]:
    """Build the API with what it follows, as the service does."""
    access, clock, stopping = Access(RightsByTable(_RIGHTS)), SystemClock(), asyncio.Event()
    views, progress = WatchedViews(bus), HeardProgress(clock)
    feed = Feed(views, access, clock, CLUSTER)
    backend = dataclasses.replace(
        rest_backend(bus, cluster=cluster, vaults=vaults),
        views=views,
        access=access,
        authenticator=SessionsByName(),
        logins=SessionsByName(),
        feed=feed,
        progress=progress,
    )
    with views.heard_by(feed), progress.heard_by(feed.progressed):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(views.keep(stopping))
            tasks.create_task(progress.keep(bus, stopping))
            tasks.create_task(feed.keep(stopping))
            yield api(backend, "0.0.0")
            stopping.set()


@asynccontextmanager
async def serving(application: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on a free port for the time of the block; yield its address."""
    server, stopping = Server(application, socket.create_server((LOOPBACK, 0))), asyncio.Event()
    running = asyncio.create_task(server.serve_until(stopping))
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        stopping.set()
        await running
