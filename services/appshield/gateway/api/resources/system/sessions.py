"""Sessions of browsers: begun with a login link or a token, ended by logging out.

Both routes are public, as who begins a session is nobody yet; both want the header that pages of
others cannot set, so that nobody is logged in as somebody else unawares.
"""

from http import HTTPStatus

import msgspec
from litestar import Request, Response, delete, post
from litestar.datastructures import Cookie, State
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from appshield.errors import DeniedError, InvalidInputError
from appshield.gateway.api.frame.authentication import address_of, cookie_of, session_of
from appshield.gateway.api.frame.callers import OWN_HEADER
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.rights import public

LIVES_S = 12 * 3600
PATH = "/api/v1"
_TAGS = ["Sessions"]

SessionRequest = Request[object, object, State]


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to log in with: the `code` of a login link, or a `token` of the cluster or provider."""

    code: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return "Login()"


@post("/session", opt=public(), tags=_TAGS, status_code=204, security=[{}])
async def log_in(
    request: SessionRequest, data: JSONBody[Login], backend: OnBackend
) -> Response[None]:
    """Begin a session; the answer sets its cookie."""
    _demand_own_header(request)
    if bool(data.code) == bool(data.token):
        raise InvalidInputError("a login needs either a code or a token")
    session = await backend.logins.log_in(
        code=data.code, bearer=data.token, address=address_of(request)
    )
    return _answer(request, session, lives_s=LIVES_S)


@delete("/session", opt=public(), tags=_TAGS, status_code=204, security=[{}])
async def log_out(request: SessionRequest, backend: OnBackend) -> Response[None]:
    """End the session whose cookie came along."""
    _demand_own_header(request)
    backend.logins.log_out(session_of(request))
    return _answer(request, "", lives_s=0)


def _answer(request: SessionRequest, session: str, *, lives_s: int) -> Response[None]:
    cookie = Cookie(
        cookie_of(request),
        value=session,
        path=PATH,
        max_age=lives_s,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return Response(None, status_code=HTTPStatus.NO_CONTENT, cookies=[cookie])


def _demand_own_header(request: SessionRequest) -> None:
    if OWN_HEADER not in request.headers:
        raise DeniedError(
            "the request is not accepted",
            why=f"it lacks the header {OWN_HEADER}, so a page of somebody else may have made it",
            next_step=f"Send `{OWN_HEADER}: 1`.",
        )


ROUTES: tuple[ControllerRouterHandler, ...] = (log_in, log_out)
