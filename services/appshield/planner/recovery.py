"""Whether the newest good version stays young enough, and how long restores take: pure decisions.

    kept ─► at-risk ─► broken      a newer good version ─► kept

The promise is at risk as soon as the next backup, begun now and as long as it usually takes, would
end too late; one that is under way counts from when it began.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.contracts.applications import (
    ApplicationRecord,
    MeasuredRestore,
    Rpo,
    RpoState,
)
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run

LOOK_AGAIN = timedelta(minutes=1)
"""How soon to look again while a backup that takes longer than usual may still be in time."""


class Good(msgspec.Struct, frozen=True):
    """The newest good version: its number, and the last moment that it is known to hold."""

    number: int
    holds_at: datetime


def promised_s(record: ApplicationRecord) -> int:
    """Return the strictest age that a rule keeps or a policy alerts about; 0 for none."""
    ages = (record.rpo_alert_s, *(rule.rpo_s for rule in record.protections))
    return min((age for age in ages if age), default=0) if record.state == "active" else 0


def newest_good(versions: Sequence[VersionRecord]) -> Good | None:
    """Return the newest version that is good in some Vault."""
    for version in sorted(versions, key=lambda one: one.facts.number, reverse=True):
        places = (version.at(vault) for vault in version.vaults)
        if any(place is not None and place.damage is None for place in places):
            return Good(version.facts.number, version.holds_at)
    return None


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


def measured(record: ApplicationRecord, run: Run) -> ApplicationRecord:
    """Return the record with what a restore says about the time it takes.

    Only one that has succeeded counts, of a whole version: a part of it takes less.
    """
    progress = run.restore
    if progress is None or not progress.is_whole or run.state != "succeeded":
        return record
    if run.started_at is None or run.finished_at is None:
        return record
    known = record.last_restore
    if known is not None and known.ended_at > run.finished_at:
        return record
    took = run.finished_at - run.started_at
    return replace(
        record,
        last_restore=MeasuredRestore(
            run=run.id,
            version=progress.version,
            took_s=round(took.total_seconds(), 3),
            ended_at=run.finished_at,
            bytes_written=progress.bytes_written,
        ),
    )


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
