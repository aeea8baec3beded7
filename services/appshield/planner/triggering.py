"""Triggers: what happens, by which rules of which applications it counts, and the run it becomes.

A trigger has an identity, and its run is named by that: whatever comes twice is one run. What a
rule holds back (see `holding`) is a run that waits, with the reason; so nothing of it is lost when
the planner ends, and what is triggered again meanwhile is folded into it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts import encode
from appshield.contracts.applications import (
    ApplicationRecord,
    Protection,
    SignalProblem,
    TriggerKind,
)
from appshield.contracts.changes import ChangeMatched, Signal
from appshield.contracts.health import HealthChanged
from appshield.contracts.identities import run_id
from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Failure, RpoDue, Run, ScheduleDue, Trigger, WaitOver
from appshield.language.expression_errors import ExpressionError, UndecidedError
from appshield.planner.admitting import Admission
from appshield.planner.lines import is_held, is_of
from appshield.planner.minting import asked, run_of_history
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.signalling import waits_for
from appshield.planner.timing import Timing, is_moment_of, retry_pause, rpo_due
from appshield.planner.turns import Turns
from appshield.service import Clock
from appshield.triggers.holding import held

_LATE_S = 300.0


class Triggering:
    """Lets rules act."""

    def __init__(
        self,
        *,
        bus: Bus,
        runs: Runs,
        registry: Registry,
        queue: Queue,
        admission: Admission,
        timing: Timing,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._runs = runs
        self._registry = registry
        self._queue = queue
        self._admission = admission
        self._timing = timing
        self._clock = clock

    async def asked(self, request: RequestBackup) -> None:
        """Act on a wish for a version: at once, or by the rule that is named."""
        records = self._registry.histories_of(request.app)
        active = next((record for record in records if record.state == "active"), None)
        if active is None or not request.rule:
            await self._admission.backup(request)
            return
        now = self._clock.now()
        trigger = replace(asked(request, now, reason=request.reason), name=request.rule)
        rule = _rule(active, request.rule, "manual")
        if rule is not None:
            await self._make_run(active, rule, trigger)
            return
        by_hand = [one.name for one in active.protections if one.trigger == "manual"]
        named = f"it has {', '.join(by_hand)}" if by_hand else "it has no rule that starts by hand"
        why = Failure(
            what=f"{active.app} has no rule {request.rule} that starts by hand",
            why=named,
            next_step="Ask for one of these, or without a rule.",
        )
        await self._queue.refuse(run_of_history("backup", active, trigger, now), why)

    async def schedule_due(self, due: ScheduleDue) -> None:
        """Act on a schedule whose time has come, unless it was missed and such are skipped."""
        record = self._registry.get(due.app_id)
        rule = _rule(record, due.protection, "schedule")
        identity = f"schedule/{due.app_id}/{due.protection}/{due.at.isoformat()}"
        if record is None or rule is None or not is_moment_of(record, rule, due.at):
            await self._go_on(identity)
            return  # it is another schedule by now, with a timer of its own
        now = self._clock.now()
        late = now - due.at > timedelta(seconds=_LATE_S)
        if not (late and rule.missed == "skip"):
            await self.fire(record, rule, _trigger("schedule", identity, rule, due.at))
        await self._timing.set_schedule(record, rule, max(now, due.at))

    async def rpo_due(self, due: RpoDue) -> None:
        """Act on an rpo, unless a newer version has come meanwhile."""
        record = self._registry.get(due.app_id)
        rule = _rule(record, due.protection, "rpo")
        identity = f"rpo/{due.app_id}/{due.protection}/{due.at.isoformat()}"
        if record is None or rule is None:
            await self._go_on(identity)
            return
        now = max(self._clock.now(), due.at)
        due_at = rpo_due(record, rule)
        if due_at is not None and due_at > now:
            await self._timing.set_rpo(record, rule, not_before=due_at)
            return
        if not await self._is_on_its_way(record, rule):
            await self.fire(record, rule, _trigger("rpo", identity, rule, due.at))
        # the end of a backup sets the timer anew; this one is for one that does not begin or end
        again_at = now + max(retry_pause(rule), timedelta(seconds=record.expected_backup_s))
        await self._timing.set_rpo(record, rule, not_before=again_at)

    async def changed(self, fact: ChangeMatched) -> None:
        """Act on a change that the watcher found to match."""
        for record in self._registry.histories_of(fact.app):
            rule = _rule(record, fact.protection, "change")
            if rule is not None:
                identity = f"change/{record.app_id}/{fact.identity()}"
                what = f"{fact.object} {'is gone' if fact.deleted else 'has changed'}"
                trigger = _trigger("change", identity, rule, fact.seen_at, reason=what)
                await self.fire(record, rule, trigger)

    async def health_changed(self, fact: HealthChanged) -> None:
        """Act on health that became another; what was never known has not become healthy again."""
        status = fact.health.status
        if status == fact.before or (status == "Healthy" and fact.before == "Unknown"):
            return
        for record in self._registry.histories_of(fact.app):
            if record.uid != fact.uid:
                continue
            for rule in record.protections:
                if rule.trigger == "health" and rule.health == status:
                    identity = f"health/{record.app_id}/{rule.name}/{fact.uid}/{fact.change}"
                    why = f"from {fact.before} to {status}"
                    trigger = _trigger("health", identity, rule, fact.health.since, reason=why)
                    await self.fire(record, rule, trigger)

    async def signalled(self, signal: Signal, turns: Turns, moved: Callable[[], None]) -> None:
        """Act on a signal, for every application with a rule that waits for it, each in its turn.

        Where an expression has no answer for a signal, its rule does not act.
        """
        for known in self._registry.all():
            for rule in known.protections:
                if rule.trigger == "signal" and rule.signal == signal.name:
                    async with turns.of(known.app):
                        await self._signalled(known.app_id, rule.name, signal)
                    moved()

    async def wait_over(self, due: WaitOver) -> None:
        """Let a run take its turn that was held back until now."""
        entry = await self._runs.get(due.run)
        record = self._registry.get(entry.value.app_id) if entry else None
        if entry is None or record is None or entry.value.state != "pending":
            return
        if not is_held(entry.value, max(self._clock.now(), due.at)):
            await self._queue.release(entry)

    async def reconcile(self, run: Run) -> None:
        """After taking over: have it told again when a run has waited long enough."""
        if run.state == "pending" and run.wait is not None and run.wait.until is not None:
            over = WaitOver(app=run.app, run=run.id, at=run.wait.until)
            await self._bus.schedule(
                f"wait.{run.id}", over.at, encode(over), message_id=over.message_id()
            )

    async def fire(self, record: ApplicationRecord, rule: Protection, trigger: Trigger) -> None:
        """Make a run of a trigger, held back as its rule says; a paused application has none."""
        if record.state == "active" and record.paused is None:
            await self._make_run(record, rule, trigger)

    async def _go_on(self, identity: str) -> None:
        """Begin a run that was made when its rule was still there, by a planner that ended then."""
        entry = await self._runs.get(run_id("backup", identity))
        if entry is not None:
            await self._queue.go_on(entry)

    async def _make_run(
        self, record: ApplicationRecord, rule: Protection, trigger: Trigger
    ) -> None:
        now = self._clock.now()
        since = await self._since(record, rule) or now
        await self._admission.trigger_backup(
            record,
            trigger,
            vault="".join(rule.targets[:1] or record.targets[:1]),
            wait=held(rule, record.begun.get(rule.name, ()), since=since, now=now),
            priority=None if trigger.kind == "manual" else rule.priority,
        )

    async def _signalled(self, app_id: str, name: str, signal: Signal) -> None:
        record = self._registry.get(app_id)
        rule = _rule(record, name, "signal")
        if record is None or rule is None:
            return
        try:
            waits = waits_for(record, rule, signal)
        except (UndecidedError, ExpressionError) as error:
            structlog.get_logger().warning(
                "signal not understood", signal=signal.name, rule=name, problem=str(error)
            )
            await self._note(record, rule, str(error))
            return
        record = await self._note(record, rule, "")
        if not waits:
            return
        identity = f"signal/{signal.name}/{signal.id}/{app_id}/{name}"
        why = f"signal {signal.name}"
        await self.fire(record, rule, _trigger("signal", identity, rule, self._clock.now(), why))

    async def _note(
        self, record: ApplicationRecord, rule: Protection, why: str
    ) -> ApplicationRecord:
        """Write down why a rule has no answer for a signal, once; nothing is wrong any more."""
        known = record.signal_problems.get(rule.name)
        if why == (known.why if known else ""):
            return record
        problems = {name: one for name, one in record.signal_problems.items() if name != rule.name}
        if why:
            problems[rule.name] = SignalProblem(when=rule.when, why=why, since=self._clock.now())
        return await self._registry.write(replace(record, signal_problems=problems))

    async def _since(self, record: ApplicationRecord, rule: Protection) -> datetime | None:
        """Return since when a run of this rule is held back already."""
        for run in record.pending_runs:
            entry = await self._runs.get(run)
            wait = entry.value.wait if entry and is_of(entry.value, rule) else None
            if wait is not None and wait.until is not None:
                return wait.since
        return None

    async def _is_on_its_way(self, record: ApplicationRecord, rule: Protection) -> bool:
        """Say whether a backup is under way, or one of this rule waits for its turn."""
        active = await self._runs.get(record.active_run) if record.active_run else None
        if active is not None and active.value.kind == "backup":
            return True
        waiting = [await self._runs.get(run) for run in record.pending_runs]
        return any(is_of(entry.value, rule) for entry in waiting if entry is not None)


def _rule(record: ApplicationRecord | None, name: str, kind: TriggerKind) -> Protection | None:
    """Find the rule of an active application; None where it is gone, or another by now."""
    if record is None or record.state != "active":
        return None
    named = (rule for rule in record.protections if (rule.name, rule.trigger) == (name, kind))
    return next(named, None)


def _trigger(
    kind: TriggerKind, identity: str, rule: Protection, at: datetime, reason: str = ""
) -> Trigger:
    return Trigger(kind=kind, identity=identity, name=rule.name, at=at, reason=reason)
