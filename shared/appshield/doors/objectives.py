"""Which promises about recovery were kept: for product managers, over a span of time. Pure.

The promise about the recovery point is kept at a moment when the newest version that there was then
is no older than promised; its age counts from when its backup began. What is known of it are the
backups of the last thirty days, and what was written down of the days before. The promise about the
recovery time is kept by a restore of a whole version that took no longer; an application that
promises one and was never restored proves nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.promised_days import PromisedDay
from appshield.doors.promised_days import Past, Sum
from appshield.doors.run_rows import RunRow

_DAY = timedelta(days=1)


class ObjectiveRow(msgspec.Struct, frozen=True, kw_only=True):
    """How promises were kept by the applications of one criticality, or by one application.

    `rpo_kept` is the part of the time, from 0 to 1, in which the promises of the `promised` ones
    were; None where nothing was promised. Of the `rto_measured` restores of whole versions that
    succeeded, `rto_last_s` and `rto_worst_s` are how long they took, and `rto_kept` is the part,
    from 0 to 1, that took no longer than promised; None where nothing was. Of the `rto_promised`
    applications, those that are `rto_proved` were as fast in the last restore they ever had.
    """

    name: str
    applications: int
    promised: int
    rpo_kept: float | None
    rpo_broken_s: float
    rto_promised: int
    rto_proved: int
    rto_measured: int
    rto_kept: float | None
    rto_last_s: float | None
    rto_worst_s: float | None


class ObjectiveDay(msgspec.Struct, frozen=True, kw_only=True):
    """How the promises of a row were kept on one day (UTC), and its longest restore that ended."""

    day: date
    name: str
    rpo_kept: float | None
    rto_kept: float | None
    rto_worst_s: float | None


class Span(NamedTuple):
    """From one moment to another."""

    begin: datetime
    end: datetime

    def within(self, other: "Span") -> timedelta:
        """Return how much of this lies in another one."""
        return max(min(self.end, other.end) - max(self.begin, other.begin), timedelta())

    def days(self) -> Iterator["Span"]:
        """Cut it at midnight."""
        begin = self.begin
        while begin < self.end:
            midnight = datetime.combine(begin.date() + _DAY, time(), begin.tzinfo)
            yield Span(begin, min(midnight, self.end))
            begin = midnight


class Promise(NamedTuple):
    """Since when an application promises a recovery point, and when that was kept."""

    since: datetime
    kept: tuple[Span, ...]

    def in_span(self, span: Span) -> tuple[timedelta, timedelta]:
        """Return for how long it was promised in a span, and for how long kept."""
        promised = Span(max(span.begin, self.since), span.end)
        if promised.begin >= promised.end:
            return timedelta(), timedelta()
        kept = sum((one.within(promised) for one in self.kept), timedelta())
        return promised.end - promised.begin, kept


class Restored(NamedTuple):
    """When a restore ended, how long it took, and what its application promises; 0: nothing."""

    ended_at: datetime
    took_s: float
    promised_s: int


def promise_of(record: ApplicationRecord, runs: Iterable[RunRow]) -> Promise | None:
    """Say when an application has kept its promise; None where it promises nothing."""
    if record.rpo is None:
        return None
    promised = timedelta(seconds=record.rpo.promised_s)
    spans = sorted(
        Span(run.finished_at, run.started_at + promised)
        for run in runs
        if run.kind == "backup" and run.state == "succeeded" and run.started_at and run.finished_at
    )
    kept: list[Span] = []
    for span in spans:
        if kept and span.begin <= kept[-1].end:
            kept[-1] = Span(kept[-1].begin, max(kept[-1].end, span.end))
        elif span.begin < span.end:
            kept.append(span)
    since = spans[0].begin if spans else record.rpo.counted_from
    return Promise(since, tuple(kept))


def day_of(
    record: ApplicationRecord, promise: Promise | None, runs: Sequence[RunRow], day: Span
) -> PromisedDay | None:
    """Say how an application kept its promises on a day; None where there is nothing to say."""
    restores = sorted(_restores([record], {record.app_id: runs}, day))
    found = _sum((promise,) if promise else (), restores, day, None)
    return found if found.promised_s or found.restores else None


def report(
    groups: Mapping[str, Sequence[ApplicationRecord]],
    runs: Mapping[str, Sequence[RunRow]],
    span: Span,
    before: Past | None = None,
) -> tuple[list[ObjectiveRow], list[ObjectiveDay]]:
    """Report about groups of applications, by name; `runs` are those of each history.

    They tell of the time after `before`, which is what was written down.
    """
    rows, days = [], []
    before = before or Past({}, span.begin, span.begin)
    recent = Span(max(span.begin, before.end), span.end)
    for name, records in sorted(groups.items()):
        promises = [
            promise
            for record in records
            if (promise := promise_of(record, runs.get(record.app_id, ()))) is not None
        ]
        restores = sorted(_restores(records, runs, recent))
        rows.append(_row(name, records, _sum(promises, restores, recent, before.total.get(name))))
        for day in span.days() if before.by_day else ():
            known = day.begin >= before.end
            ended = [one for one in restores if day.begin <= one.ended_at < day.end]
            told = None if known else before.days.get((day.begin.date(), name))
            summed = _sum(promises if known else (), ended, day, told)
            days.append(
                ObjectiveDay(
                    day=day.begin.date(),
                    name=name,
                    rpo_kept=_part(summed.kept_s, summed.promised_s),
                    rto_kept=_part(summed.in_time, summed.judged),
                    rto_worst_s=summed.worst_s if summed.restores else None,
                )
            )
    return rows, days


def _row(name: str, records: Sequence[ApplicationRecord], summed: PromisedDay) -> ObjectiveRow:
    return ObjectiveRow(
        name=name,
        applications=len(records),
        promised=sum(1 for record in records if record.rpo is not None),
        rpo_kept=_part(summed.kept_s, summed.promised_s),
        rpo_broken_s=summed.promised_s - summed.kept_s,
        rto_promised=sum(1 for record in records if record.rto_alert_s),
        rto_proved=sum(1 for record in records if _is_proved(record)),
        rto_measured=summed.restores,
        rto_kept=_part(summed.in_time, summed.judged),
        rto_last_s=summed.last_s if summed.restores else None,
        rto_worst_s=summed.worst_s if summed.restores else None,
    )


def _part(some: float, of: float) -> float | None:
    return some / of if of else None


def _is_proved(record: ApplicationRecord) -> bool:
    """Say whether the last restore ever took no longer than is promised."""
    last = record.last_restore
    return last is not None and last.took_s <= record.rto_alert_s


def _sum(
    promises: Iterable[Promise], restores: Sequence[Restored], span: Span, before: Sum | None
) -> PromisedDay:
    """Add up what runs tell of a span of time and what was written down of the days before it."""
    promised, kept = timedelta(), timedelta()
    for one in promises:
        more_promised, more_kept = one.in_span(span)
        promised += more_promised
        kept += more_kept
    judged = [one for one in restores if one.promised_s]
    earlier = before or Sum()
    return PromisedDay(
        promised_s=promised.total_seconds() + earlier.promised_s,
        kept_s=kept.total_seconds() + earlier.kept_s,
        restores=len(restores) + earlier.restores,
        judged=len(judged) + earlier.judged,
        in_time=sum(1 for one in judged if one.took_s <= one.promised_s) + earlier.in_time,
        last_s=restores[-1].took_s if restores else earlier.last_s,
        worst_s=max((earlier.worst_s, *(one.took_s for one in restores))),
    )


def _restores(
    records: Iterable[ApplicationRecord], runs: Mapping[str, Sequence[RunRow]], span: Span
) -> Iterator[Restored]:
    """Give the restores of whole versions that ended in the span."""
    for record in records:
        for run in runs.get(record.app_id, ()):
            if not run.brings_all_back or run.state != "succeeded":
                continue
            if run.started_at and run.finished_at and span.begin <= run.finished_at < span.end:
                took_s = (run.finished_at - run.started_at).total_seconds()
                yield Restored(run.finished_at, took_s, record.rto_alert_s)
