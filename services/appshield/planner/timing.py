"""The timers of rules: when a schedule comes next, when the newest version would become too old.

Each rule has one timer, named after it; setting it again replaces it. What a timer is set to is a
pure decision, so whoever sets it again, at whatever time, arrives at the same moment.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts import encode
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.runs import RpoDue, Run, ScheduleDue
from appshield.planner.registry import Registry
from appshield.service import Clock
from appshield.triggers.moments import rpo_due_at, saved_at, schedule_due_at

RETRY_MIN = timedelta(minutes=1)
RETRY_MAX = timedelta(minutes=10)
"""How soon a backup that an rpo needs is tried again after it failed: after a tenth of the rpo."""
_FORGETS = 0.9
"""What a slow backup was in the past counts a little less with each one that follows."""


class Timing:
    """Sets and cancels the timers of rules."""

    def __init__(self, *, bus: Bus, registry: Registry, clock: Clock) -> None:
        self._bus = bus
        self._registry = registry
        self._clock = clock

    async def set(self, record: ApplicationRecord, rule: Protection, since: datetime) -> None:
        """Set the timer of a rule, if it goes by time, to its first moment since it is in force."""
        if rule.trigger == "schedule":
            await self.set_schedule(record, rule, since)
        elif rule.trigger == "rpo":
            await self.set_rpo(record, rule, not_before=since)

    async def cancel(self, record: ApplicationRecord, rule: Protection) -> None:
        """Cancel the timer of a rule, if it has one."""
        if rule.trigger in {"schedule", "rpo"}:
            await self._bus.cancel_timer(timer_name(record.app_id, rule))

    async def set_schedule(
        self, record: ApplicationRecord, rule: Protection, after: datetime
    ) -> None:
        """Set the timer of a schedule to its first moment after `after`, if there is one."""
        at = schedule_due_at(rule, record.app_id, after)
        if at is None:
            return
        due = ScheduleDue(
            app=record.app,
            app_id=record.app_id,
            protection=rule.name,
            revision=record.revision,
            at=at,
        )
        await self._bus.schedule(
            timer_name(record.app_id, rule), at, encode(due), message_id=due.message_id()
        )

    async def set_rpo(
        self, record: ApplicationRecord, rule: Protection, *, not_before: datetime
    ) -> None:
        """Set the timer of an rpo to when its next backup has to begin."""
        at = max(rpo_due(record, rule) or not_before, not_before)
        due = RpoDue(app=record.app, app_id=record.app_id, protection=rule.name, at=at)
        await self._bus.schedule(
            timer_name(record.app_id, rule), at, encode(due), message_id=due.message_id()
        )

    async def before_settling(self, run: Run) -> None:
        """After a backup: take in how long it took, and set the timers anew that depend on it.

        Only as long as it has its turn, so that what is told again later changes nothing.
        """
        record = self._registry.get(run.app_id)
        if record is None or run.kind != "backup" or record.active_run != run.id:
            return
        if run.state == "succeeded":
            record = await self._registry.write(with_measured(record, run))
        now = self._clock.now()
        for rule in record.protections if record.state == "active" else ():
            if rule.trigger == "rpo":
                pause = timedelta(0) if run.state == "succeeded" else retry_pause(rule)
                await self.set_rpo(record, rule, not_before=now + pause)


def rpo_due(record: ApplicationRecord, rule: Protection) -> datetime | None:
    """Return when the next backup has to begin, so that it ends before the newest version is old.

    None where there is no version yet: then it is now.
    """
    since = saved_at(record)
    return None if since is None else rpo_due_at(rule, since, record.expected_backup_s)


def retry_pause(rule: Protection) -> timedelta:
    """Return how long to wait with the next backup of an rpo after one has failed."""
    return min(max(timedelta(seconds=rule.rpo_s / 10), RETRY_MIN), RETRY_MAX)


def with_measured(record: ApplicationRecord, run: Run) -> ApplicationRecord:
    """Return the record with what a backup that has succeeded says about the next one."""
    nodes = tuple(sorted({step.node for step in run.steps if step.node}))
    if run.started_at is None or run.finished_at is None:
        return replace(record, usual_nodes=nodes)
    took_s = (run.finished_at - run.started_at).total_seconds()
    expected_s = max(took_s, record.expected_backup_s * _FORGETS)
    return replace(record, usual_nodes=nodes, expected_backup_s=round(expected_s, 3))


def is_moment_of(record: ApplicationRecord, rule: Protection, at: datetime) -> bool:
    """Say whether a schedule, as it is now, comes at this moment."""
    return schedule_due_at(rule, record.app_id, at - timedelta(microseconds=1)) == at


def timer_name(app_id: str, rule: Protection) -> str:
    """Name the timer of a rule."""
    return f"{rule.trigger}.{app_id}.{rule.name}"
