"""When the rules that are in force for an application make a version next. Pure."""

from datetime import datetime, timedelta

from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.language.resolved import Schedule

_SPARE = 1.1
"""The next backup may take a little longer than the longest of late."""
_IN_TIME = timedelta(seconds=2)
"""Timers have a resolution of a second."""


def rpo_due_at(record: ApplicationRecord, rule: Protection) -> datetime | None:
    """Return when the next backup has to begin, so that it ends before the newest version is old.

    None where there is no version yet: then it is now.
    """
    if record.last_backup_at is None:
        return None
    takes_s = record.expected_backup_s * _SPARE
    return record.last_backup_at + timedelta(seconds=max(rule.rpo_s - takes_s, 0)) - _IN_TIME


def jitter_key(record: ApplicationRecord, rule: Protection) -> str:
    """Name what a schedule's jitter is drawn from: the same application and rule, the same one."""
    return f"{record.app_id}/{rule.name}"


def schedule_of(rule: Protection) -> Schedule:
    """Give a rule's schedule as the language's calendar takes it."""
    return Schedule(
        cron=rule.schedule, timezone=rule.timezone, jitter_s=rule.jitter_s, missed=rule.missed
    )
