"""Committing in a real object store with a real bus: one run is one version, whoever commits."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from appshield.bus import Bus
from appshield.contracts.agents import CommitRecord
from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    SourcesLost,
    VersionFacts,
)
from appshield.contracts.sources import StoredSource
from appshield.contracts.streams import COMMITS
from appshield.custody import Custody
from appshield.errors import UnavailableError
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import ObjectRetainedError, S3Credentials, S3Location
from appshield.objectstore.bucket import ensure_bucket
from appshield.repository import SnapshotDocument, Writer, check
from appshield.repository.files import store_documents
from appshield.uploader.committing import Committing
from appshield.vault import Vault, VaultAccess, new_root_key, open_vault, vault_retention
from embedded_bus import APP
from wanted_step import WantedStep

APP_ID = "a-1"
CUT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


class OneVault:
    """The only Vault that there is."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def open(self, name: str) -> Vault:
        assert name == self._vault.name
        return self._vault


class Bench:
    """One application in one Vault, and uploaders to commit its run."""

    def __init__(self, bus: Bus, vault: Vault) -> None:
        self.bus = bus
        self.vaults: Any = OneVault(vault)
        self.run = f"b-{uuid4().hex[:20]}"
        self.commits = bus.bucket(COMMITS, CommitRecord)

    def custody(self, worker: str) -> Custody:
        return Custody(bus=self.bus, vaults=self.vaults, worker=worker)

    async def store(self) -> StoredSource:
        """Store a source as an uploader does."""
        async with self.custody("storing").held("main", APP_ID, create=True) as held:
            with Writer(held.repository, held.lock) as writer:
                tree = store_documents({"manifests/secret/a.json": b"{}"}, writer, mtime_ns=0)
        return StoredSource(name="manifests", kind="manifests", tree=tree.hex())

    async def commit(
        self, source: StoredSource, worker: str = "one", *, dies: bool = False
    ) -> BackupStored | BackupUnchanged | SourcesLost:
        """Commit as one uploader."""
        facts = VersionFacts(
            app=APP,
            app_id=APP_ID,
            uid="uid-1",
            number=1,
            run=self.run,
            revision="r1",
            consistency="crash-group",
            cut_at=CUT_AT,
            trigger="manual",
            sources=(source,),
        )
        order = CommitBackup(
            app=APP,
            run=self.run,
            step="commit",
            attempt=1,
            epoch=1,
            app_id=APP_ID,
            vault="main",
            facts=facts,
        )
        committing = Committing(bus=self.bus, custody=self.custody(worker))
        return await committing.commit(order, WantedStep(dies=dies))

    async def snapshots(self) -> list[tuple[str, SnapshotDocument]]:
        """List what is in the repository; all of it is whole."""
        async with self.custody("looking").held("main", APP_ID) as held:
            report = await asyncio.to_thread(check, held.repository, read_data=True)
            assert report.errors == ()
            return await asyncio.to_thread(held.repository.snapshots)

    async def forget_unnamed_data(self) -> None:
        """Remove what no version names, as a stock prune may once a dead worker's lock is gone."""
        shelf = await self.custody("pruning").shelf("main", APP_ID)
        store = shelf.repository_store
        for found in [*store.list("data"), *store.list("index")]:
            store.delete(found.name)


@pytest.fixture
def bench(bus: Bus, s3_folder: S3Location, s3_credentials: S3Credentials) -> Bench:
    vault = open_vault(VaultAccess("main", s3_folder, s3_credentials, new_root_key()))
    vault.initialize()
    return Bench(bus, vault)


@pytest.fixture
async def keeping(bus: Bus, s3_server: EmbeddedObjectStore) -> Bench:
    """The same in a Vault with object lock."""
    location = s3_server.location(bucket=f"locked-{uuid4().hex[:12]}")
    await ensure_bucket(location, s3_server.credentials, object_lock=True)
    vault = open_vault(
        VaultAccess(
            "main",
            location,
            s3_server.credentials,
            new_root_key(),
            retention=vault_retention("compliance", 0.04),
        )
    )
    vault.initialize()
    return Bench(bus, vault)


