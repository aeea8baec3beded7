"""What is done to a bucket as a whole: make it, look at it. Asynchronous, over the SDK of AWS."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from appshield.errors import DeniedError, RefusedError
from appshield.objectstore.answers import error_for, unreachable
from appshield.objectstore.location import S3Credentials, S3Location

DEADLINE_S = 60.0
"""Longest time for a call here, its retries included."""

UNFINISHED_DAYS = 7
"""So old an unfinished upload in parts may become. AppShield makes none; other clients of a
repository do, and what they leave behind is in no listing and is paid for."""

_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_NOT_THERE = frozenset({"404", "NoSuchBucket"})
_NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented",
                      "NoSuchObjectLockConfiguration"})  # fmt: skip
_NO_LIFECYCLE = frozenset({"NoSuchLifecycleConfiguration"})
_MAY_LACK = frozenset({"NotImplemented", "MethodNotAllowed", "AccessDenied", "InvalidArgument"})
_DENIED = frozenset({"AccessDenied", "403"})


class BucketFacts(msgspec.Struct, frozen=True):
    """What a bucket is like; None where there is no right to ask."""

    exists: bool
    versioned: bool | None = False
    object_lock: bool | None = False
    default_retention: bool = False
    """Whether it keeps each object for some time by itself, locks included."""
    clock_ahead_s: float | None = None
    """How far the service's clock is ahead of ours; None when it does not tell."""


async def ensure_bucket(
    location: S3Location, credentials: S3Credentials, *, object_lock: bool = False
) -> bool:
    """Make the bucket unless it is there; return whether it was made.

    With `object_lock` it can keep objects from being deleted, which only a bucket that was made so
    can; versions are then kept, too, and what is unfinished for a week is removed.

    Raises:
        UnavailableError: the service cannot be reached or did not do it.
        DeniedError: no right to use, or to make, this bucket.
        InvalidInputError: the bucket is in another region.
        RefusedError: it is there and cannot keep objects, or keeps all of them.
    """
    async with _client(location, credentials) as client:
        made = False
        if await _code_of(client.head_bucket(Bucket=location.bucket), _NOT_THERE):
            made = await _make(client, location, credentials, object_lock=object_lock)
        if made:
            await _remove_what_stays_unfinished(client, location)
        if object_lock:
            require_object_lock(await _facts(client, location), location)
        return made


async def probe(location: S3Location, credentials: S3Credentials) -> BucketFacts:
    """Return what the bucket is like.

    Raises:
        UnavailableError: the service cannot be reached.
        DeniedError: wrong key or secret, or no right to use the bucket.
        InvalidInputError: the bucket is in another region.
    """
    async with _client(location, credentials) as client:
        if await _code_of(client.head_bucket(Bucket=location.bucket), _NOT_THERE):
            return BucketFacts(exists=False)
        return await _facts(client, location)


def require_object_lock(facts: BucketFacts, location: S3Location) -> None:
    """Raise RefusedError unless objects of the bucket can be kept, one by one."""
    if facts.object_lock is False:
        raise RefusedError(
            f"bucket {location.bucket} cannot keep objects from being deleted",
            why="it was made without object lock, and the Vault asks for it",
            next_step="Name a bucket that does not exist, which is then made with object lock, "
            "or leave the object lock out of the Vault",
        )
    if facts.default_retention:
        raise RefusedError(
            f"bucket {location.bucket} keeps every object by itself",
            why="it has a default retention, and so the locks of a repository could never be "
            "removed",
            next_step="Remove the default retention from the bucket; AppShield keeps each object "
            "that a version needs",
        )


async def _make(
    client: Any,  # noqa: ANN401 - the SDK has no types
    location: S3Location,
    credentials: S3Credentials,
    *,
    object_lock: bool,
) -> bool:
    asked: dict[str, Any] = {"Bucket": location.bucket}
    if location.region != "us-east-1":
        asked["CreateBucketConfiguration"] = {"LocationConstraint": location.region}
    if object_lock:
        asked["ObjectLockEnabledForBucket"] = True
    code = await _code_of(client.create_bucket(**asked), _OURS_ALREADY | _DENIED)
    if code in _DENIED:
        raise DeniedError(
            f"bucket {location.bucket} does not exist and cannot be made",
            why=f"access key {credentials.access_key} has no right to make buckets at "
            f"{location.endpoint}",
            next_step="Make the bucket, or correct its name, or use a key with that right",
        )
    if code in _OURS_ALREADY:
        await client.head_bucket(Bucket=location.bucket)  # ours, or somebody else's?
    return code == ""


