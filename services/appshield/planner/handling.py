"""Messages in, runs moved: all that the planner consumes comes here, and goes on to its part.

Each handler reads, decides, writes with the promises that follow, publishes them, and only then
returns, which acknowledges its cause. Called again, it finds its own work and goes on.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import datetime

import structlog
from msgspec.structs import replace

from appshield.bus import Delivery, Entry, Retry, StaleRevisionError
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.backups import BackupUnchanged, RepositoryOpened, SnapshotTaken
from appshield.contracts.catalog import ApplicationFound
from appshield.contracts.changes import ChangeMatched, Signal
from appshield.contracts.health import HealthChanged, ReactionsDue
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import NamedVersion
from appshield.contracts.message import Request, StepEvent
from appshield.contracts.policies import PolicyObserved
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestCatalog,
    RequestGate,
    RequestPause,
    RequestRestore,
)
from appshield.contracts.runs import (
    FINAL_STATES,
    BackupProgress,
    CopyDue,
    Progress,
    RpoAlertDue,
    RpoDue,
    Run,
    ScheduleDue,
    StepDue,
    UpkeepDue,
    WaitOver,
)
from appshield.doors import choosing
from appshield.planner import deciding, measuring
from appshield.planner.admitting import Admission
from appshield.planner.admitting_maintenance import MaintenanceAdmission
from appshield.planner.alerting import Alerting
from appshield.planner.audit_anchoring import Place, places_of
from appshield.planner.auditing import Auditing
from appshield.planner.authorizing import Authorizing
from appshield.planner.catalog import Catalog
from appshield.planner.copies import CopyPlanning
from appshield.planner.dispatching import Handlers
from appshield.planner.leading import Leadership
from appshield.planner.lines import Lines
from appshield.planner.monitoring import Monitoring
from appshield.planner.observing import Observation
from appshield.planner.pausing import Pausing
from appshield.planner.policing import Policing
from appshield.planner.queueing import Queue
from appshield.planner.reactions import Reactions
from appshield.planner.recording import Recording
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.targeting import targets_differ
from appshield.planner.timing import Timing
from appshield.planner.triggering import Triggering
from appshield.planner.turns import Turns, whose_turns
from appshield.planner.upkeep import UpkeepPlanning
from appshield.service import Clock
from appshield.service.metrics import Gauge

_CONFLICT_RETRY_S = 0.2


class Planner:
    """Moves runs forward, one message at a time."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        queue: Queue,
        authorizing: Authorizing,
        admission: Admission,
        maintenance: MaintenanceAdmission,
        upkeep: UpkeepPlanning,
        copies: CopyPlanning,
        observation: Observation,
        timing: Timing,
        triggering: Triggering,
        lines: Lines,
        pausing: Pausing,
        policing: Policing,
        monitoring: Monitoring,
        reactions: Reactions,
        recording: Recording,
        alerting: Alerting,
        auditing: Auditing,
        leadership: Leadership,
        clock: Clock,
        tell_after_s: float,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._queue = queue
        self._authorizing = authorizing
        self._admission = admission
        self._maintenance = maintenance
        self._upkeep = upkeep
        self._copies = copies
        self._observation = observation
        self._timing = timing
        self._triggering = triggering
        self._lines = lines
        self._pausing = pausing
        self._policing = policing
        self._monitoring = monitoring
        self._reactions = reactions
        self._recording = recording
        self._alerting = alerting
        self._auditing = auditing
        self._leadership = leadership
        self._clock = clock
        self._tell_after_s = tell_after_s
        self._turns = Turns(policing.bring_in_line)
        self._beginning = asyncio.Lock()
        self._moved: dict[tuple[str, str], datetime] = {}
        self._handlers = self._table()

    async def reconcile(self) -> None:
        """After taking over: keep every promise that was written and start what waits."""
        await self._registry.load()
        await self._policing.reconcile(self._turns)
        if await self._observation.has_lost_everything():
            await self._relearn()
        for entry in await self._runs.unfinished():
            await self._take_up(entry)
        for record in self._registry.all():
            await self._queue.start_next(record)
        await self._reactions.reconcile()
        await self._begin_waiting()
        await self._runs.tell()

    async def look_again(self) -> None:
        """Take up what another planner wrote late, when it did not know yet that it leads no more.

        Raises:
            StaleRevisionError: it wrote over what was known; that is known now, so look once more.
        """
        for seen in await self._runs.unfinished():
            async with self._turns.of(seen.value.app):
                entry = await self._runs.get(seen.value.id)
                if entry is not None and (entry.value.outbox or entry.value.state == "pending"):
                    await self._take_up(entry)
        await self._begin_waiting()
        await self._runs.tell()

    async def _take_up(self, entry: Entry[Run]) -> None:
        written = (await self._runs.write(entry, entry.value)).value
        if written.state in FINAL_STATES:
            await self._ended(written)
        else:
            await self._queue.see_to(written)
        await self._triggering.reconcile(written)

    async def handle(self, delivery: Delivery) -> None:
        """Handle any message that the planner consumes."""
        self._leadership.ensure()
        try:
            async with AsyncExitStack() as turns:
                for whose in whose_turns(delivery.message):
                    await turns.enter_async_context(self._turns.of(whose))
                await self._runs.keep_promises()
                await self._handle(delivery)
            await self._begin_waiting()
            if self._runs.has_to_tell:
                await asyncio.sleep(self._tell_after_s)  # what was ordered may be done until then
                await self._runs.tell()
        except StaleRevisionError as error:
            if self._leadership.held() and not self._registry.histories_of(delivery.message.app):
                await self._relearn()  # somebody has removed what was known of the application
            raise Retry(str(error), after_s=_CONFLICT_RETRY_S) from error

    async def _relearn(self) -> None:
        """Take in again what the registry does not know: facts are still there, and so are runs."""
        if not await self._observation.relearn(self._turns):
            return
        for entry in await self._runs.unfinished():
            async with self._turns.of(entry.value.app):
                await self._queue.regain(entry.value)

    async def _handle(self, delivery: Delivery) -> None:
        match delivery.message:
            case Signal() as signal:
                await self._policing.catch_up(self._turns)
                await self._triggering.signalled(signal, self._turns, delivery.moved)
            case Request() as request:
                await self._auditing.handled(delivery, request, self._asked)
            case message:
                await self._handlers.handle(message)

    async def _asked(self, request: Request, subject: str) -> bool:
        """Do what a request says, if whoever asks may; say whether they may."""
        if not await self._authorizing.passes(request, subject):
            return False
        await self._handlers.handle(request)
        return True

    def progressed(self, progress: Progress) -> None:
        """Note that a step moves, so that its deadline moves with it."""
        self._moved[progress.run, progress.step] = self._clock.now()
        self._alerting.progressed(progress)

    def gauges(self) -> Iterator[Gauge]:
        """Give what there is to measure about applications."""
        return measuring.gauges(self._registry.all(), self._clock.now())

    def places(self) -> list[Place]:
        """List the Vaults that applications are saved in."""
        return places_of(self._registry.all())

    async def _begin_waiting(self) -> None:
        """Start the runs whose turn it is, one after the other, each in its application's turn."""
        for doubted in self._runs.doubted():
            async with self._turns.of(doubted.app):
                await self._queue.see_to(doubted)
        async with self._beginning:
            while (place := self._lines.take()) is not None:
                async with self._turns.of(place.app):
                    await self._queue.begin(place)
                    await self._alerting.begun(place.app_id)
        for app_id in self._lines.untold():
            if (record := self._registry.get(app_id)) is not None:
                async with self._turns.of(record.app):
                    await self._queue.tell_limit(record.app_id)

    async def clear_outboxes(self) -> None:
        """Clear what is published and not written over since; raises as `look_again`."""
        await self._runs.tell()
        for run in self._runs.uncleared():
            async with self._turns.of(run.app):
                await self._runs.clear(run.id)

    def _table(self) -> Handlers:
        """Say who handles what; each part gets its kinds of message here."""
        table = Handlers()
        table.add(ApplicationObserved, self._observed)
        table.add(PolicyObserved, self._policy_observed)
        table.add(HealthChanged, self._health_changed)
        table.add(ChangeMatched, self._triggering.changed)
        table.add(RequestBackup, self._triggering.asked)
        table.add(RequestGate, self._admission.gate)
        table.add(RequestRestore, self._admission.restore)
        table.add(RequestApprove, self._admission.approve)
        table.add(RequestCancel, self._cancel)
        table.add(RequestPause, self._pause)
        table.add(RequestCatalog, self._admission.catalog)
        table.add(Request, self._maintenance.admit)
        table.add(StepDue, self._step_due)
        table.add(ScheduleDue, self._triggering.schedule_due)
        table.add(RpoDue, self._triggering.rpo_due)
        table.add(WaitOver, self._triggering.wait_over)
        table.add(UpkeepDue, self._upkeep_due)
        table.add(CopyDue, self._copy_due)
        table.add(ReactionsDue, self._reactions.due)
        table.add(RpoAlertDue, self._alert_due)
        table.add(StepEvent, self._outcome)
        return table

    async def _policy_observed(self, fact: PolicyObserved) -> None:
        await self._policing.observed(fact, self._turns)

    async def _health_changed(self, fact: HealthChanged) -> None:
        await self._monitoring.changed(fact)
        await self._triggering.health_changed(fact)
        await self._look_at(fact.app)

    async def _pause(self, request: RequestPause) -> None:
        await self._pausing.admit(request)
        await self._look_at(request.app)

    async def _look_at(self, app: AppRef) -> None:
        """Let reactions see what has become of an application."""
        for record in self._registry.histories_of(app):
            await self._reactions.look(record.app_id)

    async def _cancel(self, request: RequestCancel) -> None:
        cancelled = await self._admission.cancel(request)
        if cancelled is not None and cancelled.copy is not None:
            await self._copies.after(cancelled)
        if cancelled is not None:
            await self._alerting.after(cancelled)
        await self._look_at(request.app)

    async def _upkeep_due(self, due: UpkeepDue) -> None:
        await self._upkeep.due(due)
        await self._copies.plan(due.app_id)

    async def _alert_due(self, due: RpoAlertDue) -> None:
        await self._alerting.due(due)
        await self._reactions.look(due.app_id)

    async def _copy_due(self, due: CopyDue) -> None:
        await self._copies.plan(due.app_id)

    async def _observed(self, fact: ApplicationObserved) -> None:
        before = {one.app_id: one for one in self._registry.histories_of(fact.app)}
        record = await self._observation.observed(fact)
        if record is not None and targets_differ(record, before.get(record.app_id)):
            await self._copies.plan(record.app_id)
        if record is not None:
            await self._alerting.look(record.app_id)
        await self._look_at(fact.app)

    async def _outcome(self, event: StepEvent) -> None:
        entry = await self._runs.get(event.run)
        await self._recording.record(event, entry.value if entry else None)
        if isinstance(event, ApplicationFound):
            await self._copies.plan(event.app_id)
            return  # a finding on the way; the outcome of the step follows
        if entry is None:
            structlog.get_logger().warning("outcome of an unknown run", run=event.run)
            return
        run = await self._informed(entry.value, event)
        decided = deciding.advance(run, event, epoch=self._leadership.epoch, now=self._clock.now())
        await self._runs.write(entry, decided)
        self._queue.moved(decided)
        await self._after(decided)

    async def _informed(self, run: Run, event: StepEvent) -> Run:
        """Give a run what is known of its application and matters for what it does next."""
        progress = run.backup
        if progress is None:
            return run
        if isinstance(event, RepositoryOpened) and run.version is None:
            number = await self._registry.number_for(run, at_least_above=event.highest_version)
            newest = await self._newest_good(run) if run.only_if_changed else None
            return replace(run, version=number, backup=replace(progress, newest=newest))
        if isinstance(event, SnapshotTaken):
            return replace(run, backup=self._at_the_cut(run.app_id, progress))
        if isinstance(event, BackupUnchanged) and progress.newest != await self._newest_good(run):
            return replace(run, backup=replace(progress, newest=None))  # gone, or bad, by now
        return run

    def _at_the_cut(self, app_id: str, progress: BackupProgress) -> BackupProgress:
        """Note how the application is now, and which policies are in force for it."""
        record = self._registry.get(app_id)
        if record is None:
            return progress
        policies = self._policing.revisions_for(record)
        return replace(progress, health=record.health, policies=policies)

    async def _newest_good(self, run: Run) -> NamedVersion | None:
        return choosing.newest_good_in(await self._catalog.versions(run.app_id), run.vault)

    async def _step_due(self, due: StepDue) -> None:
        entry = await self._runs.get(due.run)
        if entry is None:
            return
        decided = deciding.overdue(
            entry.value,
            due,
            last_moved=self._moved.get((due.run, due.step)),
            epoch=self._leadership.epoch,
            now=self._clock.now(),
        )
        await self._runs.write(entry, decided)
        await self._after(decided)

    async def _after(self, run: Run) -> None:
        if run.state in FINAL_STATES:
            for moved in [key for key in self._moved if key[0] == run.id]:
                del self._moved[moved]
            await self._ended(run)

    async def _ended(self, run: Run) -> None:
        """Let the next run of the application begin, and plan what follows this one."""
        await self._upkeep.before_settling(run)
        await self._timing.before_settling(run)
        await self._reactions.restored(run)
        await self._queue.settle(run)
        if run.kind == "backup":  # a new version is copied before older ones are tidied up
            await self._copies.after(run)
            await self._upkeep.after(run)
        else:
            await self._upkeep.after(run)
            await self._copies.after(run)
        await self._alerting.after(run)
        await self._reactions.look(run.app_id)
