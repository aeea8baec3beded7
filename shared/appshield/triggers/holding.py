"""What holds a triggered backup back: settle time, rate and windows of its rule. Pure.

Each of them is a moment before which the run may not begin; the latest counts, and the reason that
is told is the one that leads to it. A settle time begins anew with each trigger, yet holds no run
back for longer than ten times itself in all: what never comes to rest is saved as well.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appshield.contracts.applications import Blackout, Protection, Rate
from appshield.contracts.runs import Wait
from appshield.language.cron import moments_before
from appshield.language.values import duration

SETTLE_TIMES_MAX = 10
_WINDOWS_IN_A_ROW_MAX = 100


def held(
    rule: Protection, begun: Sequence[datetime], *, since: datetime, now: datetime
) -> Wait | None:
    """Say until when a run of a rule is held back, and why; None when it may begin at once.

    Args:
        rule: the rule that is triggered.
        begun: when its latest runs began.
        since: when it was triggered first, of those times that this one run is for.
        now: when it is triggered now.
    """
    wait = _settling(rule, since, now)
    for _ in range(_WINDOWS_IN_A_ROW_MAX):
        later = _later(rule, begun, since, wait.until if wait and wait.until else now)
        if later is None:
            break
        wait = later
    return wait


def with_begun(rule: Protection, begun: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Return when the latest runs of a rule began, with one that begins now."""
    return () if rule.at_most is None else (*begun, now)[-rule.at_most.count :]


def _settling(rule: Protection, since: datetime, now: datetime) -> Wait | None:
    settle = timedelta(seconds=rule.settle_s)
    until = min(now + settle, since + SETTLE_TIMES_MAX * settle)
    if until <= now:
        return None
    why = f"until nothing more has happened for {duration(rule.settle_s)}"
    return Wait(reason="settle", why=why, since=since, until=until)


def _later(
    rule: Protection, begun: Sequence[datetime], since: datetime, at: datetime
) -> Wait | None:
    """Say what holds a run back that could begin `at` a time otherwise."""
    if rule.at_most is not None:
        free_at = _free_at(rule.at_most, begun, at)
        if free_at > at:
            allowed = f"{rule.at_most.count} in {duration(rule.at_most.window_s)}"
            why = f"{rule.name} may start {allowed}, and has"
            return Wait(reason="at-most", why=why, since=since, until=free_at)
    for window in rule.blackout:
        closes_at = _closes_at(window, at)
        if closes_at > at:
            why = f"no backup starts from {window.schedule} ({window.timezone}) "
            why += f"for {duration(window.lasts_s)}"
            return Wait(reason="blackout", why=why, since=since, until=closes_at)
    return None


def _free_at(rate: Rate, begun: Sequence[datetime], at: datetime) -> datetime:
    """Return when a rate allows another one."""
    if len(begun) < rate.count:
        return at
    return max(at, begun[-rate.count] + timedelta(seconds=rate.window_s))


def _closes_at(window: Blackout, at: datetime) -> datetime:
    """Return when a window closes that is open at a time; that time where none is.

    Of windows that overlap themselves the last to open closes last.
    """
    whole = at.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    opened = next(moments_before(window.schedule, window.timezone, whole), None)
    return at if opened is None else max(at, opened + timedelta(seconds=window.lasts_s))
