"""Admission: from a trigger to a run, at most one at a time for an application.

Every function may be called again after a crash at any instruction and goes on where it stopped:
the run's identity is minted from the trigger's, and each write is compared with what was seen.
"""

from datetime import datetime

from msgspec.structs import replace

from appshield.bus import Entry
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, RunKind, run_id
from appshield.contracts.requests import (
    RequestBackup,
    RequestCancel,
    RequestCatalog,
    RequestRestore,
)
from appshield.contracts.runs import (
    FINAL_STATES,
    BackupProgress,
    Failure,
    RestoreProgress,
    Run,
    Trigger,
)
from appshield.planner import deciding
from appshield.planner.catalog import Catalog
from appshield.planner.leading import Leadership
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.service import Clock


class Admission:
    """Turns requests and due schedules into runs and starts them when their turn has come."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        leadership: Leadership,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._leadership = leadership
        self._clock = clock

    async def backup(self, request: RequestBackup) -> None:
        """Admit a wish for a version."""
        trigger = Trigger(
            kind="manual",
            identity=f"request/{request.request_id}",
            actor=request.actor,
            reason=request.reason,
            at=self._clock.now(),
        )
        records = self._registry.histories_of(request.app)
        active = next((record for record in records if record.state == "active"), None)
        if active is not None:
            await self.trigger_backup(active, trigger)
            return
        why = "its object is gone; its versions stay" if records else "no Application of that name"
        await self._refuse(
            _run("backup", request.app, trigger, self._clock.now()),
            Failure(
                what=f"application {request.app} cannot be backed up",
                why=why,
                next_step="Apply its document first; `appshield apps` lists the known ones.",
            ),
        )

    async def trigger_backup(self, record: ApplicationRecord, trigger: Trigger) -> None:
        """Admit a backup of a known application, whatever triggers it."""
        run = replace(
            _run("backup", record.app, trigger, self._clock.now()),
            app_id=record.app_id,
            uid=record.uid,
            vault=record.vault,
            backup=BackupProgress(),
        )
        await self._admit(await self._runs.create(run))

    async def restore(self, request: RequestRestore) -> None:
        """Admit a wish to bring a version back."""
        trigger = Trigger(
            kind="manual",
            identity=f"request/{request.request_id}",
            actor=request.actor,
            at=self._clock.now(),
        )
        run = _run("restore", request.app, trigger, self._clock.now())
        if (existing := await self._runs.get(run.id)) is not None:
            await self._admit(existing)
            return
        found = await self._version(request)
        if isinstance(found, Failure):
            await self._refuse(run, found)
            return
        record, version = found
        if request.running_backup == "cancel":
            await self._cancel_backup(record, run.id)
        progress = RestoreProgress(
            version=request.version,
            snapshot_id=version.snapshot_id,
            target_namespace=request.target_namespace or record.app.namespace,
            dry_run=request.dry_run,
        )
        wanted = replace(
            run,
            app_id=record.app_id,
            vault=version.vault,
            version=request.version,
            restore=progress,
        )
        await self._admit(await self._runs.create(wanted))

    async def catalog(self, request: RequestCatalog) -> None:
        """Admit a wish to read a Vault anew; such runs change no application and never wait."""
        trigger = Trigger(
            kind="manual",
            identity=f"request/{request.request_id}",
            actor=request.actor,
            at=self._clock.now(),
        )
        run = replace(_run("catalog", request.app, trigger, self._clock.now()), vault=request.vault)
        entry = await self._runs.create(run)
        if entry.value.state == "pending":
            await self._start(entry)

    async def cancel(self, request: RequestCancel) -> None:
        """Stop a run that has not ended."""
        entry = await self._runs.get(request.run)
        if entry is None or entry.value.state in FINAL_STATES:
            return
        why = Failure(what="cancelled", why=f"asked by {request.actor or 'someone'}")
        await self._cancel(entry, why)

    async def settle(self, run: Run) -> None:
        """After a run has ended, let the next one of its application begin."""
        record = self._registry.get(run.app_id)
        if record is None:
            return
        if run.id == record.active_run or run.id in record.pending_runs:
            active = "" if run.id == record.active_run else record.active_run
            waiting = tuple(other for other in record.pending_runs if other != run.id)
            record = await self._registry.write(
                replace(record, active_run=active, pending_runs=waiting)
            )
        await self.start_next(record)

    async def start_next(self, record: ApplicationRecord) -> None:
        """Start the run whose turn it is: the active one if it has not begun, else the next."""
        if not record.active_run and record.pending_runs:
            head, *rest = record.pending_runs
            record = await self._registry.write(
                replace(record, active_run=head, pending_runs=tuple(rest))
            )
        if not record.active_run:
            return
        entry = await self._runs.get(record.active_run)
        if entry is None or entry.value.state in FINAL_STATES:
            freed = await self._registry.write(replace(record, active_run=""))
            await self.start_next(freed)
        elif entry.value.state == "pending":
            await self._start(entry)

    async def _admit(self, entry: Entry[Run]) -> None:
        run = entry.value
        if run.state != "pending":
            await self._runs.write(entry, run)
            return
        record = self._registry.get(run.app_id)
        if record is None:
            raise LookupError(f"run {run.id} names an unknown history {run.app_id}")
        if run.id not in {record.active_run, *record.pending_runs}:
            if run.kind == "backup" and (waiting := await self._waiting_backup(record)):
                folded = replace(run, state="folded", folded_into=waiting)
                await self._runs.write(entry, folded)
                return
            record = await self._registry.write(
                replace(record, pending_runs=(*record.pending_runs, run.id))
            )
        await self.start_next(record)

    async def _waiting_backup(self, record: ApplicationRecord) -> str:
        for run in record.pending_runs:
            entry = await self._runs.get(run)
            if (
                entry is not None
                and entry.value.kind == "backup"
                and entry.value.state == "pending"
            ):
                return run
        return ""

    async def _start(self, entry: Entry[Run]) -> None:
        begun = deciding.start(entry.value, epoch=self._leadership.epoch, now=self._clock.now())
        await self._runs.write(entry, begun)

    async def _refuse(self, run: Run, why: Failure) -> None:
        entry = await self._runs.create(run)
        if entry.value.state == "pending":
            await self._runs.write(entry, deciding.refuse(entry.value, why, now=self._clock.now()))

    async def _cancel_backup(self, record: ApplicationRecord, restore: str) -> None:
        for run in (record.active_run, *record.pending_runs):
            entry = await self._runs.get(run) if run else None
            if entry is not None and entry.value.kind == "backup":
                why = Failure(what="cancelled", why=f"restore {restore} goes first")
                await self._cancel(entry, why)

    async def _cancel(self, entry: Entry[Run], why: Failure) -> None:
        cancelled = deciding.cancel(
            entry.value, why, epoch=self._leadership.epoch, now=self._clock.now()
        )
        written = await self._runs.write(entry, cancelled)
        if written.value.state in FINAL_STATES:
            await self.settle(written.value)

    async def _version(
        self, request: RequestRestore
    ) -> tuple[ApplicationRecord, VersionRecord] | Failure:
        chosen = self._registry.get(request.app_id) if request.app_id else None
        records = [chosen] if chosen else self._registry.histories_of(request.app)
        if not records:
            return Failure(
                what=f"application {request.app} is unknown",
                next_step="`appshield apps --all` lists every application with versions.",
            )
        for record in records:
            version = await self._catalog.get(record.app_id, request.version)
            if version is not None:
                return record, version
        numbers = [str(n) for r in records for n in await self._catalog.numbers(r.app_id)]
        return Failure(
            what=f"application {request.app} has no version {request.version}",
            why=f"it has {', '.join(numbers)}" if numbers else "it has no version yet",
            next_step=f"`appshield versions {request.app}` lists them.",
        )


def _run(kind: RunKind, app: AppRef, trigger: Trigger, now: datetime) -> Run:
    return Run(
        id=run_id(kind, trigger.identity),
        kind=kind,
        app=app,
        app_id="",
        vault="",
        trigger=trigger,
        state="pending",
        epoch=0,
        requested_at=now,
    )
