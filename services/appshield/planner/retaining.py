"""Retention: which versions a run may still forget, asked again when its turn comes.

While a forget run waits, a version may be pinned, another be found damaged, the rule be changed.
"""

from msgspec.structs import replace

from appshield.application import upkeeping
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run
from appshield.planner.catalog import Catalog
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.service import Clock


class Retention:
    """Applies the rules in force to the versions in the catalog."""

    def __init__(self, *, runs: Runs, registry: Registry, catalog: Catalog, clock: Clock) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._clock = clock

    async def expired(self, record: ApplicationRecord, vault: str) -> list[VersionRecord]:
        """List the versions that no rule keeps in a Vault now, as they are there."""
        if not any(rule.keep or rule.keep_in for rule in upkeeping.rules_of(record)):
            return []
        versions = await self._catalog.versions(record.app_id)
        gone = upkeeping.expired(record, versions, vault, self._clock.now())
        needed = await self._needed(record) if gone else frozenset()
        return [version for version in gone if version.facts.number not in needed]

    async def _needed(self, record: ApplicationRecord) -> frozenset[int]:
        """Name the versions that a restore waits to bring back."""
        waiting = (record.active_run, *record.pending_runs, *record.awaiting_approval)
        entries = [await self._runs.get(run) for run in waiting if run]
        restores = (entry.value.restore for entry in entries if entry is not None)
        return frozenset(restore.version for restore in restores if restore is not None)

    async def reconsidered(self, run: Run) -> Run:
        """Return a run with what of it is still to be forgotten; any other run as it is."""
        record = self._registry.get(run.app_id)
        if run.forget is None or run.trigger.kind != "upkeep" or record is None:
            return run
        numbers = {version.facts.number for version in await self.expired(record, run.vault)}
        still = tuple(one for one in run.forget.versions if one.number in numbers)
        return replace(run, forget=replace(run.forget, versions=still))
