"""Admission: from a trigger to a run, at most one at a time for an application.

Every function may be called again after a crash at any instruction and goes on where it stopped:
the run's identity is minted from the trigger's, and each write is compared with what was seen.
"""

from msgspec.structs import replace

from appshield.bus import Reject
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.health import RestoreChoice
from appshield.contracts.identities import AppRef, same_place
from appshield.contracts.maintenance import VersionDamage, VersionsAt
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestCatalog,
    RequestGate,
    RequestRestore,
)
from appshield.contracts.runs import (
    FINAL_STATES,
    BackupProgress,
    Failure,
    RestoreProgress,
    Run,
    Trigger,
    Wait,
)
from appshield.doors import choosing
from appshield.planner import deciding
from appshield.planner.catalog import Catalog
from appshield.planner.minting import asked, new_run, run_of_history
from appshield.planner.promising import promise_wait
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.targeting import named, readable_at
from appshield.service import Clock

ASKED = "as asked"
"""The rule of versions that were asked for with a number that stay; no other can be called so."""
_NOTHING_EXTRA = Failure(
    what="extra files can be deleted only where a restore goes onto existing data",
    next_step="Ask for both, or for neither.",
)


class Admission:
    """Turns requests and due schedules into runs and starts them when their turn has come."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._queue = queue
        self._clock = clock

    async def backup(self, request: RequestBackup) -> None:
        """Admit a wish for a version."""
        trigger = asked(request, self._clock.now(), reason=request.reason)
        active = self._active(request.app)
        if active is None:
            await self._refuse_backup(request.app, trigger)
            return
        if request.keep is not None or request.targets:
            trigger = replace(trigger, name=ASKED)
            asked_for = Protection(
                name=ASKED, trigger="manual", keep=request.keep, targets=request.targets
            )
            active = await self._registry.write(replace(active, asked=asked_for))
        await self.trigger_backup(active, trigger, vault="".join(request.targets[:1]))

    async def gate(self, request: RequestGate) -> None:
        """Admit a wish for a version before an operation, in the first Vault of the gate's rule."""
        why = f"before the {request.operation} of {request.about or request.app}"
        wish = asked(request, self._clock.now(), reason=why)
        trigger = replace(wish, kind="gate", name=request.rule)
        active = self._active(request.app)
        if active is None:
            await self._refuse_backup(request.app, trigger)
            return
        rules = [rule for rule in active.protections if rule.name == request.rule]
        vault = "".join(target for rule in rules for target in rule.targets[:1])
        await self.trigger_backup(active, trigger, vault=vault)

    def _active(self, app: AppRef) -> ApplicationRecord | None:
        records = self._registry.histories_of(app)
        return next((record for record in records if record.state == "active"), None)

    async def _refuse_backup(self, app: AppRef, trigger: Trigger) -> None:
        records = self._registry.histories_of(app)
        why = "its object is gone; its versions stay" if records else "no Application of that name"
        await self._queue.refuse(
            new_run("backup", app, trigger, self._clock.now()),
            Failure(
                what=f"application {app} cannot be backed up",
                why=why,
                next_step="Apply its document first; `appshield apps` lists the known ones.",
            ),
        )

    async def trigger_backup(
        self,
        record: ApplicationRecord,
        trigger: Trigger,
        *,
        vault: str = "",
        wait: Wait | None = None,
        priority: int | None = None,
    ) -> None:
        """Admit a backup of a known application, whatever triggers it; `wait` holds it back.

        Without a `priority` it has that of its kind of trigger. An rpo needs no version where
        nothing changed; whoever else triggers one gets one.
        """
        run = run_of_history("backup", record, trigger, self._clock.now(), vault=vault)
        wanted = replace(
            run,
            backup=BackupProgress(),
            wait=wait,
            priority=run.priority if priority is None else priority,
            only_if_changed=trigger.kind == "rpo",
            outbox=promise_wait(run, wait),
        )
        # a signal concerns many applications: the most important of them begin first
        if wait is None and trigger.kind != "signal" and await self._queue.begin_at_once(wanted):
            return
        await self._queue.admit(await self._runs.create(wanted))

    async def restore(self, request: RequestRestore) -> None:
        """Admit a wish to bring a version back."""
        trigger = asked(request, self._clock.now(), reason=request.reason)
        await self.trigger_restore(request, trigger)

    async def trigger_restore(self, request: RequestRestore, trigger: Trigger) -> None:
        """Admit a restore, whatever triggers it."""
        run = new_run("restore", request.app, trigger, self._clock.now())
        existing = await self._runs.get(run.id)
        if existing is not None and existing.value.app_id:
            await self._queue.admit(existing)
            return
        found = request.refusal or await self._version(request)
        if isinstance(found, Failure):
            await self._queue.refuse(run, found)
            return
        record, whole = found
        places = readable_at(record, whole)
        version = whole.at(request.vault) if request.vault else places[0]
        if version is None:
            await self._queue.refuse(run, _not_there(whole, request.vault))
            return
        if version.damage is not None and not (request.keep_going or request.dry_run):
            good = [one.vault for one in places if one.damage is None]
            await self._queue.refuse(run, _damaged(version, version.damage, good))
            return
        if request.delete_extra and not request.existing:
            await self._queue.refuse(run, _NOTHING_EXTRA)
            return
        if request.running_backup == "cancel":
            await self._cancel_backup(record, run.id)
        progress = RestoreProgress(
            version=whole.facts.number,
            snapshot_id=version.snapshot_id,
            target_namespace=request.target_namespace or record.app.namespace,
            paths=request.paths,
            existing=request.existing,
            delete_extra=request.delete_extra,
            registry=request.registry,
            dry_run=request.dry_run,
            keep_going=request.keep_going,
            elsewhere=() if request.vault else _others(version, places),
        )
        wanted = replace(
            run,
            app_id=record.app_id,
            vault=version.vault,
            version=whole.facts.number,
            restore=progress,
            needs_approval=request.needs_approval,
        )
        await self._queue.admit(await self._runs.create(wanted))

    async def catalog(self, request: RequestCatalog) -> None:
        """Admit a wish to read a Vault anew; such runs change no application and never wait."""
        trigger = asked(request, self._clock.now())
        run = replace(
            new_run("catalog", request.app, trigger, self._clock.now()), vault=request.vault
        )
        await self._queue.start_beside(await self._runs.create(run))

    async def approve(self, request: RequestApprove) -> None:
        """Let a run that waits for approval take its turn; one that does not stays as it is."""
        entry = await self._runs.get(request.run)
        if entry is None or not same_place(entry.value.app, request.app):
            raise Reject(f"{request.app} has no run {request.run} to approve of")
        approved = deciding.approve(entry.value, request.actor, now=self._clock.now())
        if approved.approval is not None:
            await self._queue.admit(await self._runs.write(entry, approved))

    async def cancel(self, request: RequestCancel) -> Run | None:
        """Stop a run that has not ended; return it as it is then, None where there is none.

        Raises:
            Reject: it is a run of another application.
        """
        entry = await self._runs.get(request.run)
        if entry is not None and not same_place(entry.value.app, request.app):
            raise Reject(f"{request.run} is no run of {request.app}")
        if entry is None or entry.value.state in FINAL_STATES:
            return entry.value if entry else None
        why = Failure(what="cancelled", why=f"asked by {request.actor or 'someone'}")
        return await self._queue.cancel(entry, why)

    async def _cancel_backup(self, record: ApplicationRecord, restore: str) -> None:
        for run in (record.active_run, *record.pending_runs):
            entry = await self._runs.get(run) if run else None
            if entry is not None and entry.value.kind == "backup":
                why = Failure(what="cancelled", why=f"restore {restore} goes first")
                await self._queue.cancel(entry, why)

    async def _version(
        self, request: RequestRestore
    ) -> tuple[ApplicationRecord, VersionRecord] | Failure:
        chosen = self._registry.get(request.app_id) if request.app_id else None
        records = [chosen] if chosen else self._registry.histories_of(request.app)
        if chosen is not None and not same_place(chosen.app, request.app):
            return Failure(
                what=f"{request.app_id} is no history of application {request.app}",
                why=f"it is one of {chosen.app}",
                next_step=f"Ask in namespace {chosen.app.namespace}.",
            )
        if request.choice is not None and records:
            return await self._chosen(request, request.choice, records)
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

    async def _chosen(
        self, request: RequestRestore, choice: RestoreChoice, records: list[ApplicationRecord]
    ) -> tuple[ApplicationRecord, VersionRecord] | Failure:
        """Find the newest version of the first history that has one that is as asked."""
        for record in records:
            versions = await self._catalog.versions(record.app_id)
            if (version := choosing.chosen(versions, choice)) is not None:
                return record, version
        return choosing.nothing(request.app, choice)


