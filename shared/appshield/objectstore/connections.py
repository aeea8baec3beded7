"""Connections to one S3 service, kept open between requests and safe to use from any thread.

Blocking `http.client` on purpose: it needs no event loop and no thread of its own, so worker
processes can be forked from a process that has used a store. A fork drops the connections that it
inherited.
"""

import contextlib
import http.client
import os
import ssl
import time
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

from appshield.errors import InvalidInputError
from appshield.objectstore.location import S3Location

IDLE_MAX = 16
"""Connections kept for the next request; more may be in use at a time."""

IDLE_S = 8.0
"""Services close idle connections after 10 seconds and more; ours are given up before."""


class Connections:
    """A stack of idle connections to one host."""

    def __init__(
        self, location: S3Location, *, connect_timeout_s: float, answer_timeout_s: float
    ) -> None:
        url = urlsplit(location.endpoint)
        virtual = location.addressing == "virtual"
        self._name = f"{location.bucket}.{url.hostname}" if virtual else url.hostname or ""
        self._secure = url.scheme == "https"
        self._port = url.port or (443 if self._secure else 80)
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._trust = _trust(location) if self._secure else None
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._process = os.getpid()

    @property
    def host_header(self) -> str:
        """The value of the `host` header, as it has to be signed."""
        host = f"[{self._name}]" if ":" in self._name else self._name
        usual = self._port == (443 if self._secure else 80)
        return host if usual else f"{host}:{self._port}"

    @contextlib.contextmanager
    def lend(self) -> Iterator[http.client.HTTPConnection]:
        """Give one connection for one request; it is kept if the request went through."""
        connection = self._idle_one() or self._new_one()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.sock is None or len(self._idle) >= IDLE_MAX:
            connection.close()
        else:
            self._idle.append((time.monotonic(), connection))

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took it
                self._idle.pop()[1].close()

    def _idle_one(self) -> http.client.HTTPConnection | None:
        if self._process != os.getpid():
            self.close()
            self._process = os.getpid()
        with contextlib.suppress(IndexError):
            since, connection = self._idle.pop()
            if time.monotonic() - since < IDLE_S:
                return connection
            connection.close()
            self.close()  # those below are older still
        return None

    def _new_one(self) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPSConnection(
                self._name, self._port, timeout=self._connect_timeout_s, context=self._trust
            )
            if self._secure
            else http.client.HTTPConnection(self._name, self._port, timeout=self._connect_timeout_s)
        )
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._answer_timeout_s)
        return connection


def _trust(location: S3Location) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=location.ca_file, cadata=location.ca_pem)
    except (OSError, ValueError) as error:
        named = location.ca_file or "the CA of the Vault"
        raise InvalidInputError(
            f"{named} cannot be used to trust {location.endpoint}",
            why=getattr(error, "strerror", None) or str(error),
            next_step="Give certificates as PEM: -----BEGIN CERTIFICATE----- and so on",
        ) from error
