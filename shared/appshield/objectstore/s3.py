"""An object store in a bucket of any S3-compatible service.

Each PUT carries the SHA-256 of its bytes twice: signed, and as `x-amz-checksum-sha256`, which is
what services verify (some ignore the signed one). Every request has timeouts and is tried again,
a bounded number of times, when the network or the service fails in a way that may pass.

Own requests instead of an SDK, for reasons that were measured: obstore hangs in a forked worker,
obeys AWS variables of the environment over what it is given, and tells errors apart by text only;
the SDK of AWS needs seven times the CPU per byte.
"""

import base64
import hashlib
import http.client
import random
import time
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from appshield.objectstore.answers import (
    MISSING,
    PRECONDITION_FAILED,
    RANGE_NOT_SATISFIABLE,
    Answer,
    ListingPage,
    error_for,
    listing_page,
    may_pass,
    unreachable,
)
from appshield.objectstore.connections import Connections
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.port import (
    ObjectExistsError,
    ObjectFacts,
    ObjectMissingError,
    check_name,
    check_range,
    folder_of,
    is_name,
)
from appshield.objectstore.signing import canonical_path, canonical_query, signed_headers

NOTHING = hashlib.sha256(b"").hexdigest()


class S3Patience(msgspec.Struct, frozen=True):
    """How long a request may take and how often it is tried."""

    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 60.0
    """Longest silence of the service while it receives or sends."""
    attempts: int = 6
    pause_min_s: float = 0.1
    pause_max_s: float = 5.0

    def pause_s(self, attempt: int) -> float:
        """How long to wait after failure number `attempt` (from 0): doubled, with full jitter."""
        longest: float = min(self.pause_max_s, self.pause_min_s * 2**attempt)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


