"""The catalog: which versions exist in which Vaults, as an index over them."""

from collections.abc import Container, Iterable
from datetime import datetime

import structlog
from msgspec.structs import replace

from appshield.bus import Bucket, Bus
from appshield.contracts.backups import BackupStored, BackupUnchanged
from appshield.contracts.catalog import ApplicationFound, VersionCopy, VersionRecord
from appshield.contracts.maintenance import (
    Healed,
    RepositoryChecked,
    RepositoryRepaired,
    VersionCopied,
    VersionDamage,
    VersionPinned,
    VersionsForgotten,
)
from appshield.contracts.streams import CATALOG
from appshield.planner.targeting import with_copy, without


class Catalog:
    """Versions by application id and number; written by the leading planner only."""

    def __init__(self, bus: Bus) -> None:
        self._bucket: Bucket[VersionRecord] = bus.bucket(CATALOG, VersionRecord)

    async def get(self, app_id: str, number: int) -> VersionRecord | None:
        """Look one version up."""
        entry = await self._bucket.get(_key(app_id, number))
        return entry.value if entry else None

    async def numbers(self, app_id: str) -> list[int]:
        """List the numbers of an application's versions, oldest first."""
        keys = await self._bucket.keys(f"{app_id}.")
        return sorted(int(key.rpartition(".")[2]) for key in keys)

    async def record(self, stored: BackupStored, at: datetime) -> None:
        """Take in a version that exists; doing it again changes nothing."""
        key = _key(stored.facts.app_id, stored.facts.number)
        if await self._bucket.get(key) is None:
            version = VersionRecord(
                facts=stored.facts,
                snapshot_id=stored.snapshot_id,
                vault=stored.vault,
                stored_at=at,
            )
            await self._bucket.put(key, version)

    async def unchanged(self, found: BackupUnchanged) -> VersionRecord | None:
        """Take in until when a version held all; return it, None where it is not there."""
        version = await self.get(found.app_id, found.number)
        here = version.at(found.vault) if version else None
        if version is None or here is None or here.snapshot_id != found.snapshot_id:
            return None
        confirmed = replace(version, unchanged_at=max(version.holds_at, found.cut_at))
        if confirmed != version:
            await self.write(confirmed)
        return confirmed

    async def copied(self, copied: VersionCopied) -> None:
        """Take in that a version exists in a further Vault."""
        key = _key(copied.facts.app_id, copied.facts.number)
        found = await self._bucket.get(key)
        there = VersionRecord(
            facts=copied.facts,
            snapshot_id=copied.snapshot_id,
            vault=copied.vault,
            stored_at=copied.copied_at,
        )
        await self.write(_joined(found.value, there) if found else there)

    async def write(self, version: VersionRecord) -> None:
        """Write how a version and its copies stand."""
        await self._bucket.put(_key(version.facts.app_id, version.facts.number), version)

    async def versions(self, app_id: str) -> list[VersionRecord]:
        """List an application's versions, oldest first."""
        found = [entry.value async for entry in self._bucket.items(f"{app_id}.")]
        return sorted(found, key=lambda version: version.facts.number)

    async def forget(self, forgotten: VersionsForgotten) -> None:
        """Take out versions that do not exist any more in a Vault; note which are locked there."""
        for gone in forgotten.versions:
            version = await self.get(forgotten.app_id, gone.number)
            here = version.at(forgotten.vault) if version else None
            if version is not None and here is not None and here.snapshot_id == gone.snapshot_id:
                await self._take_out(version, forgotten.vault, forgotten=True)
        for locked in forgotten.locked:
            version = await self.get(forgotten.app_id, locked.number)
            here = version.at(forgotten.vault) if version else None
            if version is not None and here is not None:
                await self.write(_joined(version, replace(here, locked_until=locked.until)))

    async def pin(self, pinned: VersionPinned) -> None:
        """Note whether a version is pinned."""
        version = await self.get(pinned.app_id, pinned.number)
        if version is not None and version.pinned != pinned.pinned:
            changed = replace(version, pinned=pinned.pinned)
            await self._bucket.put(_key(pinned.app_id, pinned.number), changed)

    async def checked(self, found: RepositoryChecked) -> None:
        """Note which versions are damaged and which were read whole."""
        for version in await self.versions(found.app_id):
            here = version.at(found.vault)
            if here is None or here.stored_at >= found.checked_at:
                continue
            checked = _read(here, found.damage, found.verified, found.checked_at)
            if checked != here:
                await self.write(_joined(version, checked))

    async def healed(self, event: RepositoryRepaired, healed: Healed) -> None:
        """Note what is well again, and what documents are called that were written anew."""
        names = {one.number: one.snapshot_id for one in healed.documents}
        for version in await self.versions(event.app_id):
            here = version.at(event.vault)
            if here is None or here.stored_at >= event.repaired_at:
                continue
            named = replace(here, snapshot_id=names.get(here.facts.number, here.snapshot_id))
            whole = _read(named, healed.damage, healed.verified, event.repaired_at)
            if whole != here:
                await self.write(_joined(version, whole))

    async def newest(self, app_id: str) -> VersionRecord | None:
        """Return the version with the highest number."""
        numbers = await self.numbers(app_id)
        return await self.get(app_id, numbers[-1]) if numbers else None

    async def replace(self, found: ApplicationFound) -> None:
        """Let the catalog say what the Vault holds for one application, as far as was found out."""
        present = {version.facts.number for version in found.versions}
        for number in await self.numbers(found.app_id):
            if found.covers(number) and number not in present:
                await self._remove(found, number)
        for version in found.versions:
            known = await self.get(found.app_id, version.facts.number)
            if known is not None and _is_another(known, version):
                structlog.get_logger().warning(
                    "two Vaults have different versions of one number",
                    number=version.facts.number,
                    vaults=[known.vault, version.vault],
                )
                continue
            await self.write(_joined(known, version) if known else version)

    async def _remove(self, found: ApplicationFound, number: int) -> None:
        version = await self.get(found.app_id, number)
        here = version.at(found.vault) if version else None
        if version is None or here is None or found.damaged:
            return
        if found.listed_at is not None and here.stored_at >= found.listed_at:
            return  # made after the Vault was listed
        await self._take_out(version, found.vault, forgotten=False)

    async def _take_out(self, version: VersionRecord, vault: str, *, forgotten: bool) -> None:
        left = without(version, vault, forgotten=forgotten)
        if left is not None:
            await self.write(left)
        else:
            await self._bucket.delete(_key(version.facts.app_id, version.facts.number))


