"""The embedded S3 server, one for the whole test session, and a fresh bucket for each test."""

import secrets
from collections.abc import AsyncIterator

import pytest

from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import S3Credentials, S3Location
from appshield.objectstore.bucket import ensure_bucket


@pytest.fixture(scope="session")
async def s3_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedObjectStore]:
    """A running server; tests share it, each with a folder or bucket of its own."""
    async with EmbeddedObjectStore(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_credentials(s3_server: EmbeddedObjectStore) -> S3Credentials:
    """The right key."""
    return s3_server.credentials


@pytest.fixture
def s3_folder(s3_server: EmbeddedObjectStore) -> S3Location:
    """A folder of the server's bucket that nobody else uses."""
    return s3_server.location(prefix=f"test-{secrets.token_hex(8)}/")


@pytest.fixture
async def s3_bucket(s3_server: EmbeddedObjectStore) -> S3Location:
    """A bucket that nobody else uses."""
    location = s3_server.location(bucket=f"test-{secrets.token_hex(8)}")
    await ensure_bucket(location, s3_server.credentials)
    return location
