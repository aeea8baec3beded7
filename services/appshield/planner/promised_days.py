"""Writing down how promises were kept on each day that is over, for as long as reports reach back.

It is made of the runs of that day and of those before it, while they are there, with what is
promised at that moment. A day is in parts, so that no message becomes too large; its first part is
written last, and says that the day is there.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import structlog

from appshield.bus import Bus, BusFullError, KeyExistsError
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.promised_days import PromisedDay, PromisedDays
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS, PROMISES, RUNS
from appshield.doors.objectives import Span, day_of, promise_of
from appshield.doors.promised_days import known_from
from appshield.doors.run_rows import RunRow, row_of

APPLICATIONS_IN_PART = 5_000
_DAY = timedelta(days=1)


async def write_days(bus: Bus, now: datetime, kept: timedelta) -> int:
    """Write the days that are over and not there yet, drop those of long ago; say how many."""
    bucket = bus.bucket(PROMISES, PromisedDays)
    there = sorted(await bucket.keys())
    for key in there:
        if date.fromisoformat(key.partition(".")[0]) < (now - kept).date():
            await bucket.delete(key)
    missing = [day for day in _over(now) if _key(day, 0) not in there]
    if not missing:
        return 0
    records = [entry.value async for entry in bus.bucket(APPLICATIONS, ApplicationRecord).items()]
    runs: dict[str, list[RunRow]] = defaultdict(list)
    async for entry in bus.bucket(RUNS, Run).items():
        runs[entry.value.app_id].append(row_of(entry.value))
    for day, told in _told(records, runs, missing):
        for number, part in reversed(list(enumerate(_parts(day, told)))):
            try:
                with contextlib.suppress(KeyExistsError):
                    await bucket.create(_key(day, number), part)
            except BusFullError as problem:
                structlog.get_logger().warning("day not written", day=day, problem=str(problem))
                return missing.index(day)
    return len(missing)


def _told(
    records: Iterable[ApplicationRecord], runs: Mapping[str, Sequence[RunRow]], days: list[date]
) -> Iterator[tuple[date, dict[str, PromisedDay]]]:
    """Say of each day how the applications of which there is anything kept their promises."""
    active = [record for record in records if record.state == "active"]
    promises = {one.app_id: promise_of(one, runs.get(one.app_id, ())) for one in active}
    for day in days:
        midnight = datetime.combine(day, time(), UTC)
        span = Span(midnight, midnight + _DAY)
        told = {
            record.app_id: found
            for record in active
            if (found := day_of(record, promises[record.app_id], runs.get(record.app_id, ()), span))
            is not None
        }
        yield day, told


def _over(now: datetime) -> list[date]:
    """List the days that are over and of which all runs are there."""
    first = known_from(now).date()
    return [first + number * _DAY for number in range((now.date() - first).days)]


def _parts(day: date, told: Mapping[str, PromisedDay]) -> list[PromisedDays]:
    ids = sorted(told)
    begins = range(0, max(len(ids), 1), APPLICATIONS_IN_PART)
    return [
        PromisedDays(
            day=day, applications={one: told[one] for one in ids[at : at + APPLICATIONS_IN_PART]}
        )
        for at in begins
    ]


def _key(day: date, part: int) -> str:
    return f"{day.isoformat()}.{part}"
