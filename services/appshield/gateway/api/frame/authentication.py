"""Recognizing callers: the middleware that stands before every route that is not public."""

from http.cookies import CookieError, SimpleCookie
from typing import TypeAlias, TypeVar

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import OWN_HEADER, Caller, Credentials

_BEARER = "bearer "
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})

H = TypeVar("H")
Connection: TypeAlias = ASGIConnection[H, object, object, State]


class Recognizing(AbstractAuthenticationMiddleware):
    """Puts the caller on the request, or ends it with 401."""

    async def authenticate_request(self, connection: Connection[object]) -> AuthenticationResult:
        """Recognize who asks.

        Raises:
            UnauthenticatedError: nobody who is known.
        """
        backend: Backend = connection.app.state.backend
        caller = await backend.authenticator.caller(credentials_of(connection))
        return AuthenticationResult(user=caller, auth=None)


def caller_of(request: Request[Caller, None, State]) -> Caller:
    """Return who asks, for routes."""
    return request.user


def credentials_of(connection: Connection[H]) -> Credentials:
    """Collect what says who asks."""
    header = connection.headers.get("Authorization", "")
    bearer = header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else ""
    return Credentials(
        bearer=bearer,
        session=session_of(connection),
        address=address_of(connection),
        changes=connection.scope.get("method") in _CHANGING,
        own_header=OWN_HEADER in connection.headers,
    )


def session_of(connection: Connection[H]) -> str:
    """Return the name of the session that came along; empty without."""
    try:
        morsel = SimpleCookie(connection.headers.get("Cookie", "")).get(cookie_of(connection))
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def cookie_of(connection: Connection[H]) -> str:
    """Name the cookie of sessions: browsers keep one set for all ports of a machine."""
    server = connection.scope.get("server")
    return f"appshield-session-{server[1] if server else 0}"


def address_of(connection: Connection[H]) -> str:
    """Return where a request came from."""
    return connection.client.host if connection.client else ""
