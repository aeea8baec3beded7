"""When schedules are due: time zones, daylight saving, jitter and what was missed."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.errors import InvalidInputError
from appshield.language.cron import expanded
from appshield.language.protection import Missed
from appshield.language.resolved import Schedule
from appshield.language.scheduling import jitter, missed, next_due, upcoming

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")


def _berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_a_schedule_is_due_in_its_own_time_zone() -> None:
    """Half past two in Berlin is half past midnight in summer, UTC."""
    due = next_due(NIGHTLY, datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert due == datetime(2026, 7, 2, 0, 30, tzinfo=UTC)


def test_a_time_that_spring_leaves_out_comes_once_right_after_it() -> None:
    """There is no 02:30 on the night of spring; the backup runs at 03:00 of summer time."""
    nights = upcoming(NIGHTLY, _berlin("2026-03-28T03:00"), count=2)
    assert nights == (_berlin("2026-03-29T03:00"), _berlin("2026-03-30T02:30"))


def test_a_time_that_autumn_has_twice_comes_once() -> None:
    """The first 02:30 counts, the second does not."""
    nights = upcoming(NIGHTLY, _berlin("2026-10-24T03:00"), count=2)
    assert nights == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize("second", [0, 1, 59])
def test_within_a_minute_the_moment_itself_is_over_and_the_next_one_is_not(second: int) -> None:
    """A moment lies on a whole minute: that minute is no moment any more once it has begun."""
    at = datetime(2026, 7, 2, 0, 30, second, tzinfo=UTC)
    assert next_due(NIGHTLY, at) == datetime(2026, 7, 3, 0, 30, tzinfo=UTC)
    assert next_due(NIGHTLY, at - timedelta(minutes=1)) == datetime(2026, 7, 2, 0, 30, tzinfo=UTC)


def test_between_the_two_hours_of_autumn_nothing_of_the_past_is_due() -> None:
    """Asked at the second 02:15 the next time is tomorrow, not a quarter of an hour later."""
    second_quarter = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert next_due(NIGHTLY, second_quarter) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_job_of_every_half_hour_runs_in_both_hours_of_autumn() -> None:
    """What repeats goes on by real time."""
    often = Schedule(cron="*/30 * * * *", timezone="Europe/Berlin")
    times = upcoming(often, datetime(2026, 10, 24, 23, 45, tzinfo=UTC), count=6)
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {
        timedelta(minutes=30)
    }


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("@hourly", "2026-01-01T01:00"),
        ("@daily", "2026-01-02T00:00"),
        ("@weekly", "2026-01-04T00:00"),
        ("@monthly", "2026-02-01T00:00"),
        ("@yearly", "2027-01-01T00:00"),
    ],
)
def test_aliases_are_due_when_their_names_say(alias: str, expected: str) -> None:
    """The first of January 2026 is a Thursday."""
    due = next_due(Schedule(cron=alias), datetime(2026, 1, 1, tzinfo=UTC))
    assert due == datetime.fromisoformat(expected).replace(tzinfo=UTC)


NO_SCHEDULES = """0 0 31 2 *|0 0 30 2 *|0 0 31 4,6,9,11 *|60 * * * *|* * * *|@often|a b c d e|
|*/0 * * * *|5-1 * * * *|0 0 30 2 */2|* * * * 1#9|1 2 3 4 5 6|99999999999999999999 * * * *"""


@pytest.mark.parametrize("cron", [*NO_SCHEDULES.split("|"), "9" * 200])
def test_what_never_comes_or_is_no_cron_is_refused(cron: str) -> None:
    """A schedule that was accepted is due at some time."""
    with pytest.raises(InvalidInputError):
        expanded(cron)


def test_a_leap_day_is_a_schedule() -> None:
    """Seldom is not never."""
    due = next_due(Schedule(cron="0 0 29 2 *"), datetime(2026, 1, 1, tzinfo=UTC))
    assert due == datetime(2028, 2, 29, tzinfo=UTC)


def test_jitter_is_a_fixed_distance_of_each_key() -> None:
    """Applications of one schedule spread out, and each keeps its own moment."""
    spread = Schedule(cron="@daily", jitter_s=600)
    offsets = {jitter(spread, f"shop/{number}") for number in range(100)}
    assert len(offsets) > 50
    assert all(timedelta(0) <= offset <= timedelta(minutes=10) for offset in offsets)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first, second = upcoming(spread, start, count=2, key="shop/a")
    assert second - first == timedelta(days=1)


def test_jitter_neither_skips_nor_repeats_a_moment() -> None:
    """From one due moment the next is one day later, also within the jitter."""
    spread = Schedule(cron="@daily", jitter_s=3600)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    due = [start]
    for _ in range(4):
        following = next_due(spread, due[-1], key="shop/a")
        assert following is not None
        due.append(following)
    assert {later - earlier for earlier, later in itertools.pairwise(due[1:])} == {
        timedelta(days=1)
    }


@pytest.mark.parametrize(("policy", "made_up"), [("run-once", True), ("skip", False)])
def test_of_many_missed_moments_the_newest_is_made_up_once(
    policy: Missed, *, made_up: bool
) -> None:
    """A week of being down is one backup, or none with skip."""
    schedule = Schedule(cron="@daily", missed=policy)
    last = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)
    found = missed(schedule, last, datetime(2026, 1, 8, 5, tzinfo=UTC))
    assert found == (datetime(2026, 1, 8, tzinfo=UTC) if made_up else None)


def test_nothing_was_missed_where_nothing_was_due() -> None:
    """The moment that was served last is not missed, one that is due just now is."""
    schedule = Schedule(cron="@daily")
    served = datetime(2026, 1, 1, tzinfo=UTC)
    tomorrow = served + timedelta(days=1)
    assert missed(schedule, served, tomorrow - timedelta(microseconds=1)) is None
    assert missed(schedule, served, tomorrow) == tomorrow
    assert missed(schedule, tomorrow, served) is None


CRONS = st.sampled_from(
    ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 3 * * *", "0 1-4 * * *", "@hourly", "15 2 29 3 *"]
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.just(UTC),
)


@settings(max_examples=200, deadline=None)
@given(CRONS, ZONES, MOMENTS, st.integers(0, 3600))
def test_the_next_moment_is_always_later_and_is_what_is_missed_then(
    cron: str, zone: str, after: datetime, jitter_s: int
) -> None:
    """Looking forward and looking back agree, in every zone and on every night."""
    schedule = Schedule(cron=cron, timezone=zone, jitter_s=jitter_s)
    due = next_due(schedule, after, key="k")
    assert due is not None
    assert due > after
    assert missed(schedule, after, due, key="k") == due
    assert missed(schedule, after, due - timedelta(seconds=1), key="k") is None
