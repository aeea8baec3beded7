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
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime

from appshield.objectstore.answers import (
    MISSING,
    PARTIAL_CONTENT,
    PRECONDITION_FAILED,
    RANGE_NOT_SATISFIABLE,
    Answer,
    error_for,
)
from appshield.objectstore.conditional import IF_ABSENT, ConditionalWrites
from appshield.objectstore.content import Content, FileContent
from appshield.objectstore.listings import ListingPage, listing_page
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
from appshield.objectstore.requests import S3Patience, S3Requests
from appshield.objectstore.retention import (
    Retention,
    kept_until,
    lock_headers,
    retention_document,
)
from appshield.objectstore.streaming import PiecewiseRange, RangeReader
from appshield.objectstore.versions import Versions


class S3ObjectStore:
    """Objects below the prefix of `location`. Threads and forked processes may share one.

    With a `retention` each object that it covers is kept from the moment it is written; the bucket
    must have been made for object lock.
    """

    def __init__(
        self,
        location: S3Location,
        credentials: S3Credentials,
        *,
        patience: S3Patience | None = None,
        retention: Retention | None = None,
    ) -> None:
        self.location = location
        self.credentials = credentials
        self.retention = retention
        self._folder = folder_of(location.prefix)
        self._requests = S3Requests(location, credentials, patience or S3Patience())
        self._conditional = ConditionalWrites(self._requests, self._folder, self._require)
        self._versions = Versions(self._requests, self._require)
        self._bucket_was_seen = False
        self.close = weakref.finalize(self, self._requests.connections.close)
        """Close idle connections now; done by itself when the store is no longer used."""

    def __repr__(self) -> str:
        return f"<store {self.location}>"

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        """See ObjectStore.put."""
        key = self._key(name)
        if not only_if_absent or self._conditional.supported():
            self._put(name, data, sha256, only_if_absent=only_if_absent)
            return
        put = self._conditional.in_turn(
            key,
            exists=lambda: self.size(name) is not None,
            put=lambda: self._put(name, data, sha256),
        )
        if not put:
            raise self._exists(name)

    def _put(
        self,
        name: str,
        data: Content,
        sha256: str | None,
        *,
        only_if_absent: bool = False,
    ) -> None:
        digest = bytes.fromhex(sha256) if sha256 else _sha256(data)
        headers = {
            "content-type": "application/octet-stream",
            "x-amz-checksum-sha256": base64.b64encode(digest).decode(),
        }
        if only_if_absent:
            headers |= IF_ABSENT
        if self.retention is not None and self.retention.covers(name):
            headers |= lock_headers(self.retention, datetime.now(UTC))
        answer = self._requests.ask(
            "PUT", self._key(name), headers=headers, data=data, digest=digest.hex()
        )
        if answer.status == PRECONDITION_FAILED:
            raise self._exists(name)
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
        answer = self._requests.ask("GET", self._key(name), headers=headers)
        if answer.status == RANGE_NOT_SATISFIABLE:
            return b""
        if answer.status == MISSING and answer.code != "NoSuchBucket":
            raise self._missing(name)
        self._require(answer)
        if whole:
            return answer.body
        if answer.status == PARTIAL_CONTENT:
            return answer.body[:length]
        return answer.body[offset:][:length]  # the service does not know ranges

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        """See ObjectStore.open_range."""
        check_range(offset, length)
        key = self._key(name)
        arriving = self._requests.begin_range(key, offset, length) if length else None
        return PiecewiseRange(
            lambda start, size: self.get(name, offset=start, length=size),
            offset,
            length,
            arriving=arriving,
        )

    def size(self, name: str) -> int | None:
        """See ObjectStore.size."""
        answer = self._head(name)
        return None if answer is None else int(answer.headers["content-length"])

    def _head(self, name: str) -> Answer | None:
        answer = self._requests.ask("HEAD", self._key(name))
        if answer.status == MISSING:
            self._require_bucket()
            return None
        self._require(answer)
        return answer

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
        key = self._key(name)
        if self._versions.are_kept() and self._versions.delete_all(key, name):
            return
        answer = self._requests.ask("DELETE", key)
        if answer.status != MISSING or answer.code == "NoSuchBucket":
            self._require(answer)

    def retain(self, name: str) -> None:
        """See RetainingStore.retain."""
        if self.retention is None or not self.retention.covers(name):
            return
        found = self._head(name)
        if found is None:
            raise self._missing(name)
        now = datetime.now(UTC)
        until = kept_until(found.headers.get("x-amz-object-lock-retain-until-date", ""))
        if until is not None and until >= self.retention.least(now):
            return
        data = retention_document(self.retention, now)
        digest = hashlib.sha256(data)
        headers = {
            "content-md5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()),
            "x-amz-checksum-sha256": base64.b64encode(digest.digest()),
        }
        answer = self._requests.ask(
            "PUT",
            self._key(name),
            query={"retention": ""},
            headers={header: value.decode() for header, value in headers.items()},
            data=data,
            digest=digest.hexdigest(),
        )
        self._require(answer)

    def conditional_writes(self) -> bool:
        """Tell whether the service itself keeps `only_if_absent`; else writers take turns."""
        return self._conditional.supported()

    def keeps_versions(self) -> bool:
        """Tell whether the bucket keeps what is overwritten and deleted, as far as it tells."""
        return self._versions.are_kept()

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
            answer = self._requests.ask("GET", "", query=query)
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

    def _exists(self, name: str) -> ObjectExistsError:
        return ObjectExistsError(f"object {name} exists already in {self.location}")

    def _require(self, answer: Answer) -> None:
        if not answer.ok:
            raise error_for(
                answer.status,
                answer.code,
                answer.message,
                self.location,
                self.credentials,
                tried=answer.tried,
                region=answer.headers.get("x-amz-bucket-region", ""),
            )
        self._bucket_was_seen = True

    def _require_bucket(self) -> None:
        """HEAD answers 404 without saying what is missing: rule out that it is the bucket."""
        if not self._bucket_was_seen:
            self._require(self._ask_for_one())

    def _ask_for_one(self) -> Answer:
        """List one object: the smallest question that needs no more rights than a listing."""
        query = {"list-type": "2", "max-keys": "1", "prefix": self._folder}
        return self._requests.ask("GET", "", query=query)


def _sha256(data: Content) -> bytes:
    digest = hashlib.sha256()
    for piece in data.pieces() if isinstance(data, FileContent) else (data,):
        digest.update(piece)
    return digest.digest()
