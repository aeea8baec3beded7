"""Forget and prune as the uploader does them, on a real bucket that keeps objects for a time."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from appshield.capture.layout import version_tag
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import (
    ForgetVersions,
    NamedVersion,
    PruneRepository,
    VersionsForgotten,
)
from appshield.custody import Custody
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.objectstore.bucket import ensure_bucket
from appshield.objectstore.retention import LockMode
from appshield.repository import Repository, RepositoryLock, Writer, check, seal_snapshot
from appshield.repository.retaining import retain_version
from appshield.uploader.forgetting import Forgetting
from appshield.uploader.pruning import Pruning
from appshield.vault import Vault, VaultAccess, new_root_key, open_vault, vault_retention
from appshield.vault.access import DAY_S
from memory_bus import MemoryBus
from repository_content import SWIFT, document, noise, store_files
from waiting import wait_until
from wanted_step import WantedStep

KEPT_S = 6.0
OWN_BYTES = 200_000
ORDER: dict[str, Any] = {
    "app": AppRef(cluster="test", namespace="shop", name="shop"),
    "run": "run",
    "step": "step",
    "attempt": 1,
    "epoch": 1,
    "app_id": "a-1",
    "vault": "main",
}


class Place:
    """One application in a Vault whose objects are kept for seconds."""

    def __init__(self, access: VaultAccess) -> None:
        self.vault = open_vault(access)
        self.vault.initialize()
        self.bus = MemoryBus("uploader")
        self.custody = Custody(bus=self.bus, vaults=self, worker="w")
        self.versions: dict[int, NamedVersion] = {}

    async def open(self, name: str) -> Vault:
        return self.vault

    def repository(self) -> Repository:
        shelf = self.vault.application("a-1")
        return Repository.create(shelf.repository_store, shelf.repository_password())

    def back_up(self, number: int) -> None:
        """Make a version with data of its own, and keep all that it needs as long as itself."""
        repository = self.repository()
        files = {b"own": noise(OWN_BYTES, number), b"same": noise(40_000, 99)}
        with RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock:
            with Writer(repository, lock) as writer:
                tree = store_files(writer, files)
            sealed = seal_snapshot(repository, document(tree, version_tag(number)))
            retain_version(repository, tree)
            repository.publish_snapshot(sealed, lock=lock)
        self.versions[number] = NamedVersion(number=number, snapshot_id=sealed.snapshot_id)

    def pack_bytes(self) -> int:
        return sum(one.size_bytes for one in self.repository().store.list("data/"))

    async def forget(self, number: int) -> VersionsForgotten:
        """Forget a version; the outcome says why it stays, if it does."""
        order = ForgetVersions(**ORDER, versions=(self.versions[number],))
        return await Forgetting(self.custody).forget(order, WantedStep())

    async def is_forgotten(self, number: int) -> bool:
        return not (await self.forget(number)).kept

    async def is_pruned(self) -> bool:
        """Prune without grace; say whether nothing waits for its date any more."""
        order = PruneRepository(**ORDER, grace_s=0)
        done = await Pruning(bus=self.bus, custody=self.custody).prune(order, WantedStep())
        return done.bytes_waiting == 0


@pytest.mark.parametrize("mode", ["governance", "compliance"])
async def test_what_is_kept_goes_after_its_date_and_never_before(
    s3_server: EmbeddedObjectStore, mode: LockMode
) -> None:
    """A version first, then the data that it had alone; what came later is whole throughout."""
    location = s3_server.location(bucket=f"kept-{secrets.token_hex(6)}")
    await ensure_bucket(location, s3_server.credentials, object_lock=True)
    retention = vault_retention(mode, KEPT_S / DAY_S)
    access = VaultAccess("main", location, s3_server.credentials, new_root_key(), False, retention)
    place = await asyncio.to_thread(Place, access)

    made_at = time.monotonic()
    for number in (1, 2):
        await asyncio.to_thread(place.back_up, number)
    stays = await place.forget(1)
    [kept] = stays.kept
    assert kept.startswith("version 1: ")
    assert "until" in kept
    [locked] = stays.locked
    assert (locked.number, locked.until > datetime.now(UTC)) == (1, True)
    await wait_until(
        lambda: place.is_forgotten(1), deadline_s=60, what="version 1 forgotten", every_s=0.5
    )
    assert time.monotonic() - made_at >= KEPT_S

    await asyncio.to_thread(place.back_up, 3)  # shares a pack with version 1, which is kept anew
    before = await asyncio.to_thread(place.pack_bytes)
    used_at = time.monotonic()
    assert not await place.is_pruned()
    assert await asyncio.to_thread(place.pack_bytes) >= before
    await wait_until(place.is_pruned, deadline_s=60, what="the rest pruned", every_s=0.5)
    assert time.monotonic() - used_at >= KEPT_S - 1
    assert await asyncio.to_thread(place.pack_bytes) < before - OWN_BYTES / 2
    report = await asyncio.to_thread(check, place.repository(), read_data=True)
    assert report.is_sound
    assert report.snapshots == 2
