"""Reactions in effect: what `reacting` decides is written down, then done, then noted as done.

Whoever takes over does again what was written and not noted; each action goes by an identity of its
own, made from the application, the reaction and the moment since which its condition held, so that
doing it twice is doing it once.
"""

import functools
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from appshield.application.facts import facts_of
from appshield.bus import Bus
from appshield.contracts import encode, subjects
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.cloud_events import event_of
from appshield.contracts.health import (
    BackupAction,
    NotifyAction,
    PauseAction,
    Reacted,
    Reaction,
    ReactionsDue,
    RestoreAction,
    SendNotice,
)
from appshield.contracts.requests import RequestPause, RequestRestore
from appshield.contracts.runs import Run, Trigger
from appshield.language.combining import effective_name
from appshield.language.expressions import REACTION, Condition
from appshield.language.reaction_names import rule_of
from appshield.planner.admitting import Admission
from appshield.planner.auditing import Auditing
from appshield.planner.catalog import Catalog
from appshield.planner.pausing import Pausing
from appshield.planner.reacting import Situation, last_good, look
from appshield.planner.recovery import promised_s
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.service import Clock

_CONDITIONS_MAX = 4_096
_NOTHING_VERIFIED = "no version has been verified, so none is restored"
_NOTHING_GOOD = "there is no good version of a time when it was healthy, so none is restored"


