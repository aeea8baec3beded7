"""A Vault in a real bucket, and what a check of it finds."""

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from appshield.errors import DeniedError, RefusedError
from appshield.local.embedded.process import free_port
from appshield.objectstore import S3Credentials, S3Location, S3ObjectStore, within
from appshield.objectstore.bucket import _client, ensure_bucket
from appshield.vault import (
    ApplicationIdentity,
    CheckLine,
    VaultAccess,
    VaultReport,
    check_vault,
    new_root_key,
    open_vault,
    vault_retention,
)
from s3_impostor import Reply, error_body, s3_impostor

EVERYTHING = [
    "reach the bucket",
    "root key",
    "list",
    "write",
    "read back",
    "find in a listing",
    "write only if absent",
    "delete",
    "versions",
    "object lock",
    "key of agents",
]


@pytest.fixture
def access(s3_folder: S3Location, s3_credentials: S3Credentials) -> VaultAccess:
    return VaultAccess("main", s3_folder, s3_credentials, new_root_key())


@pytest.fixture
def bucket(access: VaultAccess) -> Iterator[S3ObjectStore]:
    store = S3ObjectStore(access.location, access.credentials)
    yield store
    store.close()


def line(report: VaultReport, name: str) -> CheckLine:
    return next(line for line in report.lines if line.name == name)


def test_the_bucket_and_the_root_key_are_all_that_is_needed(access: VaultAccess) -> None:
    """Another process, knowing nothing else, finds the application and all that was kept."""
    vault = open_vault(access)
    vault.initialize()
    identity = ApplicationIdentity(
        "a-1", "cluster", "shop", "web", "uid-1", datetime(2026, 11, 1, tzinfo=UTC)
    )
    shelf = vault.application("a-1")
    shelf.write_identity(identity)
    password = shelf.repository_password()
    shelf.raise_highest_version(7)
    shelf.pin(3, by="somebody")
    digest = shelf.stage("b-1", b"manifests")

    found = open_vault(access)
    assert found.applications() == [identity]
    again = found.application("a-1")
    assert again.repository_password() == password
    assert again.highest_version() == 7
    assert again.pins() == {3}
    assert again.staged("b-1", digest) == b"manifests"


def test_races_on_a_real_bucket_end_with_one_vault_and_one_password(access: VaultAccess) -> None:
    """Of several that begin at once on an empty bucket, all see the same."""

    def begin(_: int) -> tuple[str, str]:
        vault = open_vault(access)
        vault.initialize()
        return vault.vault_id(), vault.application("a-1").repository_password()

    with ThreadPoolExecutor(4) as workers:
        assert len(set(workers.map(begin, range(4)))) == 1


def test_a_wrong_root_key_is_denied_on_a_real_bucket(access: VaultAccess) -> None:
    """And the check says it in its line."""
    open_vault(access).initialize()
    wrong = msgspec.structs.replace(access, root_key=new_root_key())
    with pytest.raises(DeniedError, match="root key"):
        open_vault(wrong).applications()
    report = check_vault(wrong)
    assert not report.ok
    assert [line.name for line in report.lines if not line.ok] == ["root key"]


def test_a_read_only_vault_is_read_and_not_written(access: VaultAccess) -> None:
    """Its check tries no write either."""
    open_vault(access).initialize()
    reading = msgspec.structs.replace(access, read_only=True)
    assert open_vault(reading).applications() == []
    with pytest.raises(RefusedError, match="read only"):
        open_vault(reading).application("a-1").pin(1, by="somebody")
    assert [line.name for line in check_vault(reading).lines] == EVERYTHING[:3]


def test_a_check_tries_everything_and_leaves_nothing(
    access: VaultAccess, bucket: S3ObjectStore
) -> None:
    """Before the Vault is set up, and after."""
    report = check_vault(access)
    assert report.ok, report
    assert [line.name for line in report.lines] == EVERYTHING
    assert "not set up yet" in line(report, "root key").detail
    assert list(bucket.list("")) == []
    open_vault(access).initialize()
    report = check_vault(access)
    assert report.ok, report
    assert "opens Vault" in line(report, "root key").detail
    assert [found.name for found in bucket.list("")] == ["vault.json"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bucket": f"missing-{secrets.token_hex(4)}"}, "does not exist"),
        ({"endpoint": f"http://127.0.0.1:{free_port()}"}, "cannot be reached"),
    ],
)
def test_a_check_says_why_the_bucket_is_not_reached(
    access: VaultAccess, change: dict[str, str], says: str
) -> None:
    """One line, and nothing else is tried."""
    location = msgspec.structs.replace(access.location, **change)
    report = check_vault(msgspec.structs.replace(access, location=location))
    assert not report.ok
    assert [line.name for line in report.lines] == ["reach the bucket"]
    assert says in report.lines[0].detail


