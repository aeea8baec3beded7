"""What the answers of an S3 service mean: pure decisions on status, code and listing.

Codes are those of the "Error responses" page of the Amazon S3 API reference, and those that
MinIO, Ceph and SeaweedFS add for a full disk.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import msgspec

from appshield.errors import (
    AppShieldError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.port import ObjectFacts, StoreFullError

MISSING = 404
PRECONDITION_FAILED = 412
RANGE_NOT_SATISFIABLE = 416

_AGAIN_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_AGAIN_CODE = frozenset({"BadDigest", "ConditionalRequestConflict", "OperationAborted",
                         "RequestTimeout", "SlowDown"})  # fmt: skip
_FULL_STATUS = 507
_FULL_CODE = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded",
                        "InsufficientCapacity", "StorageFull", "TooManyObjects"})  # fmt: skip
_REGION_CODE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect"})
_DENIED_STATUS = frozenset({401, 403})
_DENIED_CODE = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})


class Answer(msgspec.Struct, frozen=True):
    """One answer of the service; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The error code in the body, empty where there is none (always so for HEAD)."""
        return "" if self.ok else _text_in(self.body, "Code")

    @property
    def message(self) -> str:
        """The service's own explanation."""
        return "" if self.ok else _text_in(self.body, "Message")

    @property
    def worth_another_try(self) -> bool:
        """Whether the same request may succeed in a moment."""
        if self.ok or self.code in _FULL_CODE:
            return False
        return self.status in _AGAIN_STATUS or self.code in _AGAIN_CODE

    @property
    def server_time(self) -> datetime | None:
        """The clock of the service."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            return None


class ListingPage(msgspec.Struct, frozen=True):
    """A part of a listing and where the next part begins; names are whole keys."""

    objects: tuple[ObjectFacts, ...]
    folders: tuple[str, ...]
    """Filled where the listing was asked to stop at each `/`; each ends in one."""
    next_token: str | None


def listing_page(body: bytes) -> ListingPage:
    """Read one answer to ListObjectsV2 with `encoding-type=url`."""
    root = _parsed(body)
    if root is None or _local(root) != "ListBucketResult":
        raise UnavailableError("the object store answered with something that is no listing")
    escaped = _child(root, "EncodingType") == "url"
    objects: list[ObjectFacts] = []
    folders: list[str] = []
    for element in root:
        kind = _local(element)
        key = _child(element, {"Contents": "Key", "CommonPrefixes": "Prefix"}.get(kind, ""))
        name = unquote_plus(key) if escaped else key
        if kind == "Contents":
            objects.append(ObjectFacts(name, int(_child(element, "Size"))))
        elif kind == "CommonPrefixes":
            folders.append(name)
    more = _child(root, "IsTruncated") == "true"
    next_token = _child(root, "NextContinuationToken") if more else None
    return ListingPage(tuple(objects), tuple(folders), next_token)


def error_for(
    status: int, code: str, message: str, location: S3Location, credentials: S3Credentials
) -> AppShieldError:
    """Return our error for an answer that is not a success."""
    said = " ".join(part for part in (f"HTTP {status}", code, message) if part)
    if code == "NoSuchBucket":
        return NotFoundError(
            f"bucket {location.bucket} does not exist at {location.endpoint}",
            next_step="Create it, or correct the name of the bucket",
        )
    if status == _FULL_STATUS or code in _FULL_CODE:
        return StoreFullError(
            "the store is full", why=f"{location} says {said}", next_step="Free space, or prune"
        )
    if code == "RequestTimeTooSkewed":
        return DeniedError(
            f"{location.endpoint} refuses requests from this machine",
            why="its clock and the clock of this machine differ by more than 15 minutes",
            next_step="Set the clock right",
        )
    if status in _DENIED_STATUS or code in _DENIED_CODE:
        return DeniedError(
            f"bucket {location.bucket} denies access to access key {credentials.access_key}",
            why=f"{location.endpoint} says {said}",
            next_step="Check the key, its secret and its rights on the bucket",
        )
    if code in _REGION_CODE:
        return InvalidInputError(
            f"bucket {location.bucket} is not in region {location.region}", why=said
        )
    return UnavailableError(
        f"{location.endpoint} did not do what was asked",
        why=said,
        next_step="See the log of the service; some say no more than this when their disk is full",
    )


def unreachable(error: Exception, location: S3Location) -> UnavailableError:
    """Return our error for a service that gave no answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnavailableError(
            f"the certificate of {location.endpoint} is not trusted",
            why=error.verify_message,
            next_step="Name the file of its authority as ca_file",
        )
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnavailableError(
        f"object store {location.endpoint} cannot be reached",
        why=str(why),
        next_step="Check the address and that the service runs",
    )


def may_pass(error: Exception) -> bool:
    """Tell whether a failure of the network may be over in a moment."""
    return not isinstance(error, ssl.SSLCertVerificationError)


def _parsed(body: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(body)  # noqa: S314 - expat resolves no external entity and limits expansion
    except ET.ParseError:
        return None


def _text_in(body: bytes, name: str) -> str:
    root = _parsed(body) if body.lstrip().startswith(b"<") else None
    return "" if root is None else _child(root, name)


def _child(parent: ET.Element, name: str) -> str:
    """Return the text of a direct child, whatever its XML namespace, or an empty one."""
    return next((element.text or "" for element in parent if _local(element) == name), "")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
