"""When a promise about recovery is at risk: before it is broken, by what the next backup takes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Protection, Rpo, RpoState
from appshield.planner import recovery
from appshield.planner.recovery import Good
from planner_world import APP

CUT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOURLY = Protection(name="fresh", trigger="rpo", rpo_s=3600)
RECORD = ApplicationRecord(
    app_id="a-1",
    app=APP,
    uid="u",
    vault="primary",
    state="active",
    protections=(HOURLY,),
    expected_backup_s=600,
)


def after(**time: float) -> datetime:
    return CUT_AT + timedelta(**time)


def judged(
    now: datetime,
    *,
    running_since: datetime | None = None,
    newest: Good | None = Good(1, CUT_AT),  # noqa: B008 - it never changes
    record: ApplicationRecord = RECORD,
) -> Rpo:
    found = recovery.judged(record, newest, running_since, now)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("now", "running_since", "state"),
    [
        (after(minutes=49), None, "kept"),
        (after(minutes=50), None, "at-risk"),
        (after(minutes=55), after(minutes=48), "kept"),
        (after(minutes=55), after(minutes=52), "at-risk"),
        (after(minutes=59), after(minutes=30), "kept"),
        (after(minutes=60), after(minutes=48), "broken"),
        (after(minutes=60), None, "broken"),
    ],
)
def test_a_promise_is_at_risk_when_the_next_backup_would_end_too_late(
    now: datetime, running_since: datetime | None, state: RpoState
) -> None:
    """It takes ten minutes, and an hour is promised."""
    assert judged(now, running_since=running_since).state == state


def test_the_strictest_promise_counts_of_rules_and_of_policies_that_alert() -> None:
    """One that only alerts counts, too; an application whose object is gone promises nothing."""
    assert recovery.promised_s(RECORD) == 3600
    assert recovery.promised_s(replace(RECORD, rpo_alert_s=1800)) == 1800
    assert recovery.promised_s(replace(RECORD, rpo_alert_s=7200)) == 3600
    assert recovery.promised_s(replace(RECORD, protections=())) == 0
    assert recovery.promised_s(replace(RECORD, state="orphaned")) == 0


def test_without_a_good_version_the_age_counts_from_when_that_was_first_seen() -> None:
    """A new application has as long as was promised for its first version."""
    first = judged(CUT_AT, newest=None)
    assert (first.state, first.counted_from, first.version) == ("kept", CUT_AT, 0)
    record = replace(RECORD, rpo=first)
    later = judged(after(minutes=61), newest=None, record=record)
    assert (later.state, later.counted_from) == ("broken", CUT_AT)


def test_a_state_keeps_its_time_while_it_stays_so() -> None:
    """Since when it is at risk, not since when somebody last looked."""
    risk = judged(after(minutes=52))
    again = judged(after(minutes=53), record=replace(RECORD, rpo=risk))
    assert again.since == after(minutes=52)


@given(
    minutes=st.floats(min_value=0, max_value=90),
    expected_s=st.floats(min_value=0, max_value=5000),
    running_min=st.none() | st.floats(min_value=0, max_value=90),
)
def test_whoever_looks_when_told_to_sees_every_change_before_the_promise_is_broken(
    minutes: float, expected_s: float, running_min: float | None
) -> None:
    """The next look lies ahead, never after the deadline, and none is needed once it is broken."""
    record, now = replace(RECORD, expected_backup_s=expected_s), after(minutes=minutes)
    running = after(minutes=min(running_min, minutes)) if running_min is not None else None
    rpo = judged(now, running_since=running, record=record)
    at = recovery.next_look(record, rpo, running, now)
    if rpo.state == "broken":
        assert at is None
    else:
        assert at is not None
        assert now < at <= after(minutes=60)
