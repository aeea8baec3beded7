"""When a change of health is told: once it has lasted, the longer the oftener it changes. Pure.

What gets worse is told after `SETTLE`, what gets better after `RECOVER`. From the fourth change
within `WINDOW` on, each one has to last twice as long as the one before it, at most `LONGEST`: a
container that crashes every minute makes an application degraded, not healthy every minute.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.contracts.health import Health, HealthStatus
from appshield.watcher.folding import Folded

SETTLE = timedelta(seconds=3)
RECOVER = timedelta(seconds=6)
OTHER_REASONS = timedelta(seconds=30)
WINDOW = timedelta(minutes=10)
LONGEST = timedelta(minutes=2)
CALM_CHANGES = 3
_RANK: dict[HealthStatus, int] = {
    "Healthy": 0,
    "Progressing": 1,
    "Unknown": 2,
    "Degraded": 3,
    "Missing": 4,
}


class Damped(msgspec.Struct, frozen=True, kw_only=True):
    """What was told last, when statuses were told, and what is about to be told since when."""

    told: Health | None = None
    change: int = 0
    changed_at: tuple[datetime, ...] = ()
    coming: Health | None = None
    coming_since: datetime | None = None


class Decision(msgspec.Struct, frozen=True):
    """The new state; whether `damped.told` is to be told now, or when to look again."""

    damped: Damped
    tell: bool = False
    look_at: datetime | None = None


def damp(damped: Damped, folded: Folded, deliberate: str, now: datetime) -> Decision:
    """Take in how an application is now."""
    seen = Health(
        status=folded.status,
        since=now,
        reasons=folded.reasons,
        reasons_total=folded.reasons_total,
        deliberate=deliberate,
    )
    told = damped.told
    if told is not None and _same(told, seen):
        return Decision(replace(damped, coming=None, coming_since=None))
    began = damped.coming_since
    if damped.coming is None or began is None or damped.coming.status != seen.status:
        began = now
    since = told.since if told is not None and told.status == seen.status else began
    seen = replace(seen, since=since)
    due = began + _lasting(damped, seen, now)
    if now < due:
        return Decision(replace(damped, coming=seen, coming_since=began), look_at=due)
    changed = told is None or told.status != seen.status
    recent = tuple(at for at in damped.changed_at if now - at < WINDOW)
    return Decision(
        Damped(
            told=seen,
            change=damped.change + 1,
            changed_at=(*recent, now) if changed else recent,
        ),
        tell=True,
    )


def _same(told: Health, seen: Health) -> bool:
    return replace(told, since=seen.since) == seen


def _lasting(damped: Damped, seen: Health, now: datetime) -> timedelta:
    """Return how long a health has to last before it is told."""
    told = damped.told
    if told is None:
        return SETTLE
    if told.deliberate != seen.deliberate:
        return timedelta(0)
    if told.status == seen.status:
        # what is missing is what a reaction brings back: it must know all of it soon
        return SETTLE if seen.status == "Missing" else OTHER_REASONS
    base = SETTLE if _RANK[seen.status] > _RANK[told.status] else RECOVER
    recent = sum(now - at < WINDOW for at in damped.changed_at)
    return min(base * 2.0 ** max(0, recent - CALM_CHANGES), LONGEST)
