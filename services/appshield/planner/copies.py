"""Copies as runs: one for each version and further Vault, beside the line of the application.

A run's identity comes from version, Vault and the run that tried before, so that a cause that is
handled twice plans it once. How a copy stands is in the catalog; when a failed one is due again, in
a timer. No copy begins while something is forgotten, pruned or repaired in one of its Vaults, or
waits for that: these need the repository for themselves.
"""

from msgspec.structs import replace

from appshield.bus import Entry
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.contracts.maintenance import CopyProgress
from appshield.contracts.runs import FINAL_STATES, Failure, Run, Trigger
from appshield.planner import targeting
from appshield.planner.catalog import Catalog
from appshield.planner.minting import run_of_history
from appshield.planner.observing import Observation
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.steps import limits_of
from appshield.service import Clock

_ALONE = frozenset({"forget", "prune", "repair"})
_LEADS_TO_COPIES = frozenset({"backup", "copy", *_ALONE})
_VANISHED = Failure(what="the run of this copy is gone", next_step="It is tried again.")


class CopyPlanning:
    """Plans the copies of versions, and takes in what became of them."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        queue: Queue,
        observation: Observation,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._queue = queue
        self._observation = observation
        self._clock = clock

    async def after(self, run: Run) -> None:
        """Plan what follows a run that has ended."""
        if run.copy is not None:
            await self._ended(run, run.copy)
        if run.kind in _LEADS_TO_COPIES:
            await self.plan(run.app_id)

    async def plan(self, app_id: str) -> None:
        """Write down which copies there are to be, and begin those that are due."""
        record = self._registry.get(app_id)
        if record is None:
            return
        now = self._clock.now()
        known = await self._catalog.versions(app_id)
        alive = [await self._alive(version) for version in known]
        versions = targeting.planned(record, alive, now)
        for before, version in zip(known, versions, strict=True):
            if version != before:
                await self._catalog.write(version)
        if not any(version.copies for version in versions):
            return
        busy = await self._busy(record)
        for copy in targeting.due_copies(record, versions, now, busy=busy):
            await self._begin_next(record, copy)
        again_at = targeting.next_try(versions)
        if again_at is not None and again_at > now:  # else something else is waited for
            await self._observation.schedule_copies(record, again_at)

    async def begin(
        self, record: ApplicationRecord, due: targeting.DueCopy, trigger: Trigger
    ) -> Entry[Run]:
        """Start the run of a copy, and note it in the catalog."""
        there = due.version.at(due.source)
        if there is None:
            raise LookupError(f"version {due.version.facts.number} is not in Vault {due.source}")
        run = run_of_history("copy", record, trigger, self._clock.now(), vault=due.vault)
        copy = CopyProgress(source=due.source, version=targeting.named(there))
        wanted = replace(run, version=there.facts.number, copy=copy)
        entry = await self._runs.create(wanted)
        if entry.value.state not in FINAL_STATES:
            known = due.version.copy_at(due.vault) or VersionCopy(vault=due.vault)
            begun = replace(known, state="copying", run=run.id, again_at=None)
            await self._catalog.write(targeting.with_copy(due.version, begun))
            await self._queue.start_beside(entry)
        return entry

    async def _begin_next(self, record: ApplicationRecord, due: targeting.DueCopy) -> None:
        """Start the run that follows the last one of this copy."""
        facts, copy = due.version.facts, due.version.copy_at(due.vault)
        before = copy.run if copy else ""
        while True:
            identity = f"copy/{facts.app_id}/{facts.number}/{due.vault}/{before}"
            now = self._clock.now()
            trigger = Trigger(kind="upkeep", identity=identity, name="copy", at=now)
            run = (await self.begin(record, due, trigger)).value
            if run.state not in FINAL_STATES:
                return
            before = run.id

    async def _ended(self, run: Run, copy: CopyProgress) -> None:
        """Note a copy that did not come about; let others go on where one did."""
        versions = await self._catalog.versions(run.app_id)
        if run.state == "succeeded":
            for freed in targeting.released(versions, run.vault):
                await self._catalog.write(freed)
            return
        version = next((one for one in versions if one.facts.number == copy.version.number), None)
        known = version.copy_at(run.vault) if version else None
        if version is None or known is None or (known.state, known.run) != ("copying", run.id):
            return
        why = run.failure or Failure(what=f"run {run.id} has {run.state}")
        tried = next((step.attempt for step in run.steps if step.name == "copy"), 0)
        exhausted = run.state == "failed" and tried >= limits_of("copy").attempts_max
        failed = targeting.with_failure(
            versions, version, run.vault, why, self._clock.now(), vault_failed=exhausted
        )
        await self._catalog.write(failed)

    async def _alive(self, version: VersionRecord) -> VersionRecord:
        """Begin a run that was noted and not begun; let a copy without one be tried again."""
        for copy in version.copies:
            if copy.state != "copying":
                continue
            entry = await self._runs.get(copy.run)
            if entry is not None and entry.value.state == "pending":
                await self._queue.start_beside(entry)
            elif entry is None or entry.value.state in FINAL_STATES:
                lost = replace(copy, state="failed", failure=_VANISHED, attempts=copy.attempts + 1)
                version = targeting.with_copy(version, lost)
        return version

    async def _busy(self, record: ApplicationRecord) -> set[str]:
        """Name the Vaults in which somebody needs the repository alone, or waits for that."""
        busy: set[str] = set()
        for run_id in filter(None, (record.active_run, *record.pending_runs)):
            entry = await self._runs.get(run_id)
            if entry is not None and entry.value.kind in _ALONE:
                busy.add(entry.value.vault)
                forget = entry.value.forget
                busy.update(one.vault for one in (forget.elsewhere if forget else ()))
        return busy
