"""Errors and the control plane of a bucket, against the real server."""

import asyncio
import secrets

import pytest

from appshield.errors import DeniedError, NotFoundError, UnavailableError
from appshield.local.embedded.process import free_port
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, S3Patience
from appshield.objectstore.bucket import ensure_bucket, probe


def test_a_wrong_secret_is_denied_and_named_without_it(
    s3_folder: S3Location, s3_credentials: S3Credentials
) -> None:
    """The message names the bucket and the access key."""
    wrong = S3Credentials(s3_credentials.access_key, "wrong-secret")
    with pytest.raises(DeniedError) as raised:
        S3ObjectStore(s3_folder, wrong).put("x", b"")
    text = str(raised.value)
    assert s3_folder.bucket in text
    assert wrong.access_key in text
    assert "wrong-secret" not in text
    assert s3_credentials.secret_key not in text


def test_every_call_denies_an_unknown_key(s3_folder: S3Location) -> None:
    """Also those whose answer has no body to explain it."""
    store = S3ObjectStore(s3_folder, S3Credentials("nobody", "wrong-secret"))
    for ask in (store.get, store.size, store.delete, lambda name: list(store.list(name))):
        with pytest.raises(DeniedError, match="nobody"):
            ask("x")


def test_a_missing_bucket_is_not_made_by_a_put(
    s3_folder: S3Location, s3_credentials: S3Credentials
) -> None:
    """A typing error in the bucket's name is found, not turned into a new bucket."""
    missing = S3Location(s3_folder.endpoint, f"missing-{secrets.token_hex(4)}")
    store = S3ObjectStore(missing, s3_credentials)
    for ask in (lambda: store.put("x", b""), lambda: store.get("x"), lambda: store.size("x")):
        with pytest.raises(NotFoundError, match=missing.bucket):
            ask()


async def test_a_bucket_is_made_once(s3_folder: S3Location, s3_credentials: S3Credentials) -> None:
    """Of several who ensure it at once one makes it; asking again changes nothing."""
    location = S3Location(s3_folder.endpoint, f"made-{secrets.token_hex(4)}")
    assert not (await probe(location, s3_credentials)).exists
    made = await asyncio.gather(*(ensure_bucket(location, s3_credentials) for _ in range(4)))
    assert any(made)
    assert not await ensure_bucket(location, s3_credentials)
    facts = await probe(location, s3_credentials)
    assert facts.exists
    assert not facts.versioned
    assert not facts.object_lock
    assert facts.clock_ahead_s is not None
    assert abs(facts.clock_ahead_s) < 10
    store = S3ObjectStore(location, s3_credentials)
    await asyncio.to_thread(store.put, "x", b"content")
    assert await asyncio.to_thread(store.get, "x") == b"content"


async def test_the_control_plane_denies_a_wrong_secret(
    s3_folder: S3Location, s3_credentials: S3Credentials
) -> None:
    """With the same error as the data plane."""
    wrong = S3Credentials(s3_credentials.access_key, "wrong-secret")
    with pytest.raises(DeniedError, match=s3_folder.bucket):
        await ensure_bucket(s3_folder, wrong)
    with pytest.raises(DeniedError, match=s3_folder.bucket):
        await probe(s3_folder, wrong)


async def test_an_endpoint_where_nobody_listens_is_named_by_both_planes() -> None:
    """Data and control plane tell the same."""
    location = S3Location(f"http://127.0.0.1:{free_port()}", "a-bucket")
    credentials = S3Credentials("key", "secret")
    with pytest.raises(UnavailableError, match=location.endpoint):
        await probe(location, credentials)
    store = S3ObjectStore(location, credentials, patience=S3Patience(attempts=2))
    with pytest.raises(UnavailableError, match=location.endpoint):
        await asyncio.to_thread(store.get, "x")
