"""What holds a run back: settle time, rate and windows, each in its own zone, and all together."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import Blackout, Protection, Rate
from appshield.triggers.holding import held, with_begun

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PLAIN = Protection(name="rule", trigger="signal", signal="deployed")
MINUTE = timedelta(minutes=1)


def _until(
    rule: Protection,
    *begun: datetime,
    now: datetime = NOW,
    since: datetime | None = None,
) -> datetime | None:
    wait = held(rule, begun, since=since or now, now=now)
    return wait.until if wait else None


def test_a_plain_rule_acts_at_once() -> None:
    """Nothing is held back that nobody asked to hold back."""
    assert _until(PLAIN) is None


def test_settling_begins_anew_with_each_trigger_but_not_for_ever() -> None:
    """What never comes to rest is saved after ten times the settle time."""
    rule = replace(PLAIN, settle_s=60)
    assert _until(rule) == NOW + MINUTE
    assert _until(rule, now=NOW + 5 * MINUTE, since=NOW) == NOW + 6 * MINUTE
    assert _until(rule, now=NOW + timedelta(minutes=9, seconds=30), since=NOW) == NOW + 10 * MINUTE
    assert _until(rule, now=NOW + 10 * MINUTE, since=NOW) is None


def test_a_rate_lets_the_next_one_begin_when_the_oldest_leaves_the_window() -> None:
    """Two in ten minutes: the third waits for the first to be ten minutes ago."""
    rule = replace(PLAIN, at_most=Rate(count=2, window_s=600))
    assert _until(rule, NOW - 9 * MINUTE) is None
    assert _until(rule, NOW - 9 * MINUTE, NOW - MINUTE) == NOW + MINUTE
    assert _until(rule, NOW - 11 * MINUTE, NOW - MINUTE) is None


def test_only_as_many_beginnings_are_remembered_as_a_rate_counts() -> None:
    """The record stays small, whatever the rule."""
    rule = replace(PLAIN, at_most=Rate(count=2, window_s=600))
    earlier = (NOW - 3 * MINUTE, NOW - 2 * MINUTE)
    assert with_begun(rule, earlier, NOW) == (NOW - 2 * MINUTE, NOW)
    assert with_begun(PLAIN, earlier, NOW) == ()


@pytest.mark.parametrize(
    ("zone", "opens_utc"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 21, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 28, 2, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 3, 28, 11, tzinfo=UTC)),
    ],
)
def test_a_window_opens_in_its_own_zone(zone: str, opens_utc: datetime) -> None:
    """Ten in the evening is another moment in each zone, and it is open for eight hours from it."""
    rule = replace(
        PLAIN, blackout=(Blackout(schedule="0 22 * * *", timezone=zone, lasts_s=8 * 3600),)
    )
    assert opens_utc.astimezone(ZoneInfo(zone)).hour == 22
    closes = opens_utc + timedelta(hours=8)
    assert _until(rule, now=opens_utc - timedelta(seconds=1)) is None
    assert _until(rule, now=opens_utc) == closes
    assert _until(rule, now=closes - timedelta(seconds=1)) == closes
    assert _until(rule, now=closes) is None


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 3),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 3),
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), 3),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), 3),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC), 3),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 13, 30, tzinfo=UTC), 3),
    ],
)
def test_a_window_lasts_as_long_in_the_night_of_the_change(
    zone: str, night: datetime, hours: int
) -> None:
    """From local midnight on it is open for three hours of real time, whatever the clocks do."""
    assert night.astimezone(ZoneInfo(zone)).strftime("%H:%M") == "00:00"
    rule = replace(
        PLAIN, blackout=(Blackout(schedule="0 0 * * *", timezone=zone, lasts_s=hours * 3600),)
    )
    for minutes in range(0, hours * 60, 10):
        assert _until(rule, now=night + minutes * MINUTE) == night + timedelta(hours=hours)
    assert _until(rule, now=night + timedelta(hours=hours)) is None


def test_windows_that_follow_each_other_are_one() -> None:
    """What waits for the end of one window does not begin in the next."""
    rule = replace(
        PLAIN,
        blackout=(
            Blackout(schedule="0 12 * * *", lasts_s=3600),
            Blackout(schedule="0 13 * * *", lasts_s=3600),
        ),
    )
    assert _until(rule) == NOW + timedelta(hours=2)


def test_what_has_settled_into_a_window_waits_for_its_end_and_then_for_the_rate() -> None:
    """The latest moment of all counts, and its reason is told."""
    rule = replace(
        PLAIN,
        settle_s=120,
        blackout=(Blackout(schedule="1 12 * * *", lasts_s=600),),
        at_most=Rate(count=1, window_s=1200),
    )
    wait = held(rule, [NOW - MINUTE], since=NOW, now=NOW)
    assert wait is not None
    assert (wait.reason, wait.until) == ("at-most", NOW + 19 * MINUTE)
    in_window = held(rule, [], since=NOW, now=NOW)
    assert in_window is not None
    assert (in_window.reason, in_window.until) == ("blackout", NOW + 11 * MINUTE)
    assert "1 12 * * * (UTC)" in in_window.why


def test_a_window_that_never_closes_still_gives_an_answer() -> None:
    """The document is warned about elsewhere; the planner does not hang."""
    rule = replace(PLAIN, blackout=(Blackout(schedule="* * * * *", lasts_s=120),))
    assert _until(rule) is not None
