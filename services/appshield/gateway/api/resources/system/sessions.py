"""Sessions of browsers: begun with a login link, a token or at a provider, ended by logging out.

All of it is public, as who begins a session is nobody yet. Beginning one here and ending it wants
the header that pages of others cannot set, so that nobody is logged in as somebody else unawares;
coming back from a provider wants the cookie that this browser left with.
"""

from http import HTTPStatus

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec.structs import replace

from appshield.errors import DeniedError, InvalidInputError
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.authentication import address_of, cookie_of, session_of
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import OWN_HEADER
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.logins import Session
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import public

LIVES_S = 12 * 3600
PATH = "/api/v1"
START = "/session/oidc"
LOG_IN = "log-in"
LOG_OUT = "log-out"
_TAGS = ["Sessions"]

SessionRequest = Request[object, object, State]


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to log in with: the `code` of a login link, or a `token` of the cluster or provider."""

    code: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return "Login()"


class ProviderOffered(msgspec.Struct, frozen=True, kw_only=True):
    """A provider at which one can log in: its name for people, and where a browser begins.

    `start` takes `to`, the path of the page that is wanted.
    """

    name: str
    start: str


class LoginMethodsOffered(msgspec.Struct, frozen=True, kw_only=True):
    """How one can log in: by a token always, by a login link on the machine, at a provider."""

    token: bool
    login_link: bool
    oidc: ProviderOffered | None


@get("/login-methods", opt=public(), tags=_TAGS, security=[{}])
async def show_login_methods(backend: OnBackend) -> LoginMethodsOffered:
    """Show how one can log in."""
    methods = backend.logins.methods()
    provider = methods.provider
    return LoginMethodsOffered(
        token=True,
        login_link=methods.login_link,
        oidc=ProviderOffered(name=provider, start=PATH + START) if provider else None,
    )


@post(
    "/session",
    opt=public(LOG_IN),
    tags=_TAGS,
    status_code=204,
    security=[{}],
    operation_class=with_example(Login(code="of the login link")),
)
async def log_in(
    request: SessionRequest, data: JSONBody[Login], backend: OnBackend
) -> Response[None]:
    """Begin a session; the answer sets its cookie."""
    _demand_own_header(request)
    if bool(data.code) == bool(data.token):
        raise InvalidInputError("a login needs either a code or a token")
    session = await backend.logins.recognize(
        code=data.code, bearer=data.token, address=address_of(request)
    )
    cookie = await begun(request, backend, session, "token" if data.token else "login link")
    return Response(None, status_code=HTTPStatus.NO_CONTENT, cookies=[cookie])


@delete("/session", opt=public(LOG_OUT), tags=_TAGS, status_code=204, security=[{}])
async def log_out(request: SessionRequest, backend: OnBackend) -> Response[None]:
    """End the session whose cookie came along."""
    _demand_own_header(request)
    session = await backend.logins.end(session_of(request))
    if session is not None:
        await backend.auditor.record(_act(request, session, LOG_OUT))
    cookie = _cookie(request, "", lives_s=0)
    return Response(None, status_code=HTTPStatus.NO_CONTENT, cookies=[cookie])


async def begun(request: SessionRequest, backend: Backend, session: Session, how: str) -> Cookie:
    """Begin a session that is in the audit; `how` says with what; return its cookie.

    Raises:
        UnavailableError: it cannot be kept now, here or in the audit.
    """
    await backend.auditor.record(replace(_act(request, session, LOG_IN), object=how))
    return _cookie(request, await backend.logins.begin(session), lives_s=LIVES_S)


def _act(request: SessionRequest, session: Session, action: str) -> Act:
    return Act(
        caller=replace(session.caller, address=address_of(request)),
        action=action,
        outcome="allowed",
        request_id=request_id(request.scope),
    )


def _cookie(request: SessionRequest, session: str, *, lives_s: int) -> Cookie:
    return Cookie(
        cookie_of(request),
        value=session,
        path=PATH,
        max_age=lives_s,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _demand_own_header(request: SessionRequest) -> None:
    if OWN_HEADER not in request.headers:
        raise DeniedError(
            "the request is not accepted",
            why=f"it lacks the header {OWN_HEADER}, so a page of somebody else may have made it",
            next_step=f"Send `{OWN_HEADER}: 1`.",
        )


ROUTES: tuple[ControllerRouterHandler, ...] = (show_login_methods, log_in, log_out)
