"""What is done to a bucket as a whole: make it, look at it. Asynchronous, over the SDK of AWS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from appshield.objectstore.answers import error_for, unreachable
from appshield.objectstore.location import S3Credentials, S3Location

DEADLINE_S = 60.0
"""Longest time for a call here, its retries included."""

_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_NOT_THERE = frozenset({"404", "NoSuchBucket"})
_NOT_SET = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented"})


class BucketFacts(msgspec.Struct, frozen=True):
    """What a bucket is like."""

    exists: bool
    versioned: bool = False
    object_lock: bool = False
    clock_ahead_s: float | None = None
    """How far the service's clock is ahead of ours; None when it does not tell."""


async def ensure_bucket(location: S3Location, credentials: S3Credentials) -> bool:
    """Make the bucket unless it is there; return whether it was made.

    Raises:
        UnavailableError: the service cannot be reached or did not do it.
        DeniedError: no right to use, or to make, this bucket.
    """
    async with _client(location, credentials) as client:
        if await _code_of(client.head_bucket(Bucket=location.bucket), _NOT_THERE) == "":
            return False
        elsewhere = (
            {}
            if location.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": location.region}}
        )
        made = await _code_of(
            client.create_bucket(Bucket=location.bucket, **elsewhere), _OURS_ALREADY
        )
        if made in _OURS_ALREADY:
            await client.head_bucket(Bucket=location.bucket)  # ours, or somebody else's?
        return made == ""


async def probe(location: S3Location, credentials: S3Credentials) -> BucketFacts:
    """Return what the bucket is like.

    Raises:
        UnavailableError: the service cannot be reached.
        DeniedError: wrong key or secret, or no right to look.
    """
    async with _client(location, credentials) as client:
        if await _code_of(client.head_bucket(Bucket=location.bucket), _NOT_THERE):
            return BucketFacts(exists=False)
        versioning = await client.get_bucket_versioning(Bucket=location.bucket)
        lock = await _code_of(
            client.get_object_lock_configuration(Bucket=location.bucket), _NOT_SET
        )
        return BucketFacts(
            exists=True,
            versioned=versioning.get("Status") == "Enabled",
            object_lock=lock == "",
            clock_ahead_s=_clock_ahead_s(versioning),
        )


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
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if told is None:
        return None
    return (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()


@asynccontextmanager
async def _client(location: S3Location, credentials: S3Credentials) -> AsyncIterator[Any]:
    """Open a client and turn what it raises into our errors."""
    from aioboto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session = Session(  # type: ignore[no-untyped-call] # the SDK has no types
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        region_name=location.region,
    )
    config = Config(  # type: ignore[no-untyped-call] # the SDK has no types
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 3, "mode": "standard"},
        s3={"addressing_style": location.addressing},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    opened = session.client(
        "s3", endpoint_url=location.endpoint, verify=location.ca_file, config=config
    )
    try:
        async with asyncio.timeout(DEADLINE_S), opened as client:
            yield client
    except ClientError as error:
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        raise error_for(status, code, message, location, credentials) from error
    except (BotoCoreError, TimeoutError, OSError) as error:
        raise unreachable(error, location) from error
