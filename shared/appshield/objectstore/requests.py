"""Asking an S3 service: one signed request, tried again while the failure may pass.

Tried again, a bounded number of times, is what did not arrive (refused, reset, cut off, silent
beyond its timeout) and what the service asks to repeat (429, 500, 502, 503, 504, `SlowDown` and the
like). The pauses double, with jitter; a `Retry-After` of the service makes them longer.
"""

import contextlib
import hashlib
import http.client
import random
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec

from appshield.objectstore.answers import PARTIAL_CONTENT, Answer, Right, may_pass, unreachable
from appshield.objectstore.connections import Connections
from appshield.objectstore.content import Content, FileContent
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.signing import canonical_path, canonical_query, signed_headers

NOTHING = hashlib.sha256(b"").hexdigest()

RETRY_AFTER_MAX_S = 60.0
"""A service that asks for a longer pause than this is asked again earlier."""


class S3Patience(msgspec.Struct, frozen=True):
    """How long a request may take and how often it is tried."""

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 60.0
    """Longest silence of the service while it receives or sends."""
    attempts: int = 6
    pause_min_s: float = 0.1
    pause_max_s: float = 5.0

    def pause_s(self, attempt: int, *, asked_s: float = 0.0) -> float:
        """How long to wait after failure number `attempt` (from 0): doubled, with jitter.

        It is at least what the service asked for.
        """
        longest: float = min(self.pause_max_s, self.pause_min_s * 2**attempt)
        jittered = longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        return max(jittered, min(asked_s, RETRY_AFTER_MAX_S))


class _Request(msgspec.Struct, frozen=True):
    """What is asked; path and query are canonical, `digest` is the SHA-256 of `data` in hex."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    data: Content
    digest: str


class S3Requests:
    """Asks about one bucket. Threads and forked processes may share one."""

    def __init__(
        self, location: S3Location, credentials: S3Credentials, patience: S3Patience
    ) -> None:
        self._location = location
        self._credentials = credentials
        self._patience = patience
        self._root = "/" if location.addressing == "virtual" else f"/{location.bucket}/"
        self.connections = Connections(
            location,
            connect_timeout_s=patience.connect_timeout_s,
            answer_timeout_s=patience.answer_timeout_s,
        )

    def ask(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Content = b"",
        digest: str = NOTHING,
    ) -> Answer:
        """Ask until there is an answer worth returning, or the patience ends.

        Raises:
            UnavailableError: there was no answer.
        """
        path = canonical_path(self._root + key)
        asked = canonical_query(query or {})
        request = _Request(method, path, asked, headers or {}, data, digest)
        attempt = 0
        while True:
            last = attempt + 1 >= self._patience.attempts
            asked_s = 0.0
            try:
                answer = self._ask_once(request)
                if last or not answer.worth_another_try:
                    return answer
                asked_s = answer.retry_after_s
            except (OSError, http.client.HTTPException) as error:
                if last or not may_pass(error):
                    raise unreachable(error, self._location) from error
            time.sleep(self._patience.pause_s(attempt, asked_s=asked_s))  # the port blocks
            attempt += 1

    def begin_range(self, key: str, offset: int, length: int) -> "ArrivingRange | None":
        """Send a request for a part of an object, once; None if that fails."""
        headers = {"range": f"bytes={offset}-{offset + length - 1}"}
        request = _Request("GET", canonical_path(self._root + key), "", headers, b"", NOTHING)
        with contextlib.suppress(OSError, http.client.HTTPException), ExitStack() as lent:
            connection = lent.enter_context(self.connections.lend())
            self._send(connection, request)
            return ArrivingRange(connection, lent.pop_all())
        return None

    def _ask_once(self, request: _Request) -> Answer:
        """Send one request and read its answer whole."""
        with self.connections.lend() as connection:
            self._send(connection, request)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read(), _right(request))

    def _send(self, connection: http.client.HTTPConnection, request: _Request) -> None:
        """Send a request, freshly signed."""
        signed = signed_headers(
            request.method,
            request.path,
            request.query,
            {**request.headers, "host": self.connections.host_header},
            payload_sha256=request.digest,
            credentials=self._credentials,
            region=self._location.region,
            now=datetime.now(UTC),
        )
        target = f"{request.path}?{request.query}" if request.query else request.path
        if isinstance(request.data, FileContent):
            signed["content-length"] = str(len(request.data))
            connection.request(request.method, target, headers=signed)
            _send_file(connection, request.data)
        else:
            body = request.data if request.method in {"PUT", "POST"} else None
            connection.request(request.method, target, body=body, headers=signed)


class ArrivingRange:
    """The body of a partial answer; anything but the bytes that were asked for is a failure."""

    def __init__(self, connection: http.client.HTTPConnection, lent: ExitStack) -> None:
        self._connection = connection
        self._lent = lent
        self._response: http.client.HTTPResponse | None = None

    def readinto(self, buffer: memoryview) -> int:
        """See Arriving."""
        if self._response is None:
            self._response = self._connection.getresponse()
            if self._response.status != PARTIAL_CONTENT:
                raise http.client.HTTPException(f"status {self._response.status}")
        return self._response.readinto(buffer)

    def close(self) -> None:
        """See Arriving: a connection of which all was read is kept for the next request."""
        if self._response is None or self._response.length != 0:
            self._connection.close()
        self._lent.close()


def _send_file(connection: http.client.HTTPConnection, content: FileContent) -> None:
    """Send what is in a file, from the kernel's memory to the network where nothing encrypts it."""
    if isinstance(connection.sock, ssl.SSLSocket):
        for piece in content.pieces():
            connection.send(piece)
    elif len(content):
        with open(content.descriptor, "rb", buffering=0, closefd=False) as file:
            connection.sock.sendfile(file, 0, len(content))


def _right(request: _Request) -> Right:
    """Return the right that a request needs."""
    if request.method == "PUT":
        return "write"
    if request.method == "DELETE":
        return "delete"
    return "list" if "list-type=" in request.query or "versions=" in request.query else "read"
