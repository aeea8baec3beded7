"""The next runs of a rule: when it is triggered, and when each run may begin. Pure.

What waits for something to happen has no times of its own: for it is told when a run could begin
if that happened now. Nothing is known here of other rules, other applications and their limits.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from appshield.contracts.applications import ApplicationRecord, Protection, TriggerKind
from appshield.language.cron import moments
from appshield.language.scheduling import jitter
from appshield.triggers.holding import held, with_begun
from appshield.triggers.moments import jitter_key, rpo_due_at, saved_at, schedule_of

NEXT_RUNS = 3
_BY_TIME = frozenset({"schedule", "rpo"})
_MOMENTS_MAX = 2_000
"""How many moments of a schedule are looked at: many may be folded into one run."""


class NextRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to come: its rule acts at `due_at`, and it may begin at `begins_at`.

    `why` says what holds it back in between; empty where nothing does.
    """

    due_at: datetime
    begins_at: datetime
    why: str = ""


class NextRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The next runs of one rule.

    `runs` are those of a schedule, or of an rpo as if every backup found a change; `if_now` is the
    run of a rule that waits for something, if that happened now.
    """

    rule: str
    trigger: TriggerKind
    timezone: str = "UTC"
    runs: tuple[NextRun, ...] = ()
    if_now: NextRun | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What the next runs of a rule depend on, as far as it is known.

    `begun` says when its latest runs began, no more than its rate counts.
    """

    app_id: str = ""
    saved_at: datetime | None = None
    expected_backup_s: float = 0
    begun: tuple[datetime, ...] = ()


def next_runs_of(
    record: ApplicationRecord, now: datetime, *, count: int = NEXT_RUNS
) -> tuple[NextRuns, ...]:
    """Return the next runs of every rule in force; none where nothing begins by itself."""
    found = (next_runs_by(rule, record, now, count=count) for rule in record.protections)
    return tuple(one for one in found if one is not None)


def next_runs_by(
    rule: Protection, record: ApplicationRecord, now: datetime, *, count: int = NEXT_RUNS
) -> NextRuns | None:
    """Return the next runs of a rule that is or would be in force for an application.

    None where nothing begins by itself: its object is gone, or it is paused.
    """
    if record.state != "active" or record.paused is not None:
        return None
    return next_runs(rule, past_of(record, rule), now, count=count)


def past_of(record: ApplicationRecord, rule: Protection) -> Past:
    """Return what the next runs of a rule of an application depend on."""
    return Past(
        app_id=record.app_id,
        saved_at=saved_at(record),
        expected_backup_s=record.expected_backup_s,
        begun=record.begun.get(rule.name, ()),
    )


def next_runs(rule: Protection, past: Past, now: datetime, *, count: int = NEXT_RUNS) -> NextRuns:
    """Return the next runs of a rule after `now`, no more than `count`."""
    runs: Iterator[NextRun] = iter(())
    if rule.trigger == "schedule":
        runs = _scheduled(rule, past, now)
    elif rule.trigger == "rpo":
        runs = _needed(rule, past, now)
    return NextRuns(
        rule=rule.name,
        trigger=rule.trigger,
        timezone=rule.timezone,
        runs=tuple(islice(runs, count)),
        if_now=None if rule.trigger in _BY_TIME else _run(rule, past.begun, now, now),
    )


def _scheduled(rule: Protection, past: Past, now: datetime) -> Iterator[NextRun]:
    """Yield the runs of a schedule: a moment that comes while one is held back is folded into it.

    As for the planner, a settle time begins anew then.
    """
    begun = past.begun
    waiting: NextRun | None = None
    for due_at in _moments(rule, past, now):
        if waiting is not None and due_at < waiting.begins_at:
            waiting = _run(rule, begun, waiting.due_at, due_at)
            continue
        if waiting is not None:
            yield waiting
            begun = with_begun(rule, begun, waiting.begins_at)
        waiting = _run(rule, begun, due_at, due_at)
    if waiting is not None:
        yield waiting


def _moments(rule: Protection, past: Past, now: datetime) -> Iterator[datetime]:
    """Yield the moments of a schedule, as far as anybody looks."""
    key = jitter_key(past.app_id, rule)
    offset = jitter(schedule_of(rule), key)
    nominal = moments(rule.schedule, rule.timezone, now - offset)
    return (moment + offset for moment in islice(nominal, _MOMENTS_MAX))


def _needed(rule: Protection, past: Past, now: datetime) -> Iterator[NextRun]:
    """Yield the runs of an rpo; each version that they make holds the moment at which it began."""
    begun, due_at = past.begun, now
    if past.saved_at is not None:
        due_at = max(rpo_due_at(rule, past.saved_at, past.expected_backup_s), now)
    while True:
        run = _run(rule, begun, due_at, due_at)
        yield run
        begun = with_begun(rule, begun, run.begins_at)
        following = rpo_due_at(rule, run.begins_at, past.expected_backup_s)
        due_at = max(following, run.begins_at + timedelta(seconds=1))


def _run(
    rule: Protection, begun: Sequence[datetime], since: datetime, triggered_at: datetime
) -> NextRun:
    wait = held(rule, begun, since=since, now=triggered_at)
    if wait is None or wait.until is None:
        return NextRun(due_at=since, begins_at=triggered_at)
    return NextRun(due_at=since, begins_at=wait.until, why=wait.why)
