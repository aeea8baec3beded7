"""Copying between two real Vaults with a real bus: killed, raced, kept, and checked by restic."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from appshield.bus import Bus, BusAccess, connect_bus
from appshield.capture.layout import app_tag, run_tag, version_tag
from appshield.contracts.backups import VersionFacts
from appshield.contracts.maintenance import CopyVersion, NamedVersion, VersionCopied
from appshield.custody import Custody
from appshield.errors import NotFoundError
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore import ObjectRetainedError, S3Credentials, S3Location
from appshield.objectstore.bucket import ensure_bucket
from appshield.repository import SnapshotDocument, Writer, check, seal_snapshot
from appshield.repository.files import store_documents
from appshield.uploader.copying import Copying
from appshield.vault import Vault, VaultAccess, new_root_key, open_vault, vault_retention
from embedded_bus import APP
from repository_content import noise
from restic_binary import BUILD_TIMEOUT_S, Restic
from waiting import wait_until
from wanted_step import WantedStep

CUT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILES = 60
FILE_BYTES = 1_000_000


class Later:
    """A clock that is a day ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


class Bench:
    """One application in the Vault `first`, copied to `second`, and uploaders to do that."""

    def __init__(self, bus: Bus, first: VaultAccess, second: VaultAccess) -> None:
        self.bus = bus
        self.access = {"first": first, "second": second}
        self.app_id = f"a-{uuid4().hex[:20]}"
        for name in self.access:
            self.vault(name).initialize()

    def vault(self, name: str) -> Vault:
        return open_vault(self.access[name])

    async def open(self, name: str) -> Vault:
        if name not in self.access:
            raise NotFoundError(f"there is no Vault {name}")
        return self.vault(name)

    def custody(self, worker: str) -> Custody:
        vaults: Any = self
        return Custody(bus=self.bus, vaults=vaults, worker=worker)

    async def back_up(self, number: int, files: int = 3) -> NamedVersion:
        """Make a version in the first Vault as a commit does."""
        run = f"b-{uuid4().hex[:20]}"
        facts = VersionFacts(
            app=APP,
            app_id=self.app_id,
            uid="uid-1",
            number=number,
            run=run,
            revision="r1",
            consistency="crash-group",
            cut_at=CUT_AT,
            trigger="manual",
        )
        content = {f"volumes/data/{n}": noise(FILE_BYTES, n) for n in range(files)}
        content["appshield/version.json"] = msgspec.json.encode(facts)
        tags = (app_tag(self.app_id), version_tag(number), run_tag(run))
        async with self.custody("storing").held("first", self.app_id, create=True) as held:

            def store() -> str:
                with Writer(held.repository, held.lock) as writer:
                    tree = store_documents(content, writer, mtime_ns=0)
                document = SnapshotDocument(
                    time=CUT_AT, tree=tree.hex(), paths=("/shop/web",), hostname="t", tags=tags
                )
                sealed = seal_snapshot(held.repository, document)
                held.repository.publish_snapshot(sealed, lock=held.lock)
                return sealed.snapshot_id

            snapshot_id = await asyncio.to_thread(store)
        return NamedVersion(number=number, snapshot_id=snapshot_id)

    def order(self, version: NamedVersion) -> CopyVersion:
        return CopyVersion(
            app=APP,
            run=f"c-{uuid4().hex[:20]}",
            step="copy",
            attempt=1,
            epoch=1,
            app_id=self.app_id,
            vault="second",
            source="first",
            version=version,
        )

    async def copy(self, version: NamedVersion, worker: str = "one") -> VersionCopied:
        """Copy as one uploader."""
        copying = Copying(bus=self.bus, custody=self.custody(worker))
        return await copying.copy(self.order(version), WantedStep())

    async def copies(self) -> list[str]:
        """List what is in the second Vault; all of it is whole."""
        async with self.custody("looking").held("second", self.app_id) as held:
            report = await asyncio.to_thread(check, held.repository, read_data=True)
            assert report.errors == ()
            found = await asyncio.to_thread(held.repository.snapshots)
        return [snapshot_id for snapshot_id, _ in found]

    def packs(self) -> int:
        """Count the packs in the second Vault."""
        shelf = self.vault("second").application(self.app_id)
        return sum(1 for _ in shelf.repository_store.list("data"))

    async def sweep_later(self) -> None:
        """Let a successor remove the locks of workers that are dead for long."""
        vaults: Any = self
        await Custody(bus=self.bus, vaults=vaults, worker="sweeping", clock=Later()).sweep()
        for name in self.access:
            store = self.vault(name).application(self.app_id).repository_store
            assert [one.name for one in store.list("locks")] == []

    def url(self, name: str) -> str:
        """Say where a stock restic finds the repository of a Vault."""
        place = self.access[name].location
        path = f"{place.bucket}/{place.prefix}/applications/{self.app_id}/repository"
        return f"s3:{place.endpoint}/{path.replace('//', '/')}"

    def password(self, name: str) -> str:
        return self.vault(name).application(self.app_id).repository_password()

    def stock(self, restic: Restic, name: str, *arguments: str) -> bytes:
        """Run a stock restic on a Vault; the other Vault is what it copies from."""
        credentials = self.access[name].credentials
        other = "first" if name == "second" else "second"
        return restic.run(
            self.url(name),
            self.password(name),
            *arguments,
            environment={
                "AWS_ACCESS_KEY_ID": credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
                "RESTIC_FROM_REPOSITORY": self.url(other),
                "RESTIC_FROM_PASSWORD": self.password(other),
            },
        )

    def checked(self, restic: Restic, name: str) -> None:
        """Let a stock restic read all data of a Vault's repository, without `unlock`."""
        output = self.stock(restic, name, "check", "--read-data")
        assert b"no errors were found" in output, output


