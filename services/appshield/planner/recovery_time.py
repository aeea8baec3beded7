"""How long a restore takes, against what was promised: pure decisions.

    unproved ─► kept ─► at-risk ─► broken      a restore that was fast enough ─► kept

What the last restore of a whole version took is measured. The next one is expected to take as long,
but for the part of it in which data was loaded: that grows with the data. One under way is expected
to take what its own rate says, if that is longer.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, MeasuredRestore, Rto, RtoState
from appshield.contracts.runs import Progress, Run, Step
from appshield.planner.recovery import Good

LITTLE_BYTES = 256 << 20
"""Less data than that says nothing about a rate: what it takes is taken by other things."""
RATED_AFTER = timedelta(seconds=10)
"""So long a step has to be under way before its rate counts."""
LOOK_AGAIN = timedelta(minutes=1)
LOOKS = 20
"""So often a restore under way is looked at in the time that is promised for it, at most."""
_SEVERITY: tuple[RtoState, ...] = ("kept", "unproved", "at-risk", "broken")


class UnderWay(msgspec.Struct, frozen=True):
    """A restore that runs: of how much data, 0 where nobody knows, and what its rate says.

    By its own rate it takes `rated_s` at least; 0 as long as there is none.
    """

    run: str
    version: int
    started_at: datetime
    content_bytes: int = 0
    rated_s: float = 0

    def deadline(self, promised_s: int) -> datetime:
        """Return when it will have taken longer than promised."""
        return self.started_at + timedelta(seconds=promised_s)


def measured(record: ApplicationRecord, run: Run, content_bytes: int) -> ApplicationRecord:
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
            loading_s=_loading_s(run),
            content_bytes=content_bytes,
        ),
    )


def expected_s(last: MeasuredRestore | None, content_bytes: int) -> float:
    """Return how long a restore of so much data may take; 0 before the first of a whole version.

    Where one of the two amounts is not known, the next is expected to take as long as the last.
    """
    if last is None:
        return 0
    if not content_bytes or not last.content_bytes:
        return last.took_s
    grown = max(content_bytes, LITTLE_BYTES) / max(last.content_bytes, LITTLE_BYTES)
    return round(last.took_s + last.loading_s * (grown - 1), 3)


def rated_s(run: Run, heard: Mapping[str, Progress], now: datetime) -> float:
    """Return how long a restore takes by the rate of its slowest step that is under way.

    Args:
        run: the restore.
        heard: what was last heard of each of its steps, by name.
        now: the time.
    """
    if run.started_at is None:
        return 0
    longest = 0.0
    for step in run.steps:
        progress, lasts = heard.get(step.name), now - step.started_at
        if not _is_loading(step) or step.state != "running" or lasts < RATED_AFTER:
            continue
        if progress is not None and 0 < progress.bytes_done <= progress.bytes_total:
            lasts *= progress.bytes_total / progress.bytes_done
            ends_at = step.started_at + lasts
            longest = max(longest, (ends_at - run.started_at).total_seconds())
    return round(longest, 3)


def judged(
    record: ApplicationRecord, newest: Good | None, under_way: UnderWay | None, now: datetime
) -> Rto | None:
    """Say how the promise about a restore stands now; None where nothing is promised."""
    promised_s, last, known = record.rto_alert_s, record.last_restore, record.rto
    if not promised_s or record.state != "active":
        return None
    expected = expected_s(last, newest.content_bytes if newest else 0)
    state = _standing(last, expected, promised_s)
    if under_way is not None:
        late = _late(under_way, last, promised_s, now)
        if known is not None and known.run == under_way.run and known.state == "at-risk":
            late = max(late, known.state, key=_SEVERITY.index)  # no to and fro with its rate
        if _SEVERITY.index(late) >= _SEVERITY.index("at-risk"):
            expected = max(
                _expected_of(under_way, last), (now - under_way.started_at).total_seconds()
            )
            state = max(state, late, key=_SEVERITY.index)
    of_newest = newest.number if newest else 0
    return Rto(
        promised_s=promised_s,
        state=state,
        since=known.since if known is not None and known.state == state else now,
        expected_s=round(expected, 3),
        version=under_way.version if under_way else of_newest,
        run=under_way.run if under_way else last.run if last else "",
    )


def next_look(rto: Rto | None, under_way: UnderWay | None, now: datetime) -> datetime | None:
    """Return when the promise may stand otherwise though nothing is told; None for never."""
    if rto is None or under_way is None:
        return None
    deadline = under_way.deadline(rto.promised_s)
    if now >= deadline:
        return None
    if rto.state in {"at-risk", "broken"}:
        return deadline
    return min(deadline, now + max(LOOK_AGAIN, timedelta(seconds=rto.promised_s / LOOKS)))


def _standing(last: MeasuredRestore | None, expected: float, promised_s: int) -> RtoState:
    """Say how the promise stands while nothing is being restored."""
    if last is None:
        return "unproved"
    if last.took_s > promised_s:
        return "broken"
    return "at-risk" if expected > promised_s else "kept"


def _late(
    under_way: UnderWay, last: MeasuredRestore | None, promised_s: int, now: datetime
) -> RtoState:
    """Say whether a restore under way is late, or will be."""
    if now >= under_way.deadline(promised_s):
        return "broken"
    return "at-risk" if _expected_of(under_way, last) > promised_s else "kept"


def _expected_of(under_way: UnderWay, last: MeasuredRestore | None) -> float:
    return max(expected_s(last, under_way.content_bytes), under_way.rated_s)


def _loading_s(run: Run) -> float:
    """Return for how long data was loaded."""
    steps = [step for step in run.steps if _is_loading(step) and step.finished_at is not None]
    ends = [step.finished_at for step in steps if step.finished_at is not None]
    if not ends:
        return 0
    begun = min(step.started_at for step in steps)
    return round((max(ends) - begun).total_seconds(), 3)


def _is_loading(step: Step) -> bool:
    return step.name.startswith("load/")
