"""A parameter that a route does not know is an error: a misspelt filter would show everything.

Routes for everybody, such as the way back from an OpenID provider, take what they are sent.
"""

import difflib
from collections.abc import Mapping

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.rights import PUBLIC_KEY

_Known = Mapping[str, frozenset[str]]
_SHOWN_CHARACTERS_MAX = 80


class KnownParameters:
    """Guards all routes; learns from the API's own description what each of them takes."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def __call__(
        self,
        connection: ASGIConnection[BaseRouteHandler, Caller, None, State],
        handler: BaseRouteHandler,
    ) -> None:
        """Let a request go on whose parameters the route knows.

        Raises:
            InvalidInputError: it does not know one of them.
        """
        if not connection.query_params or handler.opt.get(PUBLIC_KEY):
            return
        if self._known is None:
            self._known = _described(connection.app)
        known = self._known.get(handler.handler_name)
        if known is None:  # a page that is no part of the API, as its description
            return
        for name in connection.query_params:
            if name not in known:
                raise _unknown(name[:_SHOWN_CHARACTERS_MAX], sorted(known))


def _described(application: Litestar) -> _Known:
    """Read which parameters the operations take, by the names of their functions."""
    return {
        operation.operation_id or "": frozenset(
            one["name"]
            for one in operation.to_schema().get("parameters", ())
            if one["in"] == "query"
        )
        for path in (application.openapi_schema.paths or {}).values()
        for operation in (path.get, path.put, path.post, path.delete, path.patch)
        if operation is not None
    }


def _unknown(name: str, known: list[str]) -> InvalidInputError:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"Did you mean `{near[0]}`? " if near else ""
    takes = f"It takes {', '.join(known)}." if known else "It takes none."
    return InvalidInputError(f"there is no parameter `{name}` here", next_step=f"{meant}{takes}")
