"""Whether the newest good version stays young enough: pure decisions.

    kept ─► at-risk ─► broken      a newer good version ─► kept

The promise is at risk as soon as the next backup, begun now and as long as it usually takes, would
end too late; one that is under way counts from when it began.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from appshield.contracts.applications import ApplicationRecord, Rpo, RpoState
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord

LOOK_AGAIN = timedelta(minutes=1)
"""How soon to look again while a backup that takes longer than usual may still be in time."""


class Good(msgspec.Struct, frozen=True):
    """The newest good version: its number, the last moment that it is known to hold, its data."""

    number: int
    holds_at: datetime
    content_bytes: int = 0


def promised_s(record: ApplicationRecord) -> int:
    """Return the strictest age that a rule keeps or a policy alerts about; 0 for none."""
    ages = (record.rpo_alert_s, *(rule.rpo_s for rule in record.protections))
    return min((age for age in ages if age), default=0) if record.state == "active" else 0


def newest_good(versions: Sequence[VersionRecord]) -> Good | None:
    """Return the newest version that is good in some Vault."""
    for version in sorted(versions, key=lambda one: one.facts.number, reverse=True):
        places = (version.at(vault) for vault in version.vaults)
        if any(place is not None and place.damage is None for place in places):
            return Good(version.facts.number, version.holds_at, content_bytes(version.facts))
    return None


def content_bytes(facts: VersionFacts) -> int:
    """Return how much data a version holds."""
    return sum(source.bytes_read for source in facts.sources)


def judged(
    record: ApplicationRecord, newest: Good | None, running_since: datetime | None, now: datetime
) -> Rpo | None:
    """Say how an application's promise stands now; None where nothing is promised."""
    promised = promised_s(record)
    if not promised:
        return None
    known = record.rpo
    number = newest.number if newest else 0
    without = known.counted_from if known is not None and known.version == 0 else now
    counted_from = newest.holds_at if newest else without
    state = _state(counted_from + timedelta(seconds=promised), record, running_since, now)
    same = known is not None and known.state == state
    return Rpo(
        promised_s=promised,
        state=state,
        since=known.since if known is not None and same else now,
        counted_from=counted_from,
        version=number,
    )


def next_look(
    record: ApplicationRecord, rpo: Rpo, running_since: datetime | None, now: datetime
) -> datetime | None:
    """Return when the promise may stand otherwise; None once it is broken, until a new version."""
    deadline = rpo.counted_from + timedelta(seconds=rpo.promised_s)
    if rpo.state == "broken":
        return None
    if rpo.state == "at-risk":
        return deadline
    begins_at = running_since or deadline - 2 * _expected(record)
    at = min(deadline, begins_at + _expected(record))
    return at if at > now else min(deadline, now + LOOK_AGAIN)


def _state(
    deadline: datetime,
    record: ApplicationRecord,
    running_since: datetime | None,
    now: datetime,
) -> RpoState:
    if now >= deadline:
        return "broken"
    ends_at = max((running_since or now) + _expected(record), now)
    return "at-risk" if ends_at >= deadline else "kept"


def _expected(record: ApplicationRecord) -> timedelta:
    return timedelta(seconds=record.expected_backup_s)