async def _remove_what_stays_unfinished(
    client: Any,  # noqa: ANN401 - the SDK has no types
    location: S3Location,
) -> None:
    """Ask the service to remove unfinished uploads, if it can; a rule that is there stays."""
    asking = client.get_bucket_lifecycle_configuration(Bucket=location.bucket)
    if await _code_of(asking, _NO_LIFECYCLE | _MAY_LACK) not in _NO_LIFECYCLE:
        return
    rule = {
        "ID": "appshield-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    }
    setting = client.put_bucket_lifecycle_configuration(
        Bucket=location.bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    await _code_of(setting, _MAY_LACK)


async def _facts(client: Any, location: S3Location) -> BucketFacts:  # noqa: ANN401 - no types
    versioned, ahead_s = await _versioned(client, location)
    object_lock, default_retention = await _locking(client, location)
    return BucketFacts(
        exists=True,
        versioned=versioned,
        object_lock=object_lock,
        default_retention=default_retention,
        clock_ahead_s=ahead_s,
    )


async def _versioned(
    client: Any,  # noqa: ANN401 - the SDK has no types
    location: S3Location,
) -> tuple[bool | None, float | None]:
    from botocore.exceptions import ClientError

    try:
        answer = await client.get_bucket_versioning(Bucket=location.bucket)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code == "NotImplemented":
            return False, _clock_ahead_s(error.response)
        if code in _DENIED:
            return None, _clock_ahead_s(error.response)
        raise
    return answer.get("Status") == "Enabled", _clock_ahead_s(answer)


async def _locking(
    client: Any,  # noqa: ANN401 - the SDK has no types
    location: S3Location,
) -> tuple[bool | None, bool]:
    """Tell whether objects can be kept, and whether all of them are."""
    from botocore.exceptions import ClientError

    try:
        answer = await client.get_object_lock_configuration(Bucket=location.bucket)
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code in _NO_LOCK:
            return False, False
        if code in _DENIED:
            return None, False
        raise
    configured = answer.get("ObjectLockConfiguration", {})
    return configured.get("ObjectLockEnabled") == "Enabled", bool(configured.get("Rule"))


async def _code_of(call: Awaitable[object], expected: frozenset[str]) -> str:
    """Wait for a call; return its error code if it is an expected one, or an empty text."""
    from botocore.exceptions import ClientError

    try:
        await call
    except ClientError as error:
        code = str(error.response["Error"].get("Code", ""))
        if code not in expected:
            raise
        return code
    return ""


def _clock_ahead_s(answer: dict[str, Any]) -> float | None:
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if told is None:
        return None
    return (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()


@asynccontextmanager
async def _client(location: S3Location, credentials: S3Credentials) -> AsyncIterator[Any]:
    """Open a client and turn what it raises into our errors."""
    from aioboto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session = Session(
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        region_name=location.region,
    )
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 3, "mode": "standard"},
        s3={"addressing_style": location.addressing},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        with _authorities(location) as file:
            opened = session.client(
                "s3", endpoint_url=location.endpoint, verify=file, config=config
            )
            async with asyncio.timeout(DEADLINE_S), opened as client:
                yield client
    except ClientError as error:
        told = error.response.get("Error", {})
        answer = error.response.get("ResponseMetadata", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        raise error_for(
            answer.get("HTTPStatusCode", 0),
            code,
            message,
            location,
            credentials,
            region=answer.get("HTTPHeaders", {}).get("x-amz-bucket-region", ""),
        ) from error
    except (BotoCoreError, TimeoutError, OSError) as error:
        raise unreachable(error, location) from error


@contextmanager
def _authorities(location: S3Location) -> Iterator[str | None]:
    """Name a file with the authorities to trust: the SDK takes no other form."""
    if location.ca_pem is None:
        yield location.ca_file
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(location.ca_pem)
        file.flush()
        yield file.name