class _Request(msgspec.Struct, frozen=True):
    """What is asked; path and query are canonical, `digest` is the SHA-256 of `data` in hex."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    data: bytes | memoryview
    digest: str


class S3ObjectStore:
    """Objects below the prefix of `location`. Threads and forked processes may share one."""

    def __init__(
        self,
        location: S3Location,
        credentials: S3Credentials,
        *,
        patience: S3Patience | None = None,
    ) -> None:
        self.location = location
        self.credentials = credentials
        self._patience = patience or S3Patience()
        self._folder = folder_of(location.prefix)
        self._root = "/" if location.addressing == "virtual" else f"/{location.bucket}/"
        self._connections = Connections(
            location,
            connect_timeout_s=self._patience.connect_timeout_s,
            answer_timeout_s=self._patience.answer_timeout_s,
        )
        self._bucket_was_seen = False
        self.close = weakref.finalize(self, self._connections.close)
        """Close idle connections now; done by itself when the store is no longer used."""

    def __repr__(self) -> str:
        return f"<store {self.location}>"

    def put(
        self,
        name: str,
        data: bytes | memoryview,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        """See ObjectStore.put."""
        digest = bytes.fromhex(sha256) if sha256 else hashlib.sha256(data).digest()
        headers = {
            "content-type": "application/octet-stream",
            "x-amz-checksum-sha256": base64.b64encode(digest).decode(),
        }
        if only_if_absent:
            headers["if-none-match"] = "*"
        answer = self._ask("PUT", self._key(name), headers=headers, data=data, digest=digest.hex())
        if answer.status == PRECONDITION_FAILED:
            raise ObjectExistsError(f"object {name} exists already in {self.location}")
        self._require(answer)

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.get."""
        check_range(offset, length)
        if length == 0:
            if self.size(name) is None:
                raise self._missing(name)
            return b""
        whole = offset == 0 and length is None
        last = "" if length is None else str(offset + length - 1)
        headers = {} if whole else {"range": f"bytes={offset}-{last}"}
        answer = self._ask("GET", self._key(name), headers=headers)
        if answer.status == RANGE_NOT_SATISFIABLE:
            return b""
        if answer.status == MISSING and answer.code != "NoSuchBucket":
            raise self._missing(name)
        self._require(answer)
        if whole or answer.status == http.HTTPStatus.PARTIAL_CONTENT:
            return answer.body
        return answer.body[offset:][:length]  # the service does not know ranges

    def size(self, name: str) -> int | None:
        """See ObjectStore.size."""
        answer = self._ask("HEAD", self._key(name))
        if answer.status == MISSING:
            self._require_bucket()
            return None
        self._require(answer)
        return int(answer.headers["content-length"])

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        """See ObjectStore.list."""
        for page in self._pages(self._folder + folder_of(prefix)):
            for found in page.objects:
                name = found.name.removeprefix(self._folder)
                if is_name(name):
                    yield ObjectFacts(name, found.size_bytes)

    def folders(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.folders."""
        whole = self._folder + folder_of(prefix)
        for page in self._pages(whole, delimiter="/"):
            names = (folder.removeprefix(whole).removesuffix("/") for folder in page.folders)
            yield from (name for name in names if is_name(name))

    def delete(self, name: str) -> None:
        """See ObjectStore.delete."""
        answer = self._ask("DELETE", self._key(name))
        if answer.status != MISSING or answer.code == "NoSuchBucket":
            self._require(answer)

    def server_time(self) -> datetime | None:
        """Return the clock of the service, None when it does not tell.

        Raises:
            NotFoundError: the bucket does not exist.
        """
        answer = self._ask_for_one()
        self._require(answer)
        return answer.server_time

    def _pages(self, folder: str, **more: str) -> Iterator[ListingPage]:
        query = {"list-type": "2", "encoding-type": "url", "prefix": folder, **more}
        while True:
            answer = self._ask("GET", "", query=query)
            self._require(answer)
            page = listing_page(answer.body)
            yield page
            if page.next_token is None:
                return
            query["continuation-token"] = page.next_token

    def _key(self, name: str) -> str:
        check_name(name)
        return self._folder + name

    def _missing(self, name: str) -> ObjectMissingError:
        return ObjectMissingError(f"there is no object {name} in {self.location}")

    def _require(self, answer: Answer) -> None:
        if not answer.ok:
            raise error_for(
                answer.status, answer.code, answer.message, self.location, self.credentials
            )
        self._bucket_was_seen = True

    def _require_bucket(self) -> None:
        """HEAD answers 404 without saying what is missing: rule out that it is the bucket."""
        if not self._bucket_was_seen:
            self._require(self._ask_for_one())

    def _ask_for_one(self) -> Answer:
        """List one object: the smallest question that needs no more rights than a listing."""
        query = {"list-type": "2", "max-keys": "1", "prefix": self._folder}
        return self._ask("GET", "", query=query)

    def _ask(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | memoryview = b"",
        digest: str = NOTHING,
    ) -> Answer:
        """Ask until there is an answer worth returning, or the patience ends."""
        path = canonical_path(self._root + key)
        request = _Request(method, path, canonical_query(query or {}), headers or {}, data, digest)
        attempt = 0
        while True:
            last = attempt + 1 >= self._patience.attempts
            try:
                answer = self._ask_once(request)
                if last or not answer.worth_another_try:
                    return answer
            except (OSError, http.client.HTTPException) as error:
                if last or not may_pass(error):
                    raise unreachable(error, self.location) from error
            time.sleep(self._patience.pause_s(attempt))  # a growing pause, bounded
            attempt += 1

    def _ask_once(self, request: _Request) -> Answer:
        """Send one request, freshly signed, and read its answer whole."""
        signed = signed_headers(
            request.method,
            request.path,
            request.query,
            {**request.headers, "host": self._connections.host_header},
            payload_sha256=request.digest,
            credentials=self.credentials,
            region=self.location.region,
            now=datetime.now(UTC),
        )
        target = f"{request.path}?{request.query}" if request.query else request.path
        body = request.data if request.method == "PUT" else None
        with self._connections.lend() as connection:
            connection.request(request.method, target, body=body, headers=signed)
            response = connection.getresponse()
            content = response.read()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, content)
