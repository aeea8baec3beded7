"""Objects that cannot be deleted, on a real bucket with object lock."""

import asyncio
import secrets

import pytest
from msgspec.structs import replace

from appshield.errors import RefusedError
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import (
    ObjectMissingError,
    ObjectRetainedError,
    ObjectStore,
    Retention,
    S3Credentials,
    S3Location,
    S3ObjectStore,
    retaining,
)
from appshield.objectstore.bucket import ensure_bucket, probe
from appshield.objectstore.retention import LockMode
from appshield.repository import Repository, check
from appshield.repository.locks import RepositoryLock
from appshield.repository.retaining import KEPT_NAMES, retain_version
from failing_store import names_in
from repository_content import PASSWORD, SWIFT, back_up, noise
from waiting import wait_until

SHORT_S = 4.0
LONG_S = 3600.0


def kept(lasts_s: float, mode: LockMode = "governance") -> Retention:
    return Retention(mode, lasts_s, KEPT_NAMES)


@pytest.fixture
async def locked(s3_server: EmbeddedObjectStore) -> S3Location:
    """A bucket of its own that can keep objects."""
    location = s3_server.location(bucket=f"locked-{secrets.token_hex(6)}")
    assert await ensure_bucket(location, s3_server.credentials, object_lock=True)
    return location


def versions(store: S3ObjectStore) -> list[str]:
    """Name every version and marker in the bucket."""
    keys: list[str] = []
    for page in store._versions._pages(""):
        assert page is not None
        keys += [version.key for version in page.versions]
    return keys


async def test_a_bucket_for_object_lock_is_made_once_and_one_without_it_is_told(
    locked: S3Location, s3_folder: S3Location, s3_credentials: S3Credentials
) -> None:
    """An existing bucket is not changed, and what it lacks is said with what to do."""
    assert not await ensure_bucket(locked, s3_credentials, object_lock=True)
    facts = await probe(locked, s3_credentials)
    assert facts.versioned
    assert facts.object_lock
    assert not facts.default_retention
    with pytest.raises(RefusedError, match=r"made without object lock.*Name a bucket"):
        await ensure_bucket(s3_folder, s3_credentials, object_lock=True)


@pytest.mark.parametrize("mode", ["governance", "compliance"])
async def test_deletion_is_refused_before_the_date_and_works_after_it(
    locked: S3Location, s3_credentials: S3Credentials, mode: LockMode
) -> None:
    """The error says until when; afterwards nothing is left behind, no version and no marker."""
    store = S3ObjectStore(locked, s3_credentials, retention=kept(SHORT_S, mode))
    await asyncio.to_thread(store.put, "data/ab/pack", b"content")
    with pytest.raises(ObjectRetainedError, match="data/ab/pack") as raised:
        await asyncio.to_thread(store.delete, "data/ab/pack")
    assert raised.value.until is not None
    assert await asyncio.to_thread(store.get, "data/ab/pack") == b"content"

    def gone() -> bool:
        try:
            store.delete("data/ab/pack")
        except ObjectRetainedError:
            return False
        return True

    await wait_until(lambda: asyncio.to_thread(gone), deadline_s=30, what="deleted", every_s=0.5)
    assert await asyncio.to_thread(store.size, "data/ab/pack") is None
    assert await asyncio.to_thread(versions, store) == []


def test_what_comes_and_goes_leaves_nothing_behind(
    locked: S3Location, s3_credentials: S3Credentials
) -> None:
    """Not even a delete marker, also where the store did not expect that versions are kept."""
    for retention in (kept(LONG_S), None):
        store = S3ObjectStore(locked, s3_credentials, retention=retention)
        for name in ("locks/1", "locks/2", "locks/2"):
            store.put(name, b"x")
        for name in ("locks/1", "locks/2", "locks/2", "locks/never"):
            store.delete(name)
        assert versions(store) == []


def test_an_object_that_was_written_twice_stays_readable_when_its_deletion_is_refused(
    locked: S3Location, s3_credentials: S3Credentials
) -> None:
    """Any version that is kept keeps the whole object."""
    store = S3ObjectStore(locked, s3_credentials, retention=kept(LONG_S))
    plain = S3ObjectStore(locked, s3_credentials)
    store.put("config", b"first")
    plain.put("config", b"second")
    for deleting in (store, plain):
        with pytest.raises(ObjectRetainedError):
            deleting.delete("config")
        assert deleting.get("config") == b"second"


def test_extending_keeps_an_old_object_and_misses_a_missing_one(
    locked: S3Location, s3_credentials: S3Credentials
) -> None:
    """Also one that was written without any retention; one that is fresh is left alone."""
    store = S3ObjectStore(locked, s3_credentials, retention=kept(LONG_S))
    S3ObjectStore(locked, s3_credentials).put("config", b"old")
    store.retain("config")
    with pytest.raises(ObjectRetainedError) as first:
        store.delete("config")
    store.retain("config")
    with pytest.raises(ObjectRetainedError) as second:
        store.delete("config")
    assert first.value.until == second.value.until
    longer = S3ObjectStore(locked, s3_credentials, retention=kept(2 * LONG_S))
    longer.retain("config")
    with pytest.raises(ObjectRetainedError) as third:
        store.delete("config")
    assert third.value.until is not None
    assert second.value.until is not None
    assert third.value.until > second.value.until
    with pytest.raises(ObjectMissingError):
        store.retain("keys/none")


def test_a_repository_keeps_everything_but_its_locks(
    locked: S3Location, s3_credentials: S3Credentials
) -> None:
    """Each file of two backups is kept, no lock is left, and the repository is sound."""
    store = S3ObjectStore(
        replace(locked, prefix="repository"), s3_credentials, retention=kept(LONG_S)
    )
    back_up(store, {b"a": noise(200_000), b"b": noise(10_000, 1)})
    back_up(store, {b"a": noise(200_000), b"c": noise(10_000, 2)})
    every = names_in(store, "")
    assert {name.partition("/")[0] for name in every} == {
        "config",
        "keys",
        "index",
        "data",
        "snapshots",
    }
    for name in every:
        with pytest.raises(ObjectRetainedError):
            store.delete(name)
    assert names_in(store, "") == every
    report = check(Repository.open(store, PASSWORD), read_data=True)
    assert report.is_sound, report
    assert not [key for key in versions(store) if "/locks/" in key]


def test_a_new_version_keeps_the_old_packs_that_it_needs(
    locked: S3Location, s3_credentials: S3Credentials
) -> None:
    """What was stored without retention is kept as long as the version; the rest is not."""
    location = replace(locked, prefix="repository")
    plain = S3ObjectStore(location, s3_credentials)
    needed = back_up(plain, {b"a": noise(300_000)})
    before = set(names_in(plain, "data"))
    back_up(plain, {b"b": noise(300_000, 1)})
    useless = set(names_in(plain, "data")) - before
    store = S3ObjectStore(location, s3_credentials, retention=kept(LONG_S))
    repository = Repository.open(store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="test", timing=SWIFT):
        count = retain_version(repository, needed)
    assert count == 1 + 1 + len(names_in(store, "index")) + len(before)
    for name in ("config", *names_in(store, "keys"), *names_in(store, "index"), *before):
        assert is_kept(store, name), name
    for name in useless:
        assert not is_kept(store, name), name


def is_kept(store: ObjectStore, name: str) -> bool:
    """Try to delete."""
    assert retaining(store) is not None
    try:
        store.delete(name)
    except ObjectRetainedError:
        return True
    return False