class Reactions:
    """Lets reactions act."""

    def __init__(
        self,
        *,
        bus: Bus,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        admission: Admission,
        pausing: Pausing,
        auditing: Auditing,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._admission = admission
        self._pausing = pausing
        self._auditing = auditing
        self._clock = clock
        self._timers: dict[str, datetime] = {}

    async def look(self, app_id: str) -> None:
        """See what is to be done for an application now, do it, and say when to look again."""
        record = self._registry.get(app_id)
        if record is None or record.state != "active" or not record.reactions:
            return
        await self._finish(app_id)
        record = self._registry.get(app_id) or record
        now = self._clock.now()
        looked = look(record, await self._situation(record), _condition, now)
        await self._registry.write(replace(record, reacted=looked.reacted))
        await self._finish(app_id)
        times = [at for at in (looked.look_at, await self._resume(app_id, now)) if at is not None]
        if times:
            await self._set_timer(record, min(times))

    async def reconcile(self) -> None:
        """After taking over: do what was written down and is not noted as done."""
        for record in self._registry.all():
            if any(state.acting for state in record.reacted):
                await self._finish(record.app_id)

    async def due(self, due: ReactionsDue) -> None:
        """Take in that a timer has come."""
        self._timers.pop(due.app_id, None)
        await self.look(due.app_id)

    async def restored(self, run: Run) -> None:
        """Note that a restore into an application has ended: its health says nothing for a while.

        After one of a reaction's own nothing reacts to its health until it was healthy once.
        """
        record, restore = self._registry.get(run.app_id), run.restore
        if record is None or restore is None or restore.dry_run or run.started_at is None:
            return
        if restore.target_namespace != record.app.namespace:
            return
        now = run.finished_at or self._clock.now()
        is_healthy = record.health is not None and record.health.status == "Healthy"
        unproven = record.unproven_since
        if run.trigger.kind == "reaction" and not is_healthy:
            unproven = now
        await self._registry.write(replace(record, restored_at=now, unproven_since=unproven))

    async def _situation(self, record: ApplicationRecord) -> Situation:
        entry = await self._runs.get(record.active_run) if record.active_run else None
        active = entry.value if entry else None
        others = (record.active_run, *record.pending_runs, *record.awaiting_approval)
        first = next(filter(None, others), "")
        return Situation(
            app=facts_of(record),
            promised_s=promised_s(record),
            restoring=active is not None and active.kind == "restore",
            busy=f"it waits for run {first}" if first else "",
        )

    async def _finish(self, app_id: str) -> None:
        """Do what was written down and is not noted as done."""
        record = self._registry.get(app_id)
        for state in record.reacted if record else ():
            if state.acting and record is not None:
                reaction = next(one for one in record.reactions if one.digest == state.digest)
                identity = _identity(record, reaction, state)
                problem = await self._act(record, reaction, state, identity)
                await self._auditing.reacted(record, reaction, identity, problem)
                await self._note(app_id, replace(state, acting=False, problem=problem))

    async def _note(self, app_id: str, state: Reacted) -> None:
        record = self._registry.get(app_id)
        if record is not None:
            reacted = tuple(state if one.digest == state.digest else one for one in record.reacted)
            await self._registry.write(replace(record, reacted=reacted))

    async def _act(
        self, record: ApplicationRecord, reaction: Reaction, state: Reacted, identity: str
    ) -> str:
        """Act; return why nothing could be done."""
        structlog.get_logger().info("reaction", app=str(record.app), reaction=reaction.digest)
        match reaction.action:
            case BackupAction():
                await self._admission.trigger_backup(record, self._trigger(reaction, identity))
            case RestoreAction() as action:
                return await self._restore(record, reaction, action, identity)
            case NotifyAction() as action:
                await self._notify(record, reaction, action, identity, state)
            case PauseAction():
                await self._pausing.change(
                    record,
                    RequestPause(
                        app=record.app,
                        request_id=identity,
                        actor=_actor(reaction),
                        reason=f"{reaction.when} holds",
                    ),
                )
        return ""

    async def _restore(
        self,
        record: ApplicationRecord,
        reaction: Reaction,
        action: RestoreAction,
        identity: str,
    ) -> str:
        number = action.number
        if not number:
            if action.choice == "last-verified":
                return _NOTHING_VERIFIED
            versions = await self._catalog.versions(record.app_id)
            facts = [(one.facts.number, one.facts.cut_at, one.damage is None) for one in versions]
            number = last_good(facts, record.healthy_until) or 0
            if not number:
                return _NOTHING_GOOD
        in_place = not action.namespace
        request = RequestRestore(
            app=record.app,
            request_id=identity,
            actor=_actor(reaction),
            version=number,
            app_id=record.app_id,
            target_namespace=action.namespace,
            paths=missing_paths(record) if in_place else (),
            existing=in_place,
            needs_approval=action.approved_by_person or not surely_unwanted(record),
        )
        await self._admission.trigger_restore(request, self._trigger(reaction, identity))
        return ""

    async def _notify(
        self,
        record: ApplicationRecord,
        reaction: Reaction,
        action: NotifyAction,
        identity: str,
        state: Reacted,
    ) -> None:
        notice = SendNotice(
            app=record.app,
            notice=identity,
            app_id=record.app_id,
            policy=reaction.policy,
            reaction=reaction.digest,
            at=state.acted_at[-1],
            health=record.health,
            last_version=record.last_version,
            last_backup_at=record.last_backup_at,
        )
        if action.signal:
            subject = subjects.signal(action.signal)
            await self._bus.publish_raw(subject, event_of(notice), message_id=identity)
        if action.webhook:
            await self._bus.publish(notice)

    async def _resume(self, app_id: str, now: datetime) -> datetime | None:
        """Let an application go on whose pause by a reaction is over; else say when it will be."""
        record = self._registry.get(app_id)
        if record is None or record.paused is None:
            return None
        for reaction in record.reactions:
            action = reaction.action
            if not isinstance(action, PauseAction) or not action.lasts_s:
                continue
            if record.paused.actor == _actor(reaction):
                over_at = record.paused.at + timedelta(seconds=action.lasts_s)
                if now < over_at:
                    return over_at
                request = RequestPause(
                    app=record.app,
                    request_id=f"resume/{app_id}/{over_at:%Y%m%dT%H%M%S.%f}",
                    actor=_actor(reaction),
                    paused=False,
                    reason="the time of the pause is over",
                )
                await self._pausing.change(record, request)
                await self._auditing.reacted(record, reaction, request.request_id, action="resume")
        return None

    async def _set_timer(self, record: ApplicationRecord, at: datetime) -> None:
        if self._timers.get(record.app_id) == at:
            return
        due = ReactionsDue(app=record.app, app_id=record.app_id, at=at)
        name = f"reactions.{record.app_id}"
        await self._bus.schedule(name, at, encode(due), message_id=due.message_id())
        self._timers[record.app_id] = at

    def _trigger(self, reaction: Reaction, identity: str) -> Trigger:
        return Trigger(
            kind="reaction",
            identity=identity,
            name=effective_name(reaction.policy, rule_of(reaction.digest)),
            actor=_actor(reaction),
            reason=f"{reaction.when} holds",
            at=self._clock.now(),
        )


def surely_unwanted(record: ApplicationRecord) -> bool:
    """Say whether nobody can want it so: of what is missing, the document in force names all."""
    health = record.health
    if health is None or health.status != "Missing":
        return True
    return len(health.reasons) == health.reasons_total and all(
        reason.named for reason in health.reasons
    )


def missing_paths(record: ApplicationRecord) -> tuple[str, ...]:
    """Choose of a version what is missing, so that nothing else is touched; none for all of it."""
    health = record.health
    if health is None or health.status != "Missing":
        return ()
    if len(health.reasons) != health.reasons_total:
        return ()
    return tuple(reason.path for reason in health.reasons)


def _identity(record: ApplicationRecord, reaction: Reaction, state: Reacted) -> str:
    return f"reaction/{record.app_id}/{reaction.digest}/{state.held_since:%Y%m%dT%H%M%S.%f}"


def _actor(reaction: Reaction) -> str:
    return f"policy {reaction.policy}, reaction {reaction.digest}"


@functools.lru_cache(maxsize=_CONDITIONS_MAX)
def _condition(text: str) -> Condition:
    return REACTION.condition(text)  # it was checked with the document
