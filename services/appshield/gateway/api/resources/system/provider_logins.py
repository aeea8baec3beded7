"""Logging in at an OpenID provider: a browser leaves for it, and comes back with a session.

    page ─► /session/oidc ─► the provider ─► /session/oidc/callback ─► a hop ─► page

The cookie of a session is SameSite=Strict: browsers do not send it with what follows from another
site, redirects included. So the way back ends in a small page of our own that goes on by itself:
what it asks for comes from here. The cookie with which a browser leaves has to come back from the
other site; it is SameSite=Lax, lives for minutes, and is good for this one login.
"""

import base64
import binascii
import re
from html import escape
from typing import Annotated
from urllib.parse import quote

from litestar import Response, get
from litestar.datastructures import Cookie
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from appshield.errors import AppShieldError, UnavailableError
from appshield.gateway.api.frame.authentication import address_of, cookie_of
from appshield.gateway.api.frame.callers import TooManyRequestsError
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.logins import LoginFailedError, LoginProblem
from appshield.gateway.api.frame.rights import public
from appshield.gateway.api.resources.system.sessions import (
    LOG_IN,
    PATH,
    START,
    SessionRequest,
    begun,
)

CALLBACK = f"{START}/callback"
FAILED = "/login?problem="
"""Where a browser goes with a login that came to nothing; the code of the problem follows."""
_MINUTES = 10
_TAGS = ["Sessions"]
_PAGE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]{0,999}")
_SAFE = "/?#&=%:;,+@!~*'()[]-._"
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HTML = {
    200: ResponseSpec(
        str,
        media_type="text/html",
        description="A page that goes on by itself, with a session or to what went wrong.",
        generate_examples=False,
    )
}


def _failed(_request: SessionRequest, error: AppShieldError) -> Response[str]:
    return hop(FAILED + _code_of(error))


def _code_of(error: AppShieldError) -> LoginProblem:
    match error:
        case LoginFailedError():
            return error.code
        case UnavailableError():
            return "unavailable"
        case TooManyRequestsError():
            return "too-often"
    return "not-accepted"


@get(
    START,
    opt=public(LOG_IN),
    tags=_TAGS,
    status_code=302,
    security=[{}],
    exception_handlers={UnavailableError: _failed},
)
async def leave_for_provider(
    request: SessionRequest,
    backend: OnBackend,
    to: Annotated[
        str, QueryParameter(max_length=1000, description="The path of the page that is wanted.")
    ] = "/",
) -> Redirect:
    """Send a browser to the OpenID provider to log in."""
    left = await backend.logins.leave(back_to=_back_to(request))
    page = base64.urlsafe_b64encode(_own_page(to).encode()).rstrip(b"=").decode()
    return Redirect(
        left.url,
        status_code=302,
        cookies=[_cookie(request, f"{left.secret}.{page}", lives_s=_MINUTES * 60)],
    )


@get(
    CALLBACK,
    opt=public(LOG_IN),
    tags=_TAGS,
    security=[{}],
    responses=_HTML,
    exception_handlers={AppShieldError: _failed},
)
async def arrive_from_provider(request: SessionRequest, backend: OnBackend) -> Response[str]:
    """Receive a browser that the OpenID provider has sent back, and begin its session."""
    secret, _, page = request.cookies.get(_cookie_name(request), "").partition(".")
    session = await backend.logins.arrive(
        {name: value for name, value in request.query_params.items() if isinstance(value, str)},
        secret=secret,
        back_to=_back_to(request),
        address=address_of(request),
    )
    response = hop(_own_page(_read(page)))
    response.set_cookie(await begun(request, backend, session, "OpenID provider"))
    response.set_cookie(_cookie(request, "", lives_s=0))
    return response


def hop(to: str) -> Response[str]:
    """Answer with a page that goes on to another one of ours by itself."""
    target = escape(quote(to, safe=_SAFE))
    text = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>AppShield</title>"
        f'<meta http-equiv=refresh content="0;url={target}"><p><a href="{target}">Go on</a></p>'
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return Response(text, media_type="text/html", headers=headers)


def _own_page(path: str) -> str:
    """Return the path of a page of ours; the first page for whatever leads elsewhere."""
    return path if _PAGE.fullmatch(path) and not path.startswith(f"{PATH}/") else "/"


def _read(page: str) -> str:
    try:
        return base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)).decode()
    except (binascii.Error, ValueError):
        return "/"


def _back_to(request: SessionRequest) -> str:
    """Return where the provider sends browsers back to, under the name that they use here."""
    return f"{request.url.scheme}://{request.url.netloc}{PATH}{CALLBACK}"


def _cookie_name(request: SessionRequest) -> str:
    return cookie_of(request).replace("session", "login")


def _cookie(request: SessionRequest, value: str, *, lives_s: int) -> Cookie:
    return Cookie(
        _cookie_name(request),
        value=value,
        path=PATH + START,
        max_age=lives_s,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (leave_for_provider, arrive_from_provider)
