"""Upkeep as runs: which one follows a run that has ended, or the day's moment.

A forget's identity comes from its cause, so that a cause that is handled twice plans it once; that
of a prune or a check from the day, so that several causes on one day plan it once.
"""

from msgspec.structs import replace

from appshield.application import upkeeping
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import RunKind
from appshield.contracts.maintenance import (
    CheckProgress,
    ForgetProgress,
    NamedVersion,
    PruneProgress,
    RepairProgress,
    part_of_day,
)
from appshield.contracts.runs import Run, Trigger, UpkeepDue
from appshield.planner import deciding, targeting
from appshield.planner.catalog import Catalog
from appshield.planner.minting import run_of_history
from appshield.planner.observing import Observation
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.retaining import Retention
from appshield.planner.runs import Runs
from appshield.service import Clock

_WHILE_PAUSED = frozenset({"check"})
_STAGES: tuple[RunKind, ...] = ("forget", "prune", "check")


class UpkeepPlanning:
    """Plans what keeps the repositories of applications in order."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        retention: Retention,
        queue: Queue,
        observation: Observation,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._retention = retention
        self._queue = queue
        self._observation = observation
        self._clock = clock

    async def due(self, due: UpkeepDue) -> None:
        """Take in the day's moment, and set the next one while there is something to keep."""
        record = self._registry.get(due.app_id)
        if record is None:
            return
        versions = await self._catalog.versions(record.app_id)
        for vault in upkeeping.vaults_of(record, versions):
            await self._plan(record, vault, versions, _STAGES, cause=due.at.isoformat())
        if versions or record.state == "active":
            await self._observation.schedule_upkeep(record, max(self._clock.now(), due.at))

    async def before_settling(self, run: Run) -> None:
        """Where a prune gave way, put the run that goes on with it in line."""
        record = self._registry.get(run.app_id)
        if record is None or run.prune is None or not deciding.gave_way(run):
            return
        identity = deciding.continuation(run)
        trigger = replace(run.trigger, identity=identity, at=self._clock.now())
        rest = PruneProgress(grace_s=run.prune.grace_s)
        await self._admit("prune", record, run.vault, trigger, prune=rest)

    async def after(self, run: Run) -> None:
        """Plan what follows a run that has ended."""
        record = self._registry.get(run.app_id)
        if record is None:
            return
        stages = _following(run)
        if stages:
            versions = await self._catalog.versions(run.app_id)
            for vault in _vaults_of(run):
                await self._plan(record, vault, versions, stages, cause=run.id)

    async def _plan(
        self,
        record: ApplicationRecord,
        vault: str,
        versions: list[VersionRecord],
        stages: tuple[RunKind, ...],
        *,
        cause: str,
    ) -> None:
        """Plan the first of these stages that is due."""
        now = self._clock.now()
        known = upkeeping.upkeep_in(record, vault)
        if targeting.is_copied_at(versions, vault):
            return  # planned again when that has ended
        if record.paused is not None:
            stages = tuple(stage for stage in stages if stage in _WHILE_PAUSED)
        gone = await self._retention.expired(record, vault)
        if "forget" in stages and gone:
            names = tuple(
                NamedVersion(number=one.facts.number, snapshot_id=one.snapshot_id) for one in gone
            )
            trigger = self._trigger(record, vault, "forget", cause)
            await self._admit(
                "forget", record, vault, trigger, forget=ForgetProgress(versions=names)
            )
        elif "prune" in stages and upkeeping.prune_is_due(known, now):
            trigger = self._trigger(record, vault, "prune", now.date().isoformat())
            await self._admit("prune", record, vault, trigger, prune=PruneProgress())
        elif "check" in stages and _any_at(versions, vault) and upkeeping.check_is_due(known, now):
            today = part_of_day(now)
            trigger = self._trigger(record, vault, "check", now.date().isoformat())
            run = run_of_history("check", record, trigger, now, vault=vault)
            check = CheckProgress(part=today.part, parts=today.parts)
            entry = await self._runs.create(replace(run, check=check))
            await self._queue.start_beside(entry)
        elif "repair" in stages and targeting.is_healable_at(versions, vault):
            trigger = self._trigger(record, vault, "repair", cause)
            repair = targeting.repair_at(versions, vault)
            await self._admit("repair", record, vault, trigger, repair=repair)

    def _trigger(self, record: ApplicationRecord, vault: str, kind: RunKind, cause: str) -> Trigger:
        identity = f"upkeep/{kind}/{record.app_id}/{vault}/{cause}"
        return Trigger(kind="upkeep", identity=identity, name=kind, at=self._clock.now())

    async def _admit(
        self,
        kind: RunKind,
        record: ApplicationRecord,
        vault: str,
        trigger: Trigger,
        *,
        forget: ForgetProgress | None = None,
        prune: PruneProgress | None = None,
        repair: RepairProgress | None = None,
    ) -> None:
        run = run_of_history(kind, record, trigger, self._clock.now(), vault=vault)
        entry = await self._runs.create(replace(run, forget=forget, prune=prune, repair=repair))
        await self._queue.admit(entry)


def _following(run: Run) -> tuple[RunKind, ...]:
    """Name the stages of upkeep that may follow a run that has ended."""
    if run.kind == "backup":
        return ("forget",) if run.state == "succeeded" else ()
    if run.kind == "copy":
        return _STAGES
    if run.kind == "forget":
        return ("prune", "check") if run.trigger.kind == "upkeep" else ("prune",)
    if run.kind == "check":
        return ("repair",) if run.state == "succeeded" else ()
    if run.kind == "prune" and run.trigger.kind == "upkeep" and run.state != "folded":
        return ("check",)
    return ()


def _vaults_of(run: Run) -> tuple[str, ...]:
    """Name the Vaults that a run was about."""
    elsewhere = tuple(one.vault for one in (run.forget.elsewhere if run.forget else ()))
    return (run.vault, *elsewhere, *((run.copy.source,) if run.copy else ()))


def _any_at(versions: list[VersionRecord], vault: str) -> bool:
    return any(vault in version.vaults for version in versions)