def _others(version: VersionRecord, places: list[VersionRecord]) -> tuple[VersionsAt, ...]:
    """List where the version is good, too, in the order in which they are tried."""
    others = [one for one in places if one.vault != version.vault and one.damage is None]
    return tuple(VersionsAt(vault=one.vault, versions=(named(one),)) for one in others)


def _not_there(version: VersionRecord, vault: str) -> Failure:
    copy = version.copy_at(vault)
    why = f"its copy there is {copy.state}" if copy else f"it is in {', '.join(version.vaults)}"
    return Failure(
        what=f"version {version.facts.number} of {version.facts.app} is not in Vault {vault}",
        why=why,
        next_step=f"Restore it with --from {version.vault}, or from any without --from.",
    )


def _damaged(version: VersionRecord, damage: VersionDamage, good: list[str]) -> Failure:
    more = damage.paths_total - len(damage.paths)
    paths = ", ".join(damage.paths) + (f" and {more} more" if more > 0 else "")
    where = f" in Vault {version.vault}" if good else ""
    return Failure(
        what=f"version {version.facts.number} of {version.facts.app} is damaged{where}",
        why=f"these cannot be read back: {paths}",
        next_step=f"Vault {good[0]} has a good copy: restore with --from {good[0]}."
        if good
        else "Restore another version, or with --keep-going all of this one that can be read.",
    )
