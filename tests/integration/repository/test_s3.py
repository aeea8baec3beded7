"""A repository in a real S3 service: created once, written, checked by the real restic."""

import asyncio

import pytest

from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore
from appshield.repository import Reader, Repository, check
from failing_store import names_in
from repository_content import PASSWORD, back_up, noise
from restic_binary import BUILD_TIMEOUT_S, Restic

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

FILES = {b"text": b"some text\n" * 10_000, b"noise": noise(6_000_000), b"empty": b""}


@pytest.fixture
def store(s3_folder: S3Location, s3_credentials: S3Credentials) -> S3ObjectStore:
    return S3ObjectStore(s3_folder, s3_credentials)


async def test_many_creators_at_once_make_one_repository(store: S3ObjectStore) -> None:
    """Conditional writes of the service decide."""
    creations = (asyncio.to_thread(Repository.create, store, PASSWORD) for _ in range(6))
    repositories = await asyncio.gather(*creations)
    assert len({repository.config.id for repository in repositories}) == 1
    assert len({repository.key.encrypt for repository in repositories}) == 1
    assert len(names_in(store, "keys")) == 1
    assert len(names_in(store, "")) == 2


async def test_restic_finds_our_repository_in_the_bucket_sound(
    store: S3ObjectStore, s3_folder: S3Location, s3_credentials: S3Credentials, restic: Restic
) -> None:
    """And so do we; every file comes back."""
    tree = await asyncio.to_thread(back_up, store, FILES, pack_bytes=500_000)
    repository = await asyncio.to_thread(Repository.open, store, PASSWORD)
    report = await asyncio.to_thread(check, repository, read_data=True)
    assert (report.errors, report.warnings) == ((), ())
    assert report.packs > 8
    reader = Reader(repository)
    for name, data in FILES.items():
        node = reader.find(tree, b"sub/" + name)
        assert b"".join(reader.iter_file(node)) == data
    location = f"s3:{s3_folder.endpoint}/{s3_folder.bucket}/{s3_folder.prefix}".rstrip("/")
    keys = {
        "AWS_ACCESS_KEY_ID": s3_credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_credentials.secret_key,
    }
    checked = await asyncio.to_thread(
        restic.run, location, PASSWORD, "check", "--read-data", environment=keys
    )
    assert b"no errors were found" in checked
