"""Recognizing callers: the middleware that stands before every route that is not public."""

from http.cookies import CookieError, SimpleCookie

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from appshield.gateway.api.backend import Backend
from appshield.gateway.api.callers import Caller, Credentials

SESSION_COOKIE = "appshield-session"
_BEARER = "bearer "

AnyConnection = ASGIConnection[object, object, object, State]


class Recognizing(AbstractAuthenticationMiddleware):
    """Puts the caller on the request, or ends it with 401."""

    async def authenticate_request(self, connection: AnyConnection) -> AuthenticationResult:
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


def credentials_of(connection: AnyConnection) -> Credentials:
    """Collect what says who asks."""
    header = connection.headers.get("Authorization", "")
    bearer = header[len(_BEARER) :].strip() if header.lower().startswith(_BEARER) else ""
    try:
        morsel = SimpleCookie(connection.headers.get("Cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        morsel = None
    client = connection.client
    return Credentials(
        bearer=bearer,
        session=morsel.value if morsel else "",
        address=client.host if client else "",
    )
