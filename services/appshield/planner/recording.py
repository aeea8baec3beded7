"""What outcomes say about the world: true whatever becomes of the run that found it out.

Each may come again, and late: taking it in once more changes nothing.
"""

from msgspec.structs import replace

from appshield.application.upkeeping import upkeep_in, with_upkeep
from appshield.contracts.backups import BackupStored, BackupUnchanged
from appshield.contracts.catalog import ApplicationFound
from appshield.contracts.maintenance import (
    RepositoryChecked,
    RepositoryPruned,
    RepositoryRepaired,
    VersionCopied,
    VersionPinned,
    VersionsForgotten,
)
from appshield.contracts.message import StepEvent
from appshield.contracts.runs import Run
from appshield.planner.catalog import Catalog
from appshield.planner.observing import Observation
from appshield.planner.registry import Registry
from appshield.service import Clock

_PROBLEMS_MAX = 20


class Recording:
    """Takes outcomes into the catalog and the registry."""

    def __init__(
        self, *, catalog: Catalog, registry: Registry, observation: Observation, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._observation = observation
        self._clock = clock

    async def record(self, event: StepEvent, run: Run | None) -> None:
        """Take in what an outcome says; most say nothing beyond their run."""
        match event:
            case BackupStored():
                if run is None or run.snapshot_id != event.snapshot_id:
                    await self._stored(event)  # else it was, and may be forgotten by now
            case BackupUnchanged():
                await self._unchanged(event)
            case ApplicationFound():
                await self._catalog.replace(event)
                await self._observation.found(event, await self._catalog.newest(event.app_id))
            case VersionCopied():
                if run is None or run.copy is None or run.copy.done is None:
                    await self._catalog.copied(event)  # else it was, and may be forgotten by now
            case VersionsForgotten():
                await self._forgotten(event)
            case VersionPinned():
                await self._catalog.pin(event)
            case _:
                await self._record_upkeep(event)

    async def _record_upkeep(self, event: StepEvent) -> None:
        match event:
            case RepositoryPruned():
                await self._pruned(event)
            case RepositoryChecked():
                await self._checked(event)
            case RepositoryRepaired():
                await self._repaired(event)

    async def _stored(self, event: BackupStored) -> None:
        await self._catalog.record(event, self._clock.now())
        record = self._registry.get(event.facts.app_id)
        if record is not None and event.facts.number > record.last_version:
            number, cut_at = event.facts.number, event.facts.cut_at
            await self._registry.write(replace(record, last_version=number, last_backup_at=cut_at))

    async def _unchanged(self, event: BackupUnchanged) -> None:
        version = await self._catalog.unchanged(event)
        record = self._registry.get(event.app_id)
        if version is not None and record is not None:
            await self._registry.write(replace(record, unchanged_at=version.unchanged_at))

    async def _forgotten(self, event: VersionsForgotten) -> None:
        await self._catalog.forget(event)
        record = self._registry.get(event.app_id)
        if record is None or not event.versions:
            return
        newest = await self._catalog.newest(event.app_id)
        upkeep = replace(upkeep_in(record, event.vault), unpruned=True)
        changed = replace(
            with_upkeep(record, upkeep),
            last_version=newest.facts.number if newest else 0,
            last_backup_at=newest.facts.cut_at if newest else None,
            unchanged_at=newest.unchanged_at if newest else None,
        )
        await self._registry.write(changed)

    async def _pruned(self, event: RepositoryPruned) -> None:
        record = self._registry.get(event.app_id)
        if record is None:
            return
        known = upkeep_in(record, event.vault)
        if known.pruned_at is not None and known.pruned_at >= event.pruned_at:
            return
        rest = event.gave_way or event.bytes_waiting > 0
        upkeep = replace(known, pruned_at=event.pruned_at, unpruned=rest)
        await self._registry.write(with_upkeep(record, upkeep))

    async def _checked(self, event: RepositoryChecked) -> None:
        record = self._registry.get(event.app_id)
        if record is None:
            return
        known = upkeep_in(record, event.vault)
        if known.checked_at is not None and known.checked_at > event.checked_at:
            return
        await self._catalog.checked(event)
        problems = event.problems[:_PROBLEMS_MAX]
        upkeep = replace(known, checked_at=event.checked_at, problems=problems)
        await self._registry.write(with_upkeep(record, upkeep))

    async def _repaired(self, event: RepositoryRepaired) -> None:
        """Note what was healed; let the next prune drop what was named and no version needs."""
        if event.healed is not None:
            await self._catalog.healed(event, event.healed)
        record = self._registry.get(event.app_id)
        if record is None:
            return
        known = upkeep_in(record, event.vault)
        is_newest = known.checked_at is None or known.checked_at <= event.repaired_at
        upkeep = replace(
            known,
            unpruned=known.unpruned or event.named_total > 0,
            problems=() if event.healed and is_newest else known.problems,
        )
        if upkeep != known:
            await self._registry.write(with_upkeep(record, upkeep))
