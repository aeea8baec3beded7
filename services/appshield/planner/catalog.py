"""The catalog: which versions exist, as an index over the Vaults."""

from datetime import datetime

from msgspec.structs import replace

from appshield.bus import Bucket, Bus
from appshield.contracts.backups import BackupStored
from appshield.contracts.catalog import ApplicationFound, VersionRecord
from appshield.contracts.maintenance import (
    RepositoryChecked,
    VersionPinned,
    VersionsForgotten,
)
from appshield.contracts.streams import CATALOG


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

    async def versions(self, app_id: str) -> list[VersionRecord]:
        """List an application's versions, oldest first."""
        found = [entry.value async for entry in self._bucket.items(f"{app_id}.")]
        return sorted(found, key=lambda version: version.facts.number)

    async def forget(self, forgotten: VersionsForgotten) -> None:
        """Take out versions that do not exist any more."""
        for gone in forgotten.versions:
            version = await self.get(forgotten.app_id, gone.number)
            if version is not None and version.snapshot_id == gone.snapshot_id:
                await self._bucket.delete(_key(forgotten.app_id, gone.number))

    async def pin(self, pinned: VersionPinned) -> None:
        """Note whether a version is pinned."""
        version = await self.get(pinned.app_id, pinned.number)
        if version is not None and version.pinned != pinned.pinned:
            changed = replace(version, pinned=pinned.pinned)
            await self._bucket.put(_key(pinned.app_id, pinned.number), changed)

    async def checked(self, found: RepositoryChecked) -> None:
        """Note which versions are damaged and which were read whole."""
        damage = {one.snapshot_id: one for one in found.damage}
        for version in await self.versions(found.app_id):
            if version.vault != found.vault or version.stored_at >= found.checked_at:
                continue
            whole = version.facts.number in found.verified
            changed = replace(
                version,
                damage=damage.get(version.snapshot_id),
                verified_at=found.checked_at if whole else version.verified_at,
            )
            if changed != version:
                await self._bucket.put(_key(found.app_id, version.facts.number), changed)

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
            await self._bucket.put(_key(found.app_id, version.facts.number), version)

    async def _remove(self, found: ApplicationFound, number: int) -> None:
        version = await self.get(found.app_id, number)
        if version is None or version.vault != found.vault or found.damaged:
            return
        if found.listed_at is not None and version.stored_at >= found.listed_at:
            return  # made after the Vault was listed
        await self._bucket.delete(_key(found.app_id, number))


def _key(app_id: str, number: int) -> str:
    return f"{app_id}.{number}"