def test_a_check_with_a_wrong_secret_says_so_without_it(access: VaultAccess) -> None:
    """The access key is named, no secret is shown."""
    wrong = S3Credentials(access.credentials.access_key, "wrong-secret")
    report = check_vault(msgspec.structs.replace(access, credentials=wrong))
    assert not report.ok
    assert access.credentials.access_key in report.lines[0].detail
    assert "wrong-secret" not in str(report)


def test_a_check_finds_a_clock_that_is_wrong(access: VaultAccess) -> None:
    """By the Date header of the service."""
    listing = b"<ListBucketResult></ListBucketResult>"
    late = Reply(200, listing, {"date": "Sun, 01 Nov 2020 00:00:00 GMT"})
    with s3_impostor(late) as impostor:
        location = S3Location(impostor.endpoint, "a-bucket")
        report = check_vault(msgspec.structs.replace(access, location=location))
    assert not report.ok
    assert "clocks differ" in report.lines[0].detail


def test_a_check_finds_rights_and_promises_that_are_missing(access: VaultAccess) -> None:
    """A denied write ends the writing part; an ignored condition is named."""
    page = Reply(200, b"<ListBucketResult></ListBucketResult>")
    no_marker = Reply(404, error_body("NoSuchKey"))
    with s3_impostor(page, no_marker, page, Reply(403, error_body("AccessDenied"))) as impostor:
        location = S3Location(impostor.endpoint, "a-bucket")
        report = check_vault(msgspec.structs.replace(access, location=location))
    assert [line.name for line in report.lines if not line.ok] == ["write"]
    with s3_impostor(page, no_marker, page) as impostor:  # says yes to everything, keeps nothing
        location = S3Location(impostor.endpoint, "a-bucket")
        report = check_vault(msgspec.structs.replace(access, location=location))
    assert not report.ok
    assert not line(report, "read back").ok
    assert not line(report, "delete").ok


def test_two_vaults_share_a_bucket_and_see_nothing_of_each_other(
    access: VaultAccess, bucket: S3ObjectStore
) -> None:
    """Each has a folder and a root key of its own."""
    prefix = access.location.prefix
    for name in ("one", "two"):
        location = msgspec.structs.replace(access.location, prefix=f"{prefix}{name}")
        own = VaultAccess(name, location, access.credentials, new_root_key())
        vault = open_vault(own)
        vault.initialize()
        vault.application("a-1").repository_password()
        assert {f.name for f in within(bucket, name).list("")} == {
            "vault.json",
            "applications/a-1/key",
        }


def test_a_check_says_what_the_store_can_do(access: VaultAccess) -> None:
    """Conditions, versions, deleting, object lock."""
    report = check_vault(access)
    assert line(report, "write only if absent").detail == "the service keeps the condition"
    assert line(report, "delete").detail == "this key may delete"
    assert line(report, "versions").detail == "the bucket keeps no versions"
    assert line(report, "object lock").detail == "not asked for, and not possible"


async def test_a_check_tries_the_object_lock_that_the_vault_asks_for(access: VaultAccess) -> None:
    """An object is kept for a moment and removed; a bucket that cannot keep is told."""
    asking = msgspec.structs.replace(access, retention=vault_retention("compliance", 30))
    report = await asyncio.to_thread(check_vault, asking)
    assert [line.name for line in report.lines if not line.ok] == ["object lock"]
    assert "made without object lock" in line(report, "object lock").detail

    location = msgspec.structs.replace(
        access.location, bucket=f"locked-{secrets.token_hex(6)}", prefix=""
    )
    await ensure_bucket(location, access.credentials, object_lock=True)
    asking = msgspec.structs.replace(asking, location=location)
    report = await asyncio.to_thread(check_vault, asking)
    assert report.ok, report
    assert line(report, "object lock").detail == "objects are kept for 30 days, mode compliance"
    assert "keeps versions" in line(report, "versions").detail
    store = S3ObjectStore(location, access.credentials)
    pages = await asyncio.to_thread(list, store._versions._pages("check/"))
    assert [page.versions for page in pages if page] == [()]


async def test_a_check_refuses_a_bucket_that_keeps_everything_by_itself(
    access: VaultAccess,
) -> None:
    """Locks of a repository could never be removed there."""
    bucket = f"locked-{secrets.token_hex(6)}"
    location = msgspec.structs.replace(access.location, bucket=bucket, prefix="")
    await ensure_bucket(location, access.credentials, object_lock=True)
    async with _client(location, access.credentials) as client:
        await client.put_object_lock_configuration(
            Bucket=bucket,
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        )
    with pytest.raises(RefusedError, match="default retention"):
        await ensure_bucket(location, access.credentials, object_lock=True)
    for retention in (None, vault_retention("governance", 30)):
        asking = msgspec.structs.replace(access, location=location, retention=retention)
        report = await asyncio.to_thread(check_vault, asking)
        assert not report.ok
