"""Which right a route needs: written beside each route, checked in one place before it answers.

A route without such a mark is refused to everybody, so forgetting it opens nothing.
"""

from typing import Literal

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from appshield.doors.actions import Action
from appshield.errors import DeniedError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.rights.access import EVERYWHERE

_KEY = "right"
PUBLIC_KEY = "public"

Where = Literal["namespace", "cluster", "handler"]


class Right(msgspec.Struct, frozen=True):
    """What a route needs: an action, and where it has to be allowed.

    `namespace`: the one in the path. `cluster`: everywhere. `handler`: the route knows by itself,
    as one that lists only what may be seen, or that has to read a run to know its namespace.
    `told_as` is what the audit calls it where there is no action.
    """

    action: Action | None
    where: Where
    told_as: str = "ask"


def in_namespace(action: Action) -> dict[str, object]:
    """Mark a route that acts in the namespace of its path."""
    return {_KEY: Right(action, "namespace")}


def in_cluster(action: Action) -> dict[str, object]:
    """Mark a route that acts on what belongs to no namespace."""
    return {_KEY: Right(action, "cluster")}


def by_handler(action: Action) -> dict[str, object]:
    """Mark a route that asks `Access` by itself, for whatever it is about to show or do."""
    return {_KEY: Right(action, "handler")}


def anyone() -> dict[str, object]:
    """Mark a route for everybody who is known at all."""
    return {_KEY: Right(None, "handler")}


def public(told_as: str = "ask") -> dict[str, object]:
    """Mark a route that answers to nobody in particular."""
    return {PUBLIC_KEY: True, _KEY: Right(None, "handler", told_as)}


def right_of(handler: BaseRouteHandler) -> Right | None:
    """Return what a route needs; None where that was forgotten."""
    found = handler.opt.get(_KEY)
    return found if isinstance(found, Right) else None


async def check_right(
    connection: ASGIConnection[BaseRouteHandler, Caller, None, State],
    handler: BaseRouteHandler,
) -> None:
    """Let a request go on whose caller may do what the route does.

    Raises:
        DeniedError: they may not.
    """
    right = right_of(handler)
    if right is None:
        raise DeniedError("nobody may do this", why="the route names no right")
    if right.action is None or right.where == "handler":
        return
    backend: Backend = connection.app.state.backend
    namespace = (
        str(connection.path_params["namespace"]) if right.where == "namespace" else EVERYWHERE
    )
    await backend.access.require(connection.user, right.action, namespace)
