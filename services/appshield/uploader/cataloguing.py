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
from appshield.errors import AppShieldError, UnavailableError
from appshield.repository import Reader
from appshield.service import Cancelled, SystemClock, run_blocking
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.findings import known_damage
from appshield.vault import ApplicationIdentity

_PART_BYTES_MAX = 512 * 1024
_DAMAGED_MAX = 20


class Cataloguing:
    """Rebuilds the catalog from a Vault."""

    def __init__(self, *, bus: Bus, custody: Custody) -> None:
        self._bus = bus
        self._custody = custody
        self._clock = SystemClock()

    async def rebuild(self, command: StepCommand, context: StepContext) -> CatalogRebuilt:
        """Publish every application with its versions; one that cannot be read says why.

        Raises:
            UnavailableError: the store cannot be reached: nothing is said about what was not read.
        """
        order = order_of(command, RebuildCatalog)
        vault = await self._custody.vault(order.vault)
        identities = await asyncio.to_thread(vault.applications)
        versions = 0
        for identity in identities:
            context.moved()
            found = await self._read(order, identity, context)
            for part in parts_of(found):
                await self._bus.publish(part)
            versions += len(found.versions)
        return outcome(CatalogRebuilt, order, applications=len(identities), versions=versions)

    async def _read(
        self, order: RebuildCatalog, identity: ApplicationIdentity, context: StepContext
    ) -> ApplicationFound:
        app = AppRef(cluster=identity.cluster, namespace=identity.namespace, name=identity.name)
        listed_at = self._clock.now()
        try:
            async with self._custody.held(order.vault, identity.app_id) as held:
                found = await run_blocking(partial(_read, held, order.vault, context))
        except UnavailableError:
            raise
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
            damaged=found.damaged[:_DAMAGED_MAX],
            listed_at=listed_at,
        )


def parts_of(found: ApplicationFound, bytes_max: int = _PART_BYTES_MAX) -> list[ApplicationFound]:
    """Cut a finding into parts that the bus carries; one part for most. Pure."""
    groups: list[list[VersionRecord]] = [[]]
    size = 0
    for version in found.versions:
        size += len(msgspec.json.encode(version))
        if size > bytes_max and groups[-1]:
            groups.append([])
            size = len(msgspec.json.encode(version))
        groups[-1].append(version)
    starts = [0, *(group[0].facts.number for group in groups[1:])]
    ends = [*(start - 1 for start in starts[1:]), 0]
    return [
        msgspec.structs.replace(found, versions=tuple(group), first=first, last=last)
        for group, first, last in zip(groups, starts, ends, strict=True)
    ]


class _Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What one repository holds, and what of it cannot be read."""

    highest: int
    versions: tuple[VersionRecord, ...]
    damaged: tuple[str, ...]


def _read(held: HeldRepository, vault: str, context: StepContext, _: Cancelled) -> _Holding:
    reader = Reader(held.repository)
    pins = held.shelf.pins()
    damage = {one.snapshot_id: one for one in known_damage(held.shelf)}
    versions: list[VersionRecord] = []
    listing = held.repository.list_snapshots()
    damaged = [f"snapshot {bad.snapshot_id}: {bad.why}" for bad in listing.unreadable]
    for snapshot_id, document in listing.readable:
        context.moved()
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
                damage=damage.get(snapshot_id),
            )
        )
    highest = max([held.shelf.highest_version(), *(v.facts.number for v in versions)])
    ordered = tuple(sorted(versions, key=lambda version: version.facts.number))
    return _Holding(highest=highest, versions=ordered, damaged=tuple(damaged))
