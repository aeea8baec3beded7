"""The registry: every history of versions, by application id; kept in memory, written through.

It names the one run that may change an application, the runs that wait, and the highest version
number, which only grows.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from appshield.bus import Bucket, Bus, Entry
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS
from appshield.planner.leading import Leadership


class Registry:
    """Records of applications; written by the leading planner only."""

    def __init__(self, bus: Bus, leadership: Leadership) -> None:
        self._bucket: Bucket[ApplicationRecord] = bus.bucket(APPLICATIONS, ApplicationRecord)
        self._leadership = leadership
        self._entries: dict[str, Entry[ApplicationRecord]] = {}

    async def load(self) -> None:
        """Read every record anew, as another planner may have written them."""
        self._entries = {entry.value.app_id: entry async for entry in self._bucket.items()}

    def get(self, app_id: str) -> ApplicationRecord | None:
        """Look a history up by its identity."""
        entry = self._entries.get(app_id)
        return entry.value if entry else None

    def all(self) -> Iterator[ApplicationRecord]:
        """Go through every history."""
        return (entry.value for entry in list(self._entries.values()))

    def histories_of(self, app: AppRef) -> list[ApplicationRecord]:
        """List the histories of a place: the active one first, then the youngest orphans."""
        found = [record for record in self.all() if record.app == app]
        return sorted(found, key=lambda record: (record.state != "active", -_age_key(record)))

    async def write(self, record: ApplicationRecord) -> ApplicationRecord:
        """Write a record over the one in memory; nothing is written when nothing changed.

        Raises:
            StaleRevisionError: another planner has written in the meantime.
        """
        seen = self._entries.get(record.app_id)
        if seen is not None and seen.value == record:
            return record
        self._leadership.ensure()
        if seen is None:
            revision = await self._bucket.create(record.app_id, record)
        else:
            revision = await self._bucket.update(record.app_id, record, seen.revision)
        self._entries[record.app_id] = Entry(value=record, revision=revision)
        return record

    async def next_version(self, app_id: str, *, at_least_above: int) -> int:
        """Take the next version number; numbers only grow and gaps are fine."""
        record = self._entries[app_id].value
        number = max(record.highest_version or 0, at_least_above) + 1
        await self.write(replace(record, highest_version=number))
        return number


def _age_key(record: ApplicationRecord) -> float:
    return record.last_backup_at.timestamp() if record.last_backup_at else 0.0
