"""Requests to the API server: bounded in time, repeated when that is safe, refused in words.

A request that never reached the server, or that the server turned away unread (429), is always
repeated; one whose fate is unknown (5xx, a cut connection, no answer in time) only when doing it
twice does no harm. When the server is overloaded, all requests of a connection wait, not only the
one that it turned away: many at once would else keep it so.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from appshield.errors import AppShieldError, InvalidInputError, UnavailableError
from appshield.kubernetes.access import Connection
from appshield.kubernetes.errors import BusyError, refusal, status_of
from appshield.kubernetes.kinds import Object
from appshield.kubernetes.retrying import pause_s

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

CONNECT_TIMEOUT_S = 10.0
ATTEMPTS = 6
PATIENCE_S = 60.0
"""No attempt starts later than this after the first one."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `doing` completes "could not …": `create secrets db in namespace shop`."""

    method: str
    path: str
    doing: str
    query: tuple[tuple[str, str], ...] = ()
    body: Object | None = None
    content_type: str = JSON
    accept: str = JSON
    repeatable: bool = True
    confidential: bool = False
    attempts: int = ATTEMPTS
    timeout_s: float = 30.0


Send = Callable[[Call], Awaitable[Object]]
"""Asks the API server, as `Requests.send` does."""


class _Failure(msgspec.Struct, frozen=True):
    error: AppShieldError
    attempts: int  # how often in all it is worth trying
    executed: bool  # the server may have acted on it
    overloaded: bool = False  # it turned this away for its own sake, whatever was asked
    asked_s: float | None = None


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as the API server knows them: calls are made in their name, or rights asked for.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = {}

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield the headers by which the API server is told; names of extras are encoded."""
        yield "Impersonate-User", self.name
        yield from (("Impersonate-Group", group) for group in self.groups)
        if self.uid:
            yield "Impersonate-Uid", self.uid
        for name, values in self.extra.items():
            yield from ((f"Impersonate-Extra-{quote(name, safe='')}", value) for value in values)


class Requests:
    """Sends calls over one connection; in the name of an `actor` where there is one."""

    def __init__(self, connection: Connection, actor: Actor | None = None) -> None:
        self.connection = connection
        self._actor = actor

    async def send(self, call: Call) -> Object:
        """Return the decoded JSON answer.

        Raises the errors of `appshield.kubernetes.errors.refusal`, and UnavailableError when the
        server cannot be reached.
        """
        started = time.monotonic()
        failures = 0
        while True:
            outcome = await self._exchange(call)
            if not isinstance(outcome, _Failure):
                return _decoded(outcome, call)
            failures += 1
            if failures >= outcome.attempts or (outcome.executed and not call.repeatable):
                raise outcome.error
            pause = pause_s(failures, outcome.asked_s)
            again_at = time.monotonic() + pause
            if again_at - started > PATIENCE_S:
                raise outcome.error
            if outcome.overloaded:
                self.connection.pace.rest_until(again_at)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(self, call: Call, *, silence_s: float) -> AsyncIterator[aiohttp.StreamReader]:
        """Yield the answer's bytes as they come; one attempt.

        Raises UnavailableError also when the stream breaks or says nothing for `silence_s`.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=silence_s)
        try:
            async with self._request(call, timeout) as response:
                if response.status != 200:
                    raise _refused(call, response, await response.read()).error
                yield response.content
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreached(call, error).error from error

    async def _exchange(self, call: Call) -> bytes | _Failure:
        timeout = aiohttp.ClientTimeout(total=call.timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._request(call, timeout) as response:
                body = await response.read()
                if 200 <= response.status < 300:
                    return body
                if response.status == 401:
                    self.connection.expire_credentials()
                return _refused(call, response, body)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            failure = self._unreached(call, error)
            failure.error.__cause__ = error
            return failure

    @asynccontextmanager
    async def _request(
        self, call: Call, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        await self.connection.pace.turn()
        authorization = await self.connection.authorization()
        headers = [("Accept", call.accept), *authorization.items()]
        headers += self._actor.headers() if self._actor else ()
        data = None
        if call.body is not None:
            data = msgspec.json.encode(call.body)
            headers.append(("Content-Type", call.content_type))
        async with self.connection.session.request(
            call.method,
            self.connection.url(call.path, urlencode(call.query)),
            data=data,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            **self.connection.route(),
        ) as response:
            yield response

    def _unreached(self, call: Call, error: Exception) -> _Failure:
        server, origin = self.connection.server, self.connection.origin
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL):
            wrong = InvalidInputError(
                f"the API server {server} cannot be trusted or addressed",
                why="its certificate or its address does not fit the kubeconfig",
                next_step=f"Check server and certificate-authority of {origin}.",
            )
            return _Failure(wrong, attempts=1, executed=False)
        unreached = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        unavailable = UnavailableError(
            f"the API server {server} {'cannot be reached' if unreached else 'gave no answer'}"
            f" to {call.doing}",
            why=_cause(error),
            next_step=f"Check that the cluster of {origin} is running, then try again.",
        )
        return _Failure(unavailable, attempts=call.attempts, executed=not unreached)


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "nothing came in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or type(error.os_error).__name__
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    return str(error) or type(error).__name__


def _refused(call: Call, response: aiohttp.ClientResponse, body: bytes) -> _Failure:
    status = status_of(body)
    error = refusal(response.status, status, call.doing, confidential=call.confidential)
    header = response.headers.get("Retry-After", "")
    asked_s = float(header) if header.isdecimal() else status.retry_after_s
    if isinstance(error, BusyError):
        error.retry_after_s = asked_s
    passing = response.status == 429 or response.status >= 500
    return _Failure(
        error=error,
        attempts=call.attempts if passing else 2 if response.status == 401 else 1,
        executed=response.status not in {401, 429},
        # a refusal for the sake of one object (an eviction, an admission webhook) has a reason
        overloaded=response.status == 429 and not status.reason,
        asked_s=asked_s,
    )


def _decoded(body: bytes, call: Call) -> Object:
    try:
        return msgspec.json.decode(body, type=Object)
    except msgspec.DecodeError as error:
        raise UnavailableError(
            f"could not {call.doing}",
            why="the answer is not a JSON object, so it is not from an API server",
            next_step="Check that the address is the API server's and not a proxy's.",
        ) from error
