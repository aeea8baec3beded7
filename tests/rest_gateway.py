"""The REST API as a process of its own, over a real bus: to be killed, and to be measured.

    python tests/rest_gateway.py URL SEED_FILE PORT

A token is the name of its caller: `admin…` may everything, `in-NAMESPACE` everything there.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from appshield.bus import Bus, BusAccess, connect_bus
from appshield.gateway.api.application import api
from appshield.gateway.api.frame.callers import Caller, Credentials, UnauthenticatedError
from appshield.gateway.api.known.progress import HeardProgress
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.listeners import Feed
from appshield.gateway.serving import Server
from appshield.kubernetes import Actor
from appshield.language.kinds import GROUP
from appshield.rights.access import Access
from appshield.service import SystemClock
from rest_api import CLUSTER, rest_backend

HOST = "127.0.0.1"


class TokensAsNames:
    """Takes every token for the name of its caller."""

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is."""
        if not credentials.bearer:
            raise UnauthenticatedError("nobody is logged in")
        return Caller(name=credentials.bearer, address=credentials.address)


class RightsByName:
    """Gives everything to `admin…`, and to `in-NAMESPACE` everything there."""

    async def allows(
        self,
        caller: Actor,
        verb: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        group: str = GROUP,
    ) -> bool:
        """Say whether a caller has a right."""
        return caller.name.startswith("admin") or caller.name == f"in-{namespace}"


@asynccontextmanager
async def serving(bus: Bus, listening: socket.socket) -> AsyncIterator[None]:
    """Serve the API for the time of the block."""
    access, clock, views = Access(RightsByName()), SystemClock(), WatchedViews(bus)
    feed, progress = Feed(views, access, clock, CLUSTER), HeardProgress(clock)
    backend = replace(
        rest_backend(bus),
        views=views,
        access=access,
        authenticator=TokensAsNames(),
        feed=feed,
        progress=progress,
    )
    server, stopping = Server(api(backend, "0.0.0"), listening), asyncio.Event()
    with views.heard_by(feed), progress.heard_by(feed.progressed):
        work = (
            views.keep(stopping),
            progress.keep(bus, stopping),
            feed.keep(stopping),
            server.serve_until(stopping),
        )
        running = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*running)


async def main(url: str, seed_file: str, port: int) -> None:
    """Serve until told to stop."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    access = BusAccess(url=url, user="gateway", seed_file=seed_file)
    async with (
        connect_bus(access, name="rest-gateway") as bus,
        serving(bus, socket.create_server((HOST, port))),
    ):
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
