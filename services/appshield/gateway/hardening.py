"""What holds for every answer, whatever the route: for which names we answer, what browsers may do.

A page of somebody else that lets its own name point at us (DNS rebinding) is refused by the name.
Browsers load nothing from any outside address, show us in no frame, guess no types, and keep
nothing of the API.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from http import HTTPStatus

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appshield.gateway.api.frame.problems import MEDIA_TYPE, Problem

API_PATH = "/api/"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PAGES_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # components set styles while they run
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_WITH_TLS = (b"strict-transport-security", b"max-age=31536000")
_NOT_KEPT = (b"cache-control", b"no-store")


class Hardened:
    """An application behind what holds for every answer.

    `hosts` are names under which it answers beside those of this machine; `pages` are paths below
    the API that are pages for people.
    """

    def __init__(
        self, application: ASGIApp, *, hosts: Iterable[str], pages: Sequence[str] = ()
    ) -> None:
        self._application = application
        self._hosts = _LOOPBACK | {host.lower().rstrip(".") for host in hosts}
        self._pages = tuple(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._application(scope, receive, send)
            return
        path, secure = scope["path"], scope["scheme"] == "https"

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name.lower(), value) for name, value in message["headers"]]
                message["headers"] = [*given, *self._missing(dict(given), path, secure=secure)]
            await send(message)

        if host_of(scope["headers"]) not in self._hosts:
            await _refuse_host(send_hardened)
            return
        await self._application(scope, receive, send_hardened)

    def _missing(
        self, given: dict[bytes, bytes], path: str, *, secure: bool
    ) -> list[tuple[bytes, bytes]]:
        data = path.startswith(API_PATH) and not path.startswith(self._pages)
        policy = _DATA_POLICY if data else _PAGES_POLICY
        wanted = [*_ALWAYS, (b"content-security-policy", policy.encode())]
        if data:
            wanted.append(_NOT_KEPT)
        if secure:
            wanted.append(_WITH_TLS)
        return [(name, value) for name, value in wanted if name not in given]


def host_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the name that a request is for, without its port; empty when it is not one name."""
    given = [value for name, value in headers if name == b"host"]
    text = given[0].decode("latin-1").lower() if len(given) == 1 else ""
    if text.startswith("["):
        return text[1:].partition("]")[0] if "]" in text else ""
    return text.partition(":")[0].rstrip(".")


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse_host(send: Send) -> None:
    status = HTTPStatus.MISDIRECTED_REQUEST
    problem = Problem(
        type="urn:appshield:problem:misdirected-request",
        title=status.phrase,
        status=status,
        detail="AppShield does not answer under this name",
        request_id="",
        next_step="Add the name to APPSHIELD_GATEWAY_HTTP_NAMES, or use one that is there.",
    )
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