def _kind(name: str) -> str:
    """Name the folder, or what lies at the top of one."""
    below = name.removeprefix(f"applications/{APP_ID}/").removeprefix("repository/")
    return below.partition("/")[0]


def _id(outcome: BackupStored | BackupUnchanged | SourcesLost) -> str:
    assert isinstance(outcome, BackupStored)
    return outcome.snapshot_id


async def test_two_uploaders_that_commit_one_run_at_once_make_one_version(bench: Bench) -> None:
    """Both answer with the same snapshot."""
    source = await bench.store()
    first, second = await asyncio.gather(bench.commit(source, "one"), bench.commit(source, "two"))
    assert _id(first) == _id(second)
    assert [snapshot for snapshot, _ in await bench.snapshots()] == [_id(first)]


async def test_a_commit_after_the_record_was_lost_finds_its_version_in_the_repository(
    bench: Bench,
) -> None:
    """The bucket is the truth."""
    source = await bench.store()
    first = await bench.commit(source)
    await bench.commits.delete(bench.run)
    assert _id(await bench.commit(source, "two")) == _id(first)
    assert [snapshot for snapshot, _ in await bench.snapshots()] == [_id(first)]


async def test_a_successor_publishes_the_very_document_that_a_killed_uploader_sealed(
    bench: Bench,
) -> None:
    """Its name was promised; nothing is sealed anew."""
    source = await bench.store()
    with pytest.raises(UnavailableError):
        await bench.commit(source, dies=True)
    assert await bench.snapshots() == []
    record = await bench.commits.get(bench.run)
    assert record is not None
    assert _id(await bench.commit(source, "two")) == record.value.snapshot_id


async def test_a_sealed_document_whose_data_is_gone_makes_no_version(bench: Bench) -> None:
    """The source is told lost; stored again it becomes the one version, and that is whole."""
    source = await bench.store()
    with pytest.raises(UnavailableError):
        await bench.commit(source, dies=True)
    await bench.forget_unnamed_data()
    lost = await bench.commit(source, "two")
    assert isinstance(lost, SourcesLost)
    assert lost.sources == ("manifests",)
    again = await bench.store()
    made = await bench.commit(again, "two")
    assert [snapshot for snapshot, _ in await bench.snapshots()] == [_id(made)]


async def test_only_what_was_joined_is_lost_and_is_joined_again(bench: Bench) -> None:
    """The sources are whole: the document is sealed anew, once for two uploaders."""
    source = await bench.store()
    with pytest.raises(UnavailableError):
        await bench.commit(source, dies=True)
    await bench.forget_unnamed_data()
    assert msgspec.structs.replace(await bench.store(), name=source.name) == source
    first, second = await asyncio.gather(bench.commit(source, "one"), bench.commit(source, "two"))
    assert _id(first) == _id(second)
    assert [snapshot for snapshot, _ in await bench.snapshots()] == [_id(first)]


async def test_a_version_of_a_vault_with_object_lock_cannot_be_deleted(keeping: Bench) -> None:
    """What it needs to be restored is kept, beside its repository too; all else can go."""
    made = await keeping.commit(await keeping.store())
    assert [snapshot for snapshot, _ in await keeping.snapshots()] == [_id(made)]
    vault: Vault = await keeping.vaults.open("main")
    store = vault._objects.store
    kept, gone = set(), set()
    for name in [found.name for found in store.list("")]:
        try:
            store.delete(name)
        except ObjectRetainedError:
            kept.add(_kind(name))
        else:
            gone.add(_kind(name))
    whole = {"config", "keys", "data", "index", "snapshots"}
    assert kept == {"vault.json", "key", "recovery"} | whole
    assert gone == {"highest"}
