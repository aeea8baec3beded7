"""The report about promises: over which span of time, what makes a row, and as a sheet."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.doors.objectives import ObjectiveDay, ObjectiveRow, Span, report
from appshield.doors.promised_days import past
from appshield.doors.run_rows import RunRow
from appshield.errors import InvalidInputError

By = Literal["criticality", "application"]
_USUAL = timedelta(days=30)
LONGEST = timedelta(days=366)
LONGEST_BY_DAY = timedelta(days=92)
"""Longer ones by application have no days: there would be millions."""


class Objectives(msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """How promises were kept in a span of time: over all of it, and on each day.

    Days of single applications are left out where there are more than 92.
    """

    begin: datetime
    end: datetime
    by: By
    items: list[ObjectiveRow]
    days: list[ObjectiveDay]


async def objectives(
    bus: Bus,
    records: Iterable[ApplicationRecord],
    runs: Iterable[RunRow],
    *,
    by: By,
    span: Span,
    now: datetime,
) -> Objectives:
    """Report about applications that are there, with all that is known of their runs."""
    groups: dict[str, list[ApplicationRecord]] = defaultdict(list)
    rows_of: dict[str, str] = {}
    for record in records:
        name = str(record.app) if by == "application" else record.criticality
        groups[name].append(record)
        rows_of[record.app_id] = name
    of: dict[str, list[RunRow]] = defaultdict(list)
    for run in runs:
        of[run.app_id].append(run)
    by_day = by == "criticality" or span.end - span.begin <= LONGEST_BY_DAY
    before = await past(bus, rows_of, begin=span.begin, now=now, by_day=by_day)
    rows, days = report(groups, of, span, before)
    return Objectives(begin=span.begin, end=span.end, by=by, items=rows, days=days)


def as_csv(rows: list[ObjectiveRow]) -> bytes:
    """Write rows as CSV; what a sheet would take for a formula is written as text. Pure."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(ObjectiveRow.__struct_fields__)
    for row in rows:
        cells = ["" if cell is None else cell for cell in msgspec.structs.astuple(row)]
        table.writerow([_plain(cell) for cell in cells])
    return written.getvalue().encode()


def _plain(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell


def span_of(begin: datetime | None, end: datetime | None, now: datetime) -> Span:
    """Read which span is meant.

    Raises:
        InvalidInputError: it ends before it begins, or is too long.
    """
    until = _utc(end) if end else now
    since = _utc(begin) if begin else until - _USUAL
    if not timedelta() < until - since <= LONGEST:
        raise InvalidInputError(
            "the report has no such span of time",
            why=f"it has to end after it begins, within {LONGEST.days} days",
        )
    return Span(since, until)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError("the report has no such span of time", why=str(error)) from error
