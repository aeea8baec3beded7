"""Users of an installation's message bus that somebody has added: their keys and their grants.

A grant stands in the folder of the bus, from which the server's configuration is made, and on the
bus, where the planner looks it up. The folder is what counts: `appshield up` tells it anew.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from appshield.bus import Bus, BusAccess, connect_bus
from appshield.contracts import subjects
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import GRANTS, STATE
from appshield.doors.grants import Grant, checked
from appshield.errors import DeadlineError, DeniedError, RefusedError, UnavailableError
from appshield.local.cluster.locking import locked
from appshield.local.connection import Connection
from appshield.local.embedded.message_bus import EmbeddedBus

_IN_FORCE_WITHIN_S = 30.0
_CONNECT_DEADLINE_S = 10.0
_LOOK_EVERY_S = 0.1
_TURN_WITHIN_S = 120.0


def own_bus(connection: Connection) -> EmbeddedBus:
    """Find the message bus of an installation.

    Raises:
        RefusedError: it was started by somebody else, who says which users it has.
    """
    folder = Path(connection.users_folder).parent
    if not connection.users_folder or not (folder / "address.json").exists():
        raise RefusedError(
            f"the message bus at {connection.nats_url} is not this installation's",
            why="who runs it says in its configuration which users it has",
            next_step="Run `appshield up` without APPSHIELD_NATS_URL, or use the REST API.",
        )
    return EmbeddedBus(folder)


async def add_user(server: EmbeddedBus, grant: Grant) -> BusAccess:
    """Add a user, or change its grant; where the bus runs, it can connect when this returns.

    Raises:
        InvalidInputError: its name, a namespace or a signal is none.
        DeadlineError: the server does not let it in.
    """
    async with _in_turn(server):
        is_new = checked(grant).name not in {one.name for one in server.granted()}
        if server.runs:
            async with _installer(server) as bus:
                await bus.bucket(GRANTS, Grant).put(grant.name, grant)
        access = server.grant(grant)
        if server.runs:
            await _until(access, let_in=True)
            if is_new:  # the server connects an account with what it uses when it knew it before
                server.read_again()
            place = AppRef(cluster=grant.cluster, namespace=grant.namespaces[-1], name="any")
            await _until(access, let_in=True, looks_up=subjects.event("health", "changed", place))
        return access


async def remove_user(server: EmbeddedBus, name: str) -> None:
    """Remove a user; when this returns it is not let in any more, and was put out.

    Raises:
        NotFoundError: no user of that name was added.
        DeadlineError: the server still lets it in.
    """
    async with _in_turn(server):
        server.ensure_added(name)
        if server.runs:
            async with _installer(server) as bus:
                await bus.bucket(GRANTS, Grant).delete(name)
        server.revoke(name)
        if server.runs:
            await _until(server.access(name), let_in=False)
        server.remove_key(name)


async def tell_grants(bus: Bus, grants: Sequence[Grant]) -> None:
    """Let the planner know these grants, and no others."""
    bucket = bus.bucket(GRANTS, Grant)
    for name in set(await bucket.keys()) - {grant.name for grant in grants}:
        await bucket.delete(name)
    for grant in grants:
        await bucket.put(grant.name, grant)


def _in_turn(server: EmbeddedBus) -> AbstractAsyncContextManager[None]:
    """Let one command at a time change users: grant, key and bucket are to say the same."""
    return locked(
        server.users_folder.with_name("bus-user.lock"),
        timeout_s=_TURN_WITHIN_S,
        why="only one at a time may change users of the message bus",
    )


def _installer(server: EmbeddedBus) -> AbstractAsyncContextManager[Bus]:
    access = server.access("installer")
    return connect_bus(access, name="bus users", deadline_s=_CONNECT_DEADLINE_S)


async def _until(access: BusAccess, *, let_in: bool, looks_up: str = "") -> None:
    """Wait until the server has read what it was told; `looks_up` is a fact that it answers for."""
    deadline = asyncio.get_running_loop().time() + _IN_FORCE_WITHIN_S
    while await _is_let_in(access, looks_up) is not let_in:
        if asyncio.get_running_loop().time() > deadline:
            raise DeadlineError(
                f"the message bus does not know yet what became of user {access.user}",
                why=f"nothing has changed within {_IN_FORCE_WITHIN_S:g} s",
                next_step="Start AppShield again; the log of the bus says what is wrong.",
            )
        await asyncio.sleep(_LOOK_EVERY_S)


async def _is_let_in(access: BusAccess, looks_up: str) -> bool | None:
    """Say whether it is; None where the server, which reads what it was told, put it out again."""
    try:
        async with connect_bus(access, name="bus users", deadline_s=_CONNECT_DEADLINE_S) as bus:
            if looks_up:
                await bus.newest(STATE, looks_up)
            return True
    except DeniedError:
        return False
    except UnavailableError:
        return None
