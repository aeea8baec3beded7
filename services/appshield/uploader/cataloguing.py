"""Read a whole Vault and tell what it holds: the catalog is an index that can be made again."""

import asyncio
from functools import partial

import msgspec

from appshield.bus import Bus
from appshield.capture.layout import VERSION_FILE
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import (
    ApplicationFound,
    CatalogRebuilt,
    RebuildCatalog,
    VersionRecord,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.errors import AppShieldError
from appshield.repository import Reader
from appshield.service import Cancelled, run_blocking
from appshield.service.steps import StepContext, order_of, outcome
from appshield.vault import ApplicationIdentity


class Cataloguing:
    """Rebuilds the catalog from a Vault."""

    def __init__(self, *, bus: Bus, custody: Custody) -> None:
        self._bus = bus
        self._custody = custody

    async def rebuild(self, command: StepCommand, context: StepContext) -> CatalogRebuilt:
        """Publish every application with its versions; an application that fails is named."""
        order = order_of(command, RebuildCatalog)
        vault = await self._custody.vault(order.vault)
        identities = await asyncio.to_thread(vault.applications)
        versions = 0
        for identity in identities:
            context.moved()
            found = await self._read(order, identity)
            await self._bus.publish(found)
            versions += len(found.versions)
        return outcome(CatalogRebuilt, order, applications=len(identities), versions=versions)

    async def _read(self, order: RebuildCatalog, identity: ApplicationIdentity) -> ApplicationFound:
        app = AppRef(cluster=identity.cluster, namespace=identity.namespace, name=identity.name)
        try:
            async with self._custody.held(order.vault, identity.app_id) as held:
                found = await run_blocking(partial(_read, held, order.vault))
        except AppShieldError as error:
            found = _Holding(highest=0, versions=(), damaged=(str(error),))
        return outcome(
            ApplicationFound,
            order,
            app=app,
            app_id=identity.app_id,
            uid=identity.uid,
            vault=order.vault,
            highest_version=found.highest,
            versions=found.versions,
            damaged=found.damaged,
        )


class _Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What one repository holds, and what of it cannot be read."""

    highest: int
    versions: tuple[VersionRecord, ...]
    damaged: tuple[str, ...]


def _read(held: HeldRepository, vault: str, _: Cancelled) -> _Holding:
    reader = Reader(held.repository)
    pins = held.shelf.pins()
    versions: list[VersionRecord] = []
    listing = held.repository.list_snapshots()
    damaged = [f"snapshot {bad.snapshot_id}: {bad.why}" for bad in listing.unreadable]
    for snapshot_id, document in listing.readable:
        try:
            node = reader.find(document.tree_id, VERSION_FILE)
            content = b"".join(reader.iter_file(node))
            facts = msgspec.json.decode(content, type=VersionFacts)
        except (AppShieldError, msgspec.MsgspecError) as error:
            damaged.append(f"snapshot {snapshot_id}: {error}")
            continue
        versions.append(
            VersionRecord(
                facts=facts,
                snapshot_id=snapshot_id,
                vault=vault,
                stored_at=document.time,
                pinned=facts.number in pins,
            )
        )
    highest = max([held.shelf.highest_version(), *(v.facts.number for v in versions)])
    ordered = tuple(sorted(versions, key=lambda version: version.facts.number))
    return _Holding(highest=highest, versions=ordered, damaged=tuple(damaged))
