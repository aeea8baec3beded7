"""What is legal in a protection rule and probably not meant: times, limits and retention at odds.

Pure: the time, and how long a backup takes, are passed in.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec.structs import replace

from appshield.language.problems import Path, Problem
from appshield.language.protection import Protection
from appshield.language.resolved import (
    ResolvedKeep,
    ResolvedProtection,
    ResolvedTrigger,
    RpoTrigger,
    Schedule,
)
from appshield.language.resolving import resolve_protection
from appshield.language.scheduling import missed, upcoming
from appshield.language.values import duration

YEAR_S = 366 * 86_400
_MOMENTS = 50
"""So many times of a schedule are looked at: enough for each of a week's, or for months of days."""
_UNITS_S = {
    "hourly": 3600,
    "daily": 86_400,
    "weekly": 604_800,
    "monthly": 31 * 86_400,
    "yearly": YEAR_S,
}


def period_s(trigger: ResolvedTrigger, now: datetime) -> int:
    """Return the longest time between two versions that a rule makes; 0 where nobody can know."""
    if isinstance(trigger, RpoTrigger):
        return trigger.age_s
    gaps = _gaps_s(trigger, now) if isinstance(trigger, Schedule) else []
    return max(gaps, default=0)


def advise_rule(
    rule: Protection, path: Path, now: datetime, *, backup_takes_s: float = 0
) -> Iterator[Problem]:
    """Yield what is probably not meant in one rule; `backup_takes_s` is 0 when nobody knows."""
    resolved = resolve_protection(rule, ())
    on = (*path, "on")
    if isinstance(resolved.trigger, Schedule):
        yield from _schedule(resolved.trigger, on, now)
        yield from _blackout(resolved, on, now)
    between_s = _shortest_s(resolved.trigger, now)
    yield from _limit(resolved, between_s, on)
    if 0 < between_s < backup_takes_s:
        field = "rpo" if isinstance(resolved.trigger, RpoTrigger) else "schedule"
        takes = duration(round(backup_takes_s))
        wrong = f"wants a version every {duration(between_s)}, and a backup takes {takes}"
        yield Problem((*on, field), wrong, "allow more time than a backup takes")
    if resolved.keep is not None and between_s:
        yield from _keep(resolved.keep, period_s(resolved.trigger, now), (*path, "keep"))


def _schedule(schedule: Schedule, path: Path, now: datetime) -> Iterator[Problem]:
    gaps = _gaps_s(schedule, now)
    if not gaps or gaps[0] > YEAR_S:
        (first, *_) = (*upcoming(schedule, now, count=1), None)
        when = f"next on {first:%Y-%m-%d}" if first else "not within fifty years"
        wrong = f"comes less than once a year, {when}"
        yield Problem((*path, "schedule"), wrong, "check day of month and month")
    elif schedule.jitter_s >= min(gaps):
        spread, shortest = duration(schedule.jitter_s), duration(min(gaps))
        wrong = f"spreads over {spread}, and the schedule comes every {shortest}"
        yield Problem((*path, "jitter"), wrong, "choose less than the time between two backups")


def _blackout(rule: ResolvedProtection, path: Path, now: datetime) -> Iterator[Problem]:
    if not isinstance(rule.trigger, Schedule) or not rule.blackout:
        return
    moments = upcoming(replace(rule.trigger, jitter_s=0), now, count=_MOMENTS)

    def closed(at: datetime) -> bool:
        return any(
            missed(window.opens, at - timedelta(seconds=window.lasts_s), at) is not None
            for window in rule.blackout
        )

    if moments and all(closed(at) for at in moments):
        wrong = "never starts a backup: each of its times falls into a blackout window"
        yield Problem((*path, "schedule"), wrong, "move the schedule or the window")


def _limit(rule: ResolvedProtection, between_s: int, path: Path) -> Iterator[Problem]:
    if rule.at_most is None or not between_s:
        return
    allowed_s = rule.at_most.window_s / rule.at_most.count
    if allowed_s > between_s:
        allowed = duration(round(allowed_s))
        wrong = f"allows one backup in {allowed}, and the rule wants one every "
        yield Problem(
            (*path, "atMost"), f"{wrong}{duration(between_s)}", "allow more, or remove it"
        )


def _keep(keep: ResolvedKeep, longest_s: int, path: Path) -> Iterator[Problem]:
    counts = {unit: getattr(keep, unit) for unit in _UNITS_S}
    if keep.within_s and not keep.last and not any(counts.values()):
        if keep.within_s < longest_s:
            stays, comes = duration(keep.within_s), duration(longest_s)
            wrong = f"lets a version go after {stays}, and the next comes after {comes}"
            yield Problem((*path, "within"), wrong, "keep longer, or add last")
        return
    finest = next((unit for unit, count in counts.items() if count), "")
    if finest and keep.last <= 1 and not keep.within_s and 2 * longest_s <= _UNITS_S[finest]:
        wrong = f"keeps one version of each {_SPAN[finest]}, and one comes every "
        yield Problem(
            (*path, finest),
            f"{wrong}{duration(longest_s)}: all others go after the next backup",
            "add last or within to keep those in between",
        )


_SPAN = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
}


def _shortest_s(trigger: ResolvedTrigger, now: datetime) -> int:
    if isinstance(trigger, RpoTrigger):
        return trigger.age_s
    gaps = _gaps_s(trigger, now) if isinstance(trigger, Schedule) else []
    return min(gaps, default=0)


def _gaps_s(schedule: Schedule, now: datetime) -> list[int]:
    moments = upcoming(replace(schedule, jitter_s=0), now, count=_MOMENTS)
    return [round((after - before).total_seconds()) for before, after in pairwise(moments)]