@pytest.fixture
def bench(bus: Bus, s3_server: EmbeddedObjectStore, s3_credentials: S3Credentials) -> Bench:
    def access(name: str) -> VaultAccess:
        location = s3_server.location(prefix=f"{name}-{uuid4().hex[:12]}")
        return VaultAccess(name, location, s3_credentials, new_root_key())

    return Bench(bus, access("first"), access("second"))


@pytest.fixture
async def keeping(
    bus: Bus, s3_server: EmbeddedObjectStore, s3_folder: S3Location, s3_credentials: S3Credentials
) -> Bench:
    """The same with object lock in the second Vault alone."""
    location = s3_server.location(bucket=f"locked-{uuid4().hex[:12]}")
    await ensure_bucket(location, s3_credentials, object_lock=True)
    retention = vault_retention("compliance", 0.04)
    locked = VaultAccess("second", location, s3_credentials, new_root_key(), retention=retention)
    return Bench(bus, VaultAccess("first", s3_folder, s3_credentials, new_root_key()), locked)


@pytest.mark.timeout(BUILD_TIMEOUT_S)
async def test_a_stock_restic_is_content_with_both_vaults(bench: Bench, restic: Restic) -> None:
    """After a first and an incremental copy, of which the second sends what is new."""
    one, two = await bench.back_up(1, files=3), await bench.back_up(2, files=4)
    first, second = await bench.copy(one), await bench.copy(two)
    assert first.bytes_copied > 3 * FILE_BYTES
    assert FILE_BYTES < second.bytes_copied < 1.1 * FILE_BYTES
    assert set(await bench.copies()) == {first.snapshot_id, second.snapshot_id}
    for name in ("first", "second"):
        await asyncio.to_thread(bench.checked, restic, name)


@pytest.mark.timeout(BUILD_TIMEOUT_S)
async def test_what_restic_has_copied_is_not_copied_again_and_the_other_way_round(
    bench: Bench, restic: Restic
) -> None:
    """Both find the version that the other one has brought."""
    one = await bench.back_up(1)
    async with bench.custody("creating").held("second", bench.app_id, create=True):
        pass
    await asyncio.to_thread(bench.stock, restic, "second", "copy")
    [theirs] = await bench.copies()
    found = await bench.copy(one)
    assert (found.snapshot_id, found.bytes_copied) == (theirs, 0)

    ours = await bench.copy(await bench.back_up(2))
    await asyncio.to_thread(bench.stock, restic, "second", "copy")
    assert set(await bench.copies()) == {theirs, ours.snapshot_id}


