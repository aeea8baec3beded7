"""Repositories on a real S3 server behind networks and services that fail, watched while they do.

While something writes through faults, the store is copied again and again as a reader sees it,
snapshots before the indexes that they need, and no copy may have an error.
"""

import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

from msgspec.structs import replace

from appshield.objectstore import (
    MemoryObjectStore,
    ObjectStore,
    S3Credentials,
    S3Location,
    S3ObjectStore,
    S3Patience,
)
from appshield.repository import Repository, check
from s3_impostor import Reply, error_body
from tcp_proxy import TcpProxy

PATIENT = S3Patience(
    connect_timeout_s=2, answer_timeout_s=2, attempts=8, pause_min_s=0.01, pause_max_s=0.2
)

PASSING_TROUBLE = {
    "500": Reply(500, error_body("InternalError")),
    "SlowDown": Reply(503, error_body("SlowDown"), {"retry-after": "0"}),
    "429": Reply(429, error_body("TooManyRequests")),
    "BadDigest": Reply(400, error_body("BadDigest")),
    "hang-up": Reply(None),
}
"""Answers after which the same request may well succeed."""


class FaultyPlace:
    """A repository in a folder of the server, and the ways to it."""

    def __init__(self, location: S3Location, credentials: S3Credentials, password: str) -> None:
        self.location = location
        self.direct = S3ObjectStore(location, credentials)
        self._credentials = credentials
        self._password = password

    def through(self, endpoint: str) -> S3ObjectStore:
        """Return the same folder as it is reached over a detour."""
        location = replace(self.location, endpoint=endpoint)
        return S3ObjectStore(location, self._credentials, patience=PATIENT)

    def versions(self) -> int:
        """Count the versions, all of which are whole."""
        repository = Repository.open(self.direct, self._password)
        report = check(repository, read_data=True)
        assert report.is_sound, report.errors
        return len(repository.snapshots())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Check the repository all the time, from another thread; every check must be clean."""
        stopping = threading.Event()
        errors: list[object] = []
        rounds = itertools.count()

        def watch() -> None:
            while not stopping.is_set():
                repository = Repository.open(_as_read(self.direct), self._password)
                errors.extend(check(repository, read_data=True).errors)
                next(rounds)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            stopping.set()
            watching.join()
        assert errors == []
        assert next(rounds) > 0

    @asynccontextmanager
    async def proxied(self) -> AsyncIterator[tuple[TcpProxy, str]]:
        """Run a proxy before the server; yields it and its endpoint."""
        url = urlsplit(self.location.endpoint)
        async with TcpProxy(url.hostname or "", url.port or 0) as proxy:
            yield proxy, f"http://127.0.0.1:{proxy.port}"


def every(number: int, reply: Reply) -> Callable[[str, str], Reply | None]:
    """Answer each so-manieth request this way."""
    count = itertools.count(1)
    return lambda method, target: None if next(count) % number else reply


def _as_read(store: ObjectStore) -> MemoryObjectStore:
    """Copy what a reader sees that begins now: no lock keeps others from writing meanwhile."""
    copy = MemoryObjectStore()
    copy.put("config", store.get("config"))
    for folder in ("snapshots", "index", "data", "keys"):
        for found in store.list(folder):
            copy.put(found.name, store.get(found.name))
    return copy
