"""When a schedule is due: pure functions of the schedule and the time that is passed in.

Every moment is nominal time plus the jitter of a key, so that many applications with one schedule
start spread out, and each at the same distance every time. All results are in UTC.
"""

import functools
import hashlib
from datetime import UTC, datetime, timedelta

from appshield.language.cron import moments, moments_before
from appshield.language.resolved import Schedule


def jitter(schedule: Schedule, key: str) -> timedelta:
    """Return the offset of a key: whole seconds from 0 to `jitter_s`, always the same."""
    if not schedule.jitter_s or not key:
        return timedelta(0)
    digest = hashlib.sha256(key.encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % (schedule.jitter_s + 1))


def next_due(schedule: Schedule, after: datetime, *, key: str = "") -> datetime | None:
    """Return the first moment strictly after `after`; None if none comes within fifty years.

    Args:
        schedule: cron, time zone and jitter.
        after: an aware time.
        key: what the jitter is drawn from, such as namespace, name and rule.
    """
    offset = jitter(schedule, key)
    nominal = _first_after(schedule.cron, schedule.timezone, _whole_minute(after - offset))
    return None if nominal is None else nominal + offset


def missed(schedule: Schedule, last: datetime, now: datetime, *, key: str = "") -> datetime | None:
    """Return the moment to make up for, after nobody looked from `last` to `now`.

    With `run-once` it is the newest moment of (last, now], however many were missed; with `skip`,
    or when nothing was due, None.
    """
    if schedule.missed == "skip" or now <= last:
        return None
    offset = jitter(schedule, key)
    # Moments are whole seconds: the newest one up to now is the newest before the next second.
    before = (now - offset).astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    nominal = next(moments_before(schedule.cron, schedule.timezone, before), None)
    if nominal is None or nominal + offset <= last:
        return None
    return nominal + offset


def upcoming(
    schedule: Schedule, after: datetime, *, count: int, key: str = ""
) -> tuple[datetime, ...]:
    """Return the next `count` moments after `after`, fewer where no more come."""
    offset = jitter(schedule, key)
    nominal = moments(schedule.cron, schedule.timezone, after - offset)
    return tuple(moment + offset for _, moment in zip(range(count), nominal, strict=False))


@functools.lru_cache(maxsize=4096)
def _first_after(cron: str, timezone: str, after: datetime) -> datetime | None:
    """Return the first nominal moment after a time: many applications ask for the same one."""
    return next(moments(cron, timezone, after), None)


def _whole_minute(at: datetime) -> datetime:
    """Return the minute that a time lies in: a schedule comes on whole minutes only."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)