async def test_two_uploaders_that_copy_at_once_make_one_copy(bench: Bench) -> None:
    """Both answer with the same snapshot, and so does a third one later."""
    version = await bench.back_up(1)
    one, two = await asyncio.gather(bench.copy(version, "one"), bench.copy(version, "two"))
    assert one.snapshot_id == two.snapshot_id
    assert await bench.copies() == [one.snapshot_id]
    again = await bench.copy(version, "three")
    assert (again.snapshot_id, again.bytes_copied) == (one.snapshot_id, 0)


async def test_the_copy_is_kept_where_the_target_keeps_objects(keeping: Bench) -> None:
    """Each pack, index and snapshot of it, as what opens it; in the first Vault all can go."""
    await keeping.copy(await keeping.back_up(1))
    shelf = keeping.vault("second").application(keeping.app_id)
    for folder in ("data", "index", "snapshots", "keys", "config"):
        names = [one.name for one in shelf.repository_store.list(folder)] or [folder]
        for name in names:
            with pytest.raises(ObjectRetainedError):
                shelf.repository_store.delete(name)
    store = keeping.vault("first").application(keeping.app_id).repository_store
    for name in [one.name for one in store.list("snapshots")]:
        store.delete(name)


@asynccontextmanager
async def uploader_process(
    bench: Bench, order: CopyVersion, url: str, seed: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Copy in a process of its own, which a test may end at any instruction."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    accesses = {
        name: {
            "endpoint": access.location.endpoint,
            "bucket": access.location.bucket,
            "prefix": access.location.prefix,
            "access_key": access.credentials.access_key,
            "secret_key": access.credentials.secret_key,
            "root_key": access.root_key.hex(),
        }
        for name, access in bench.access.items()
    }
    told = {"order": msgspec.to_builtins(order), "vaults": accesses, "url": url, "seed": seed}
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_uploader_that_is_killed_in_the_middle_leaves_a_sound_vault_and_little_to_do(
    bench: Bench, embedded_bus: Any, restic: Restic
) -> None:
    """What it had sent is found; its lock is removed by its successor, and the copy comes once."""
    version = await bench.back_up(1, files=FILES)
    access = embedded_bus.access("tester")
    order = bench.order(version)
    async with uploader_process(bench, order, access.url, str(access.seed_file)) as process:
        await wait_until(lambda: bench.packs() >= 2, deadline_s=60, what="packs in the target")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    shelf = bench.vault("second").application(bench.app_id)
    left = bench.packs()
    assert [one.name for one in shelf.repository_store.list("snapshots")] == []
    assert len([one.name for one in shelf.repository_store.list("locks")]) == 1
    copied = await bench.copy(version, "successor")
    assert copied.bytes_copied < FILES * FILE_BYTES
    assert bench.packs() > left
    assert await bench.copies() == [copied.snapshot_id]
    await bench.sweep_later()
    for name in ("first", "second"):
        await asyncio.to_thread(bench.checked, restic, name)


async def _copy_as_told() -> None:
    """Be the uploader process: copy what standard input says."""
    told = json.load(sys.stdin)
    bus_access = BusAccess(url=told["url"], user="tester", seed_file=told["seed"])
    accesses = {
        name: VaultAccess(
            name,
            S3Location(endpoint=one["endpoint"], bucket=one["bucket"], prefix=one["prefix"]),
            S3Credentials(one["access_key"], one["secret_key"]),
            bytes.fromhex(one["root_key"]),
        )
        for name, one in told["vaults"].items()
    }
    order = msgspec.convert(told["order"], CopyVersion)
    async with connect_bus(bus_access, name="uploader") as bus:
        bench = Bench(bus, accesses["first"], accesses["second"])
        vaults: Any = bench
        custody = Custody(bus=bus, vaults=vaults, worker="killed")
        await Copying(bus=bus, custody=custody).copy(order, WantedStep())


if __name__ == "__main__":
    asyncio.run(_copy_as_told())
