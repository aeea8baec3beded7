"""When rules that go by time are due. Pure."""

from datetime import datetime, timedelta

from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.language.resolved import Schedule
from appshield.language.scheduling import next_due

_SPARE = 1.1
"""The next backup may take a little longer than the longest of late."""
_IN_TIME = timedelta(seconds=2)
"""Timers have a resolution of a second."""


def schedule_of(rule: Protection) -> Schedule:
    """Give a rule's schedule as the language's calendar takes it."""
    return Schedule(
        cron=rule.schedule, timezone=rule.timezone, jitter_s=rule.jitter_s, missed=rule.missed
    )


def jitter_key(app_id: str, rule: Protection) -> str:
    """Name what a schedule's jitter is drawn from: the same history and rule, the same one."""
    return f"{app_id}/{rule.name}" if app_id else ""


def schedule_due_at(rule: Protection, app_id: str, after: datetime) -> datetime | None:
    """Return the first moment of a schedule after a time; None where no more comes.

    Without an `app_id` moments are nominal: jitter is drawn from it.
    """
    return next_due(schedule_of(rule), after, key=jitter_key(app_id, rule))


def saved_at(record: ApplicationRecord) -> datetime | None:
    """Return the moment at which the newest version is known to hold the application."""
    known = (record.last_backup_at, record.unchanged_at)
    return max((at for at in known if at is not None), default=None)


def rpo_due_at(rule: Protection, saved_at: datetime, expected_backup_s: float) -> datetime:
    """Return when the next backup of an rpo has to begin, so that it ends in time.

    Args:
        rule: the rule.
        saved_at: the moment at which the newest version was known to hold the application.
        expected_backup_s: how long the next backup may take.
    """
    early_s = expected_backup_s * _SPARE
    return saved_at + timedelta(seconds=max(rule.rpo_s - early_s, 0)) - _IN_TIME
