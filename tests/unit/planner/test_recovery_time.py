"""When a promise about a restore is at risk: before it is broken, by what the next one takes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, MeasuredRestore, Rto, RtoState
from appshield.contracts.runs import Progress, RestoreProgress, Run, Step, Trigger
from appshield.planner import recovery_time
from appshield.planner.recovery import Good
from appshield.planner.recovery_time import LITTLE_BYTES, UnderWay
from planner_world import APP

GIB = 1 << 30
BEGUN_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAST = MeasuredRestore(
    run="r-1",
    version=1,
    took_s=1200,
    ended_at=BEGUN_AT - timedelta(days=1),
    loading_s=1000,
    content_bytes=100 * GIB,
)
RECORD = ApplicationRecord(
    app_id="a-1",
    app=APP,
    uid="u",
    vault="primary",
    state="active",
    rto_alert_s=1800,
    last_restore=LAST,
)
UNDER_WAY = UnderWay(run="r-2", version=2, started_at=BEGUN_AT, content_bytes=100 * GIB)


def after(**time: float) -> datetime:
    return BEGUN_AT + timedelta(**time)


def newest(size_bytes: int) -> Good:
    return Good(2, BEGUN_AT, size_bytes)


def judged(
    record: ApplicationRecord = RECORD,
    *,
    size_bytes: int = 100 * GIB,
    under_way: UnderWay | None = None,
    now: datetime = BEGUN_AT,
) -> Rto:
    found = recovery_time.judged(record, newest(size_bytes), under_way, now)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("size_bytes", "expected_s"),
    [
        (100 * GIB, 1200),
        (160 * GIB, 1800),
        (200 * GIB, 2200),
        (50 * GIB, 700),
        (0, 1200),
    ],
)
def test_the_next_restore_takes_longer_by_the_data_that_came_since(
    size_bytes: int, expected_s: float
) -> None:
    """Only the part of the time grows in which data was loaded."""
    assert recovery_time.expected_s(LAST, size_bytes) == expected_s


def test_little_data_says_nothing_about_a_rate() -> None:
    """Ten times a few bytes do not take ten times as long."""
    small = replace(LAST, content_bytes=1000)
    assert recovery_time.expected_s(small, 10_000) == LAST.took_s
    assert recovery_time.expected_s(small, 2 * LITTLE_BYTES) == 2200
    assert recovery_time.expected_s(None, GIB) == 0


@pytest.mark.parametrize(
    ("record", "size_bytes", "state"),
    [
        (replace(RECORD, last_restore=None), 900 * GIB, "unproved"),
        (RECORD, 100 * GIB, "kept"),
        (RECORD, 160 * GIB, "kept"),
        (RECORD, 161 * GIB, "at-risk"),
        (replace(RECORD, rto_alert_s=1200), 100 * GIB, "kept"),
        (replace(RECORD, rto_alert_s=1199), 1 * GIB, "broken"),
    ],
)
def test_a_promise_is_at_risk_when_the_data_has_grown_too_much(
    record: ApplicationRecord, size_bytes: int, state: RtoState
) -> None:
    """It is broken once a restore has taken too long, whatever the next one may take."""
    assert judged(record, size_bytes=size_bytes).state == state


@pytest.mark.parametrize(
    ("under_way", "now", "state"),
    [
        (UNDER_WAY, after(minutes=29), "kept"),
        (UNDER_WAY, after(minutes=30), "broken"),
        (replace(UNDER_WAY, content_bytes=161 * GIB), after(minutes=0), "at-risk"),
        (replace(UNDER_WAY, rated_s=1801), after(minutes=3), "at-risk"),
        (replace(UNDER_WAY, rated_s=1799), after(minutes=3), "kept"),
    ],
)
def test_a_restore_under_way_is_late_by_what_it_holds_or_by_its_own_rate(
    under_way: UnderWay, now: datetime, state: RtoState
) -> None:
    """Nobody waits for its end to hear of it."""
    assert judged(under_way=under_way, now=now).state == state
    untried = replace(RECORD, last_restore=None)
    unmeasured = judged(untried, under_way=replace(under_way, content_bytes=0), now=now)
    by_rate = under_way.rated_s > 1800 or state == "broken"
    assert unmeasured.state == (state if by_rate else "unproved")


def test_a_restore_that_is_at_risk_stays_so_until_it_ends() -> None:
    """However its rate goes up and down."""
    risk = judged(under_way=replace(UNDER_WAY, rated_s=2000), now=after(minutes=3))
    assert (risk.state, risk.run, risk.expected_s) == ("at-risk", "r-2", 2000)
    known = replace(RECORD, rto=risk)
    again = judged(known, under_way=replace(UNDER_WAY, rated_s=1000), now=after(minutes=5))
    assert (again.state, again.since) == ("at-risk", after(minutes=3))
    assert judged(known).state == "kept"


def test_nothing_is_said_where_nothing_is_promised() -> None:
    """Nor of an application whose object is gone."""
    for record in (replace(RECORD, rto_alert_s=0), replace(RECORD, state="orphaned")):
        assert recovery_time.judged(record, newest(GIB), UNDER_WAY, BEGUN_AT) is None


@given(minutes=st.floats(min_value=0, max_value=60), rated_s=st.floats(min_value=0, max_value=5000))
def test_whoever_looks_when_told_to_sees_a_restore_being_late(
    minutes: float, rated_s: float
) -> None:
    """Never after the time is over, and not for ever."""
    now, under_way = after(minutes=minutes), replace(UNDER_WAY, rated_s=rated_s)
    rto = judged(under_way=under_way, now=now)
    at = recovery_time.next_look(rto, under_way, now)
    if now >= after(minutes=30):
        assert at is None
    else:
        assert at is not None
        assert now < at <= after(minutes=30)
    assert recovery_time.next_look(rto, None, now) is None


def restore(*steps: Step) -> Run:
    return Run(
        id="r-2",
        kind="restore",
        app=APP,
        app_id="a-1",
        vault="primary",
        trigger=Trigger(kind="manual", identity="one"),
        state="running",
        epoch=1,
        requested_at=BEGUN_AT,
        started_at=BEGUN_AT,
        steps=steps,
        restore=RestoreProgress(version=2, snapshot_id="s", target_namespace="shop"),
    )


def loading(name: str, started_at: datetime, finished_at: datetime | None = None) -> Step:
    return Step(
        name=name,
        state="running" if finished_at is None else "done",
        attempt=1,
        epoch=1,
        started_at=started_at,
        deadline_at=after(hours=1),
        finished_at=finished_at,
    )


def heard(step: str, bytes_done: int, bytes_total: int) -> Progress:
    return Progress(
        app=APP, run="r-2", step=step, worker="w", bytes_done=bytes_done, bytes_total=bytes_total
    )


def test_the_slowest_volume_says_how_long_a_restore_takes() -> None:
    """From its beginning on; what is not a volume, or has only begun, says nothing."""
    run = restore(
        loading("load/a", after(seconds=100)),
        loading("load/b", after(seconds=100)),
        loading("load/c", after(seconds=195)),
        loading("apply", after(seconds=100)),
    )
    told = {
        "load/a": heard("load/a", 50, 100),
        "load/b": heard("load/b", 10, 100),
        "load/c": heard("load/c", 1, 1000),
        "apply": heard("apply", 1, 1000),
    }
    assert recovery_time.rated_s(run, told, after(seconds=200)) == 100 + 10 * 100
    assert recovery_time.rated_s(run, {}, after(seconds=200)) == 0


def test_how_long_data_was_loaded_is_measured_from_first_to_last() -> None:
    """Volumes are loaded side by side."""
    run = replace(
        restore(
            loading("load/a", after(seconds=10), after(seconds=60)),
            loading("load/b", after(seconds=20), after(seconds=90)),
            loading("apply", after(seconds=90), after(seconds=300)),
        ),
        state="succeeded",
        finished_at=after(seconds=320),
    )
    found = recovery_time.measured(replace(RECORD, last_restore=None), run, 5 * GIB).last_restore
    assert found is not None
    assert (found.took_s, found.loading_s, found.content_bytes) == (320, 80, 5 * GIB)
