"""The next runs of a rule are those that the planner will begin, as far as the rule decides."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import (
    ApplicationRecord,
    Blackout,
    Pause,
    Protection,
    Rate,
)
from appshield.contracts.identities import AppRef
from appshield.triggers.upcoming import NextRuns, Past, next_runs, next_runs_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = Protection(name="hourly", trigger="schedule", schedule="0 * * * *")
FRESH = Protection(name="fresh", trigger="rpo", rpo_s=3600)
TOLD = Protection(name="told", trigger="signal", signal="deployed")
RECORD = ApplicationRecord(
    app_id="a-1",
    app=AppRef(cluster="test", namespace="shop", name="shop"),
    uid="uid",
    vault="primary",
    state="active",
    protections=(HOURLY, FRESH, TOLD),
    last_backup_at=NOW - HOUR / 2,
)


def _begin(found: NextRuns) -> list[str]:
    return [f"{run.begins_at:%d %H:%M}" for run in found.runs]


def test_a_schedule_has_its_next_moments() -> None:
    """After now, in order."""
    assert _begin(next_runs(HOURLY, Past(), NOW)) == ["29 13:00", "29 14:00", "29 15:00"]


def test_moments_within_a_window_are_one_run_at_its_end() -> None:
    """Each of them is folded into the first that the window holds back."""
    rule = replace(HOURLY, blackout=(Blackout(schedule="30 13 * * *", lasts_s=4 * 3600),))
    found = next_runs(rule, Past(), NOW)
    assert _begin(found) == ["29 13:00", "29 17:30", "29 18:00"]
    assert found.runs[1].due_at == NOW + 2 * HOUR
    assert found.runs[1].why == "no backup starts from 30 13 * * * (UTC) for 4h"


def test_a_rate_counts_the_runs_before() -> None:
    """Those that have begun, and those that will have."""
    rule = replace(HOURLY, at_most=Rate(count=2, window_s=5 * 3600))
    begun = (NOW - HOUR,)
    assert _begin(next_runs(rule, Past(begun=begun), NOW)) == ["29 13:00", "29 16:00", "29 18:00"]


def test_a_schedule_that_never_settles_begins_after_ten_times_the_settle_time() -> None:
    """Every moment puts it off, yet not for ever."""
    rule = replace(HOURLY, schedule="* * * * *", settle_s=120)
    assert _begin(next_runs(rule, Past(), NOW, count=2)) == ["29 12:21", "29 12:41"]


def test_an_rpo_needs_a_backup_before_the_newest_version_is_too_old() -> None:
    """By as much as it takes, and each time again after the one before."""
    past = Past(saved_at=NOW - HOUR / 2, expected_backup_s=600)
    found = next_runs(FRESH, past, NOW)
    early = timedelta(seconds=660 + 2)
    assert found.runs[0].due_at == NOW + HOUR / 2 - early
    assert found.runs[1].due_at == found.runs[0].begins_at + HOUR - early


@pytest.mark.parametrize("saved_at", [None, NOW - 2 * HOUR], ids=["never saved", "too old"])
def test_an_rpo_without_a_young_version_needs_one_now(saved_at: datetime | None) -> None:
    """Nothing is waited for."""
    assert next_runs(FRESH, Past(saved_at=saved_at), NOW).runs[0].begins_at == NOW


def test_an_rpo_shorter_than_its_backups_comes_to_an_end_all_the_same() -> None:
    """Time goes on from one run to the next."""
    found = next_runs(FRESH, Past(saved_at=NOW, expected_backup_s=7200), NOW)
    assert len({run.begins_at for run in found.runs}) == len(found.runs) == 3


def test_what_waits_for_something_says_when_it_could_begin() -> None:
    """At once, or what would hold it back if it happened now."""
    found = next_runs(TOLD, Past(), NOW)
    assert found.runs == ()
    assert found.if_now is not None
    assert (found.if_now.begins_at, found.if_now.why) == (NOW, "")
    settled = next_runs(replace(TOLD, settle_s=60), Past(), NOW).if_now
    assert settled is not None
    assert settled.begins_at == NOW + timedelta(minutes=1)


def test_jitter_is_that_of_the_history() -> None:
    """The same history always has the same; without one times are nominal."""
    rule = replace(HOURLY, jitter_s=1800)
    spread = next_runs(rule, Past(app_id="a-1"), NOW)
    assert spread.runs[0].due_at != NOW + HOUR
    assert next_runs(rule, Past(app_id="a-1"), NOW) == spread
    assert next_runs(rule, Past(), NOW).runs[0].due_at == NOW + HOUR


def test_the_moments_of_a_month_in_a_window_are_looked_at_no_further_than_needed() -> None:
    """A rule of every minute with a window of a year gives up, and says what it knows."""
    rule = replace(
        HOURLY, schedule="* * * * *", blackout=(Blackout(schedule="@yearly", lasts_s=364 * 86_400),)
    )
    found = next_runs(rule, Past(), NOW)
    assert [run.begins_at for run in found.runs] == [datetime(2026, 12, 31, tzinfo=UTC)]


def test_every_rule_of_an_application_is_told() -> None:
    """By its name, in order."""
    assert [one.rule for one in next_runs_of(RECORD, NOW)] == ["hourly", "fresh", "told"]


@pytest.mark.parametrize(
    "quiet",
    [replace(RECORD, state="orphaned"), replace(RECORD, paused=Pause(at=NOW))],
    ids=["orphaned", "paused"],
)
def test_where_nothing_begins_by_itself_nothing_is_next(quiet: ApplicationRecord) -> None:
    """An application that is paused, or whose object is gone."""
    assert next_runs_of(quiet, NOW) == ()
