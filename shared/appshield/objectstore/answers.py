"""What the answers of an S3 service mean: pure decisions on status and code.

Codes are those of the "Error responses" page of the Amazon S3 API reference, and those that
MinIO, Ceph and SeaweedFS add for a full disk.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from appshield.errors import (
    AppShieldError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from appshield.objectstore.listings import text_in
from appshield.objectstore.location import S3Credentials, S3Location
from appshield.objectstore.port import StoreFullError

Right = Literal["read", "list", "write", "delete"]

PARTIAL_CONTENT = 206
MISSING = 404
PRECONDITION_FAILED = 412
RANGE_NOT_SATISFIABLE = 416

_BAD_REQUEST = 400
"""Also of a request that was too slow or arrived altered; an answer to HEAD does not say which."""
_REGION = "x-amz-bucket-region"
_AGAIN_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_AGAIN_CODE = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
                         "IncompleteBody", "ConditionalRequestConflict", "OperationAborted",
                         "RequestTimeout", "SlowDown"})  # fmt: skip
_FULL_STATUS = 507
_FULL_CODE = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded",
                        "InsufficientCapacity", "StorageFull", "TooManyObjects"})  # fmt: skip
_REGION_STATUS = frozenset({301, 307})
_REGION_CODE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
                          "IllegalLocationConstraintException"})  # fmt: skip
_ALTERED_CODE = frozenset({"BadDigest", "XAmzContentSHA256Mismatch",
                           "XAmzContentChecksumMismatch", "IncompleteBody"})  # fmt: skip
_RIGHTS: dict[Right, str] = {
    "read": "s3:GetObject, s3:ListBucket",
    "list": "s3:ListBucket",
    "write": "s3:PutObject, and with object lock s3:PutObjectRetention, s3:GetObjectRetention",
    "delete": "s3:DeleteObject, and where versions are kept s3:DeleteObjectVersion",
}
_DENIED_STATUS = frozenset({401, 403})
_EXPIRED_CODE = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})


class Answer(msgspec.Struct, frozen=True):
    """One answer of the service; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tried: Right = "read"
    """The right that the request needed."""

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The error code in the body, empty where there is none (always so for HEAD)."""
        return "" if self.ok else text_in(self.body, "Code")

    @property
    def message(self) -> str:
        """The service's own explanation."""
        return "" if self.ok else text_in(self.body, "Message")

    @property
    def worth_another_try(self) -> bool:
        """Whether the same request may succeed in a moment."""
        if self.ok or self.code in _FULL_CODE:
            return False
        untold = self.status == _BAD_REQUEST and not self.body and _REGION not in self.headers
        return self.status in _AGAIN_STATUS or self.code in _AGAIN_CODE or untold

    @property
    def retry_after_s(self) -> float:
        """How long the service wants us to wait before we ask again; 0 when it does not say."""
        told = self.headers.get("retry-after", "")
        if told.isascii() and told.isdecimal():
            return float(told)
        try:
            until = parsedate_to_datetime(told).astimezone(UTC)
        except ValueError:
            return 0.0
        return max(0.0, (until - (self.server_time or datetime.now(UTC))).total_seconds())

    @property
    def server_time(self) -> datetime | None:
        """The clock of the service."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            return None


def error_for(
    status: int,
    code: str,
    message: str,
    location: S3Location,
    credentials: S3Credentials,
    *,
    tried: Right = "read",
    region: str = "",
) -> AppShieldError:
    """Return our error for an answer that is not a success; `region` is where the bucket is."""
    named = "" if code == str(status) else code  # an answer without a body has no other name
    said = " ".join(part for part in (f"HTTP {status}", named, message) if part)
    if code == "NoSuchBucket":
        return NotFoundError(
            f"bucket {location.bucket} does not exist at {location.endpoint}",
            next_step="Create it, or correct the name of the bucket",
        )
    if status == _FULL_STATUS or code in _FULL_CODE:
        return StoreFullError(
            "the store is full", why=f"{location} says {said}", next_step="Free space, or prune"
        )
    if status in _REGION_STATUS or code in _REGION_CODE:
        return InvalidInputError(
            f"bucket {location.bucket} is not in region {location.region}",
            why=f"{location.endpoint} says {said}",
            next_step=f"Set the region to {region}" if region else "Set the region of the bucket",
        )
    if code in _ALTERED_CODE:
        return UnavailableError(
            f"what was sent to {location.endpoint} arrived altered",
            why=f"it says {said}, each time it was sent again",
            next_step="Check what is between, such as a proxy, and the memory of this machine",
        )
    denial = _denial_for(status, code, location, credentials, said=said, tried=tried)
    return denial or UnavailableError(
        f"{location.endpoint} did not do what was asked",
        why=said,
        next_step="See the log of the service; some say no more than this when their disk is full",
    )


def _denial_for(
    status: int,
    code: str,
    location: S3Location,
    credentials: S3Credentials,
    *,
    said: str,
    tried: Right,
) -> DeniedError | None:
    if code == "RequestTimeTooSkewed":
        return DeniedError(
            f"{location.endpoint} refuses requests from this machine",
            why="its clock and the clock of this machine differ by more than 15 minutes",
            next_step="Set the clock right",
        )
    if code in _EXPIRED_CODE:
        return DeniedError(
            f"the session of access key {credentials.access_key} has ended",
            why=f"{location.endpoint} says {said}",
            next_step="Get a new session token and write it into the Vault's Secret",
        )
    if code == "AccessDenied":
        return DeniedError(
            f"bucket {location.bucket} denies access key {credentials.access_key} to {tried}",
            why=f"{location.endpoint} says {said}",
            next_step=f"Give the key these rights on the bucket: {_RIGHTS[tried]}",
        )
    if status in _DENIED_STATUS:
        return DeniedError(
            f"bucket {location.bucket} denies access to access key {credentials.access_key}",
            why=f"{location.endpoint} says {said}",
            next_step="Check the key, its secret and its rights on the bucket",
        )
    return None


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
