"""What is known of days whose runs are gone, added up for reports."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from appshield.bus import Bus
from appshield.contracts.promised_days import PromisedDay, PromisedDays
from appshield.contracts.streams import PROMISES

RUNS_KEPT = timedelta(days=30)
"""So long after its end a run is kept; reports about this time are made of runs."""


def known_from(now: datetime) -> datetime:
    """Give the midnight (UTC) from which on all runs are still there. Pure."""
    first = (now - RUNS_KEPT).astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(first, time(), UTC)


class Sum:
    """What days of applications come to."""

    def __init__(self) -> None:
        self.promised_s = 0.0
        self.kept_s = 0.0
        self.restores = 0
        self.judged = 0
        self.in_time = 0
        self.last_s = 0.0
        self.worst_s = 0.0
        self._last = date.min

    def add(self, day: date, one: PromisedDay) -> None:
        """Add one application on one day."""
        self.promised_s += one.promised_s
        self.kept_s += one.kept_s
        self.restores += one.restores
        self.judged += one.judged
        self.in_time += one.in_time
        self.worst_s = max(self.worst_s, one.worst_s)
        if one.restores and day >= self._last:
            self._last, self.last_s = day, one.last_s


class Past:
    """Days that were written down, added up by row of a report, and by day where that is wanted."""

    def __init__(
        self, rows: Mapping[str, str], begin: datetime, end: datetime, *, by_day: bool = True
    ) -> None:
        """Take what lies between two moments; `rows` names the row of each application."""
        self._rows = rows
        self._begin = begin
        self.end = end
        self.by_day = by_day
        self.total: dict[str, Sum] = {}
        self.days: dict[tuple[date, str], Sum] = {}

    def add(self, part: PromisedDays) -> None:
        """Add a part of a day, if the whole day lies there."""
        midnight = datetime.combine(part.day, time(), UTC)
        if midnight < self._begin or midnight + timedelta(days=1) > self.end:
            return
        for app_id, one in part.applications.items():
            if (name := self._rows.get(app_id)) is not None:
                self.total.setdefault(name, Sum()).add(part.day, one)
                if self.by_day:
                    self.days.setdefault((part.day, name), Sum()).add(part.day, one)


async def past(
    bus: Bus, rows: Mapping[str, str], *, begin: datetime, now: datetime, by_day: bool
) -> Past:
    """Add up what is known from `begin` until the runs begin."""
    found = Past(rows, begin, known_from(now), by_day=by_day)
    if begin < found.end:
        async for entry in bus.bucket(PROMISES, PromisedDays).items():
            found.add(entry.value)
    return found
