"""Which versions stay, why, and when the others go: as it is, or with another retention. Pure.

What goes when is found by letting time pass: schedules make their versions, nobody else does, and
after each of them, and at each daily moment, the rules decide as they will then.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.application.upkeeping import next_moment, rules_of, why_kept
from appshield.contracts.applications import ApplicationRecord, Keep, Protection
from appshield.contracts.catalog import VersionRecord
from appshield.doors.rules import next_times
from appshield.errors import NotFoundError

HORIZON = timedelta(days=90)
_VERSIONS_AHEAD_MAX = 200
"""Of each rule; one that is due more often is looked at as far as these reach."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A version in one Vault; without a reason it goes."""

    version: int
    vault: str
    cut_at: datetime
    reasons: tuple[str, ...]
    app_id: str


class Staying(msgspec.Struct, frozen=True, kw_only=True):
    """A version in one Vault with the reasons why it stays now, none when it goes.

    `goes_at` is when it is expected to be removed, if schedules run as planned and nothing else
    happens; None when it is not within the time that was looked ahead.
    """

    version: int
    vault: str
    cut_at: datetime
    rule: str
    reasons: tuple[str, ...]
    goes_at: datetime | None


class RetentionPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What rules keep. While the application is `paused` nothing is removed.

    `looked_ahead_until` is the end of what was looked at; `expected` counts the versions that each
    Vault holds then.
    """

    versions: tuple[Staying, ...]
    paused: bool
    looked_ahead_until: datetime
    expected: dict[str, int]


def kept_of(
    record: ApplicationRecord, versions: Iterable[VersionRecord], now: datetime
) -> Iterator[Kept]:
    """Say of each version in each Vault why it stays."""
    known = list(versions)
    vaults = sorted({vault for version in known for vault in version.vaults})
    reasons = {vault: why_kept(record, _at(known, vault), vault, now) for vault in vaults}
    for version in known:
        for vault in version.vaults:
            number = version.facts.number
            yield Kept(
                version=number,
                vault=vault,
                cut_at=version.facts.cut_at,
                reasons=reasons[vault].get(number, ()),
                app_id=record.app_id,
            )


def with_keep(record: ApplicationRecord, keep: Keep | None, rule: str = "") -> ApplicationRecord:
    """Return a record whose rules, or one of them, keep this everywhere; None keeps all.

    Raises:
        NotFoundError: there is no such rule.
    """
    names = [one.name for one in rules_of(record)]
    if rule and rule not in names:
        raise NotFoundError(
            f"application {record.app} has no rule {rule}", why=f"it has {', '.join(names)}"
        )

    def changed(one: Protection) -> Protection:
        return replace(one, keep=keep, keep_in={}) if rule in {"", one.name} else one

    return replace(
        record,
        protections=tuple(map(changed, record.protections)),
        asked=changed(record.asked) if record.asked else None,
    )


def preview(
    record: ApplicationRecord, versions: Sequence[VersionRecord], now: datetime
) -> RetentionPreview:
    """Say of each version in each Vault why it stays, and when it is expected to go."""
    ahead = _expected(record, versions, now)
    until = now + HORIZON
    if len(ahead) >= _VERSIONS_AHEAD_MAX:
        until = min(until, max(one.facts.cut_at for one in ahead))
    found: list[Staying] = []
    left: dict[str, int] = {}
    for vault in sorted({vault for version in versions for vault in version.vaults}):
        here = _at(versions, vault)
        coming = [replace(one, vault=vault) for one in ahead if vault in _vaults_of(record, one)]
        moments = _daily_moments(record.app_id, now, until)
        goes, left[vault] = _going(record, vault, here, coming, moments)
        reasons = why_kept(record, here, vault, now)
        found += [
            Staying(
                version=one.facts.number,
                vault=vault,
                cut_at=one.facts.cut_at,
                rule=one.facts.trigger_name,
                reasons=reasons.get(one.facts.number, ()),
                goes_at=goes.get(one.facts.number),
            )
            for one in here
        ]
    ordered = sorted(found, key=lambda one: (-one.version, one.vault))
    return RetentionPreview(
        versions=tuple(ordered),
        paused=record.paused is not None,
        looked_ahead_until=until,
        expected=left,
    )


def _going(
    record: ApplicationRecord,
    vault: str,
    here: Sequence[VersionRecord],
    coming: Sequence[VersionRecord],
    moments: Iterable[datetime],
) -> tuple[dict[int, datetime], int]:
    """Let time pass; return when each version goes, and how many there are at the end."""
    if record.paused is not None:
        return {}, len(here)
    there, goes = list(here), dict[int, datetime]()
    waiting = sorted(coming, key=lambda one: one.facts.cut_at)
    for moment in sorted({*moments, *(one.facts.cut_at for one in coming)}):
        there += [one for one in waiting if one.facts.cut_at <= moment]
        waiting = [one for one in waiting if one.facts.cut_at > moment]
        kept = why_kept(record, there, vault, moment)
        goes |= {one.facts.number: moment for one in there if one.facts.number not in kept}
        there = [one for one in there if one.facts.number in kept]
    return goes, len(there)


def _daily_moments(app_id: str, now: datetime, until: datetime) -> Iterator[datetime]:
    moment = next_moment(app_id, now)
    while moment <= until:
        yield moment
        moment = next_moment(app_id, moment)


def _expected(
    record: ApplicationRecord, versions: Sequence[VersionRecord], now: datetime
) -> list[VersionRecord]:
    """Return the versions that schedules will make, as like to the newest one as can be."""
    newest = max(versions, key=lambda one: one.facts.number, default=None)
    if newest is None:
        return []
    moments = sorted(
        (moment, rule.name)
        for rule in record.protections
        if rule.trigger == "schedule"
        for moment in next_times(record, rule, now, count=_VERSIONS_AHEAD_MAX)
        if moment <= now + HORIZON
    )[:_VERSIONS_AHEAD_MAX]
    return [
        replace(
            newest,
            facts=replace(
                newest.facts,
                number=newest.facts.number + count,
                cut_at=moment,
                trigger="schedule",
                trigger_name=rule,
            ),
            pinned=False,
            damage=None,
            verified_at=None,
            locked_until=None,
            copies=(),
        )
        for count, (moment, rule) in enumerate(moments, start=1)
    ]


def _vaults_of(record: ApplicationRecord, expected: VersionRecord) -> tuple[str, ...]:
    named = (one for one in record.protections if one.name == expected.facts.trigger_name)
    rule = next(named, None)
    return (rule.targets if rule else ()) or record.targets


def _at(versions: Iterable[VersionRecord], vault: str) -> list[VersionRecord]:
    return [here for version in versions if (here := version.at(vault)) is not None]
