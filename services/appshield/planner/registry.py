"""The registry: every history of versions, by application id; kept in memory, written through.

It names the one run that may change an application, the runs that wait, and the highest version
number, which only grows.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS
from appshield.planner.leading import Leadership
from appshield.planner.remembering import Remembered


class Registry:
    """Records of applications; written by the leading planner only."""

    def __init__(self, bus: Bus, leadership: Leadership) -> None:
        self._records = Remembered(bus, APPLICATIONS, ApplicationRecord, leadership)
        # every history that was ever seen at a place: whether it is there still, its record says
        self._places: dict[AppRef, set[str]] = {}

    async def load(self) -> None:
        """Read every record anew, as another planner may have written them."""
        await self._records.load()
        self._places.clear()
        for record in self.all():
            self._place(record)

    def get(self, app_id: str) -> ApplicationRecord | None:
        """Look a history up by its identity."""
        return self._records.get(app_id)

    def all(self) -> Iterator[ApplicationRecord]:
        """Go through every history."""
        return self._records.values()

    def histories_of(self, app: AppRef) -> list[ApplicationRecord]:
        """List the histories of a place: the active one first, then the youngest orphans."""
        known = (self.get(app_id) for app_id in self._places.get(app, ()))
        found = [record for record in known if record is not None and record.app == app]
        return sorted(found, key=lambda record: (record.state != "active", -_age_key(record)))

    async def write(self, record: ApplicationRecord) -> ApplicationRecord:
        """Write a record over the one in memory; nothing is written when nothing changed.

        Raises:
            StaleRevisionError: memory was behind, and is not any more: decide again.
        """
        try:
            return await self._records.write(record.app_id, record)
        finally:
            if (known := self.get(record.app_id)) is not None:
                self._place(known)

    async def number_for(self, run: Run, *, at_least_above: int) -> int:
        """Return the number of a backup that is under way: the one it began with, if that is free.

        It is not where the repository, or another Vault, turned out to have a higher one.
        """
        record = self._records.get(run.app_id)
        if record is None:
            raise LookupError(f"history {run.app_id} is unknown")
        used = max(record.last_version, at_least_above)
        highest = record.highest_version or 0
        if record.active_run == run.id and record.active_version == highest > used:
            return highest
        number = max(highest, used) + 1
        active = number if record.active_run == run.id else record.active_version
        await self.write(replace(record, highest_version=number, active_version=active))
        return number

    def _place(self, record: ApplicationRecord) -> None:
        self._places.setdefault(record.app, set()).add(record.app_id)


def with_active(record: ApplicationRecord, run: Run) -> ApplicationRecord:
    """Return the record with its active run; a backup takes its number with the same write."""
    if run.kind != "backup":
        return replace(record, active_run=run.id, active_version=None)
    highest = record.highest_version or 0
    number = run.version or max(highest, record.last_version) + 1
    return replace(
        record,
        active_run=run.id,
        active_version=number,
        highest_version=max(highest, number),
    )


def without_active(record: ApplicationRecord) -> ApplicationRecord:
    """Return the record without an active run."""
    return replace(record, active_run="", active_version=None)


def _age_key(record: ApplicationRecord) -> float:
    return record.last_backup_at.timestamp() if record.last_backup_at else 0.0