def _read(
    here: VersionRecord,
    damage: Iterable[VersionDamage],
    verified: Container[int],
    at: datetime,
) -> VersionRecord:
    """Return a version of one Vault with what reading it has shown."""
    return replace(
        here,
        damage=next((one for one in damage if one.snapshot_id == here.snapshot_id), None),
        verified_at=at if here.facts.number in verified else here.verified_at,
    )


def _key(app_id: str, number: int) -> str:
    return f"{app_id}.{number}"


def _is_another(known: VersionRecord, found: VersionRecord) -> bool:
    """Say whether a number was given twice: by a Vault that was lost, and after it came back."""
    return known.facts.run != found.facts.run and known.vault != found.vault


def _joined(known: VersionRecord, found: VersionRecord) -> VersionRecord:
    """Take what was found in one Vault into what is known of a version; pins hold everywhere."""
    if found.vault == known.vault:
        pinned = found.pinned or (known.pinned and len(known.vaults) > 1)
        return replace(found, pinned=pinned, copies=known.copies)
    before = known.copy_at(found.vault)
    copy = VersionCopy(
        vault=found.vault,
        state="stored",
        snapshot_id=found.snapshot_id,
        stored_at=found.stored_at,
        damage=found.damage,
        verified_at=found.verified_at,
        locked_until=found.locked_until,
        run=before.run if before else "",
    )
    return with_copy(replace(known, pinned=known.pinned or found.pinned), copy)
