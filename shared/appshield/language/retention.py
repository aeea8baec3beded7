"""Which versions stay: a pure function of the versions, the rule and the time.

Periods follow restic's `forget`: for each period the newest version stays, for the newest N periods
that have a version at all. What must never go stays whatever the rule says: a pinned version, one
under object lock, the last good and the last verified one.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo

import msgspec

from appshield.language import defaults
from appshield.language.cron import zone
from appshield.language.resolved import ResolvedKeep


class VersionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What retention has to know about a version; `made_at` is aware."""

    number: int
    made_at: datetime
    pinned: bool = False
    good: bool = True
    """Complete, and nothing known to be wrong with it."""
    verified: bool = False
    locked_until: datetime | None = None


_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour, int(_offset(at).total_seconds())),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar()[:2]),
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}


def keep(
    versions: Iterable[VersionFacts],
    policy: ResolvedKeep | None,
    now: datetime,
    *,
    timezone: str = defaults.TIMEZONE,
) -> dict[int, tuple[str, ...]]:
    """Return the numbers of the versions that stay, each with all of its reasons.

    Args:
        versions: every version that the rule made, in any order.
        policy: how many stay; None keeps all.
        now: an aware time.
        timezone: where days, weeks and months begin.
    """
    ordered = sorted(versions, key=lambda one: (one.made_at, one.number), reverse=True)
    reasons: dict[int, list[str]] = {}

    def stays(version: VersionFacts, reason: str) -> None:
        reasons.setdefault(version.number, []).append(reason)

    for version, reason in _untouchable(ordered, now):
        stays(version, reason)
    if policy is None:
        for version in ordered:
            stays(version, "no rule removes it")
    else:
        for version, reason in _chosen(ordered, policy, now, zone(timezone)):
            stays(version, reason)
    return {number: tuple(reasons[number]) for number in sorted(reasons)}


def _untouchable(ordered: list[VersionFacts], now: datetime) -> Iterable[tuple[VersionFacts, str]]:
    for version in ordered:
        if version.pinned:
            yield version, "pinned"
        if version.locked_until is not None and version.locked_until > now:
            yield version, "under object lock"
    good = next((one for one in ordered if one.good), None)
    if good is not None:
        yield good, "last good"
    verified = next((one for one in ordered if one.verified), None)
    if verified is not None:
        yield verified, "last verified"


def _chosen(
    ordered: list[VersionFacts], policy: ResolvedKeep, now: datetime, where: tzinfo
) -> Iterable[tuple[VersionFacts, str]]:
    """Versions that are not good take no place of a good one, so they are passed over."""
    good = [version for version in ordered if version.good]
    for position, version in enumerate(good[: policy.last], start=1):
        yield version, f"last {position} of {policy.last}"
    oldest = now - timedelta(seconds=policy.within_s)
    for version in good if policy.within_s else ():
        if version.made_at > oldest:
            yield version, "within the time to keep all"
    for period, key in _PERIODS.items():
        wanted: int = getattr(policy, period)
        newest: dict[tuple[int, ...], VersionFacts] = {}
        for version in good:
            newest.setdefault(key(version.made_at.astimezone(where)), version)
        for position, version in enumerate(list(newest.values())[:wanted], start=1):
            yield version, f"{period} {position} of {wanted}"


def _offset(at: datetime) -> timedelta:
    """The hour that comes twice in autumn is two hours."""
    return at.utcoffset() or timedelta(0)
