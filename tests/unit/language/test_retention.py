"""Which versions stay, and for which reasons."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.language.resolved import ResolvedKeep
from appshield.language.retention import VersionFacts, keep

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def _version(
    number: int,
    hours_ago: float,
    **facts: Any,
) -> VersionFacts:
    return VersionFacts(number=number, made_at=NOW - timedelta(hours=hours_ago), **facts)


HOURLY = [_version(100 - hours, hours) for hours in range(100)]


def test_without_a_rule_every_version_stays() -> None:
    """Nothing is removed that nobody asked to remove."""
    assert set(keep(HOURLY, None, NOW)) == {version.number for version in HOURLY}


def test_the_newest_of_each_period_stays() -> None:
    """Periods are calendar periods, as restic counts them."""
    kept = keep(HOURLY, ResolvedKeep(last=2, daily=3), NOW)
    assert kept == {
        # 23:00 of the two days before, and the newest of today
        100 - 13 - 24: ("daily 3 of 3",),
        100 - 13: ("daily 2 of 3",),
        99: ("last 2 of 2",),
        100: ("last good", "last 1 of 2", "daily 1 of 3"),
    }


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (ResolvedKeep(last=7), 7),
        (ResolvedKeep(hourly=5), 5),
        (ResolvedKeep(weekly=10), 2),
        (ResolvedKeep(monthly=10), 1),
        (ResolvedKeep(yearly=10), 1),
        (ResolvedKeep(within_s=3 * 3600), 3),
        (ResolvedKeep(), 1),
    ],
    ids=["last", "hourly", "weekly", "monthly", "yearly", "within", "nothing"],
)
def test_each_rule_keeps_as_many_as_it_says(policy: ResolvedKeep, count: int) -> None:
    """A hundred hours reach over two weeks and one month."""
    assert len(keep(HOURLY, policy, NOW)) == count


def test_pinned_locked_last_good_and_last_verified_versions_always_stay() -> None:
    """No rule removes them."""
    versions = [
        _version(1, 500, pinned=True),
        _version(2, 400, locked_until=NOW + timedelta(days=1)),
        _version(3, 300, locked_until=NOW - timedelta(days=1)),
        _version(4, 200, verified=True),
        _version(5, 100),
        _version(6, 50, good=False),
    ]
    kept = keep(versions, ResolvedKeep(), NOW)
    assert kept == {
        1: ("pinned",),
        2: ("under object lock",),
        4: ("last verified",),
        5: ("last good",),
    }


def test_a_version_that_is_not_good_takes_no_place_of_a_good_one() -> None:
    """`last: 2` means two that can be restored."""
    versions = [_version(1, 3), _version(2, 2), _version(3, 1, good=False)]
    assert set(keep(versions, ResolvedKeep(last=2), NOW)) == {1, 2}


def test_a_day_begins_where_the_rule_lives() -> None:
    """23:30 UTC is tomorrow in Berlin."""
    versions = [_version(1, 12.5), _version(2, 11)]
    rule = ResolvedKeep(daily=2)
    assert set(keep(versions, rule, NOW)) == {1, 2}
    assert set(keep(versions, rule, NOW, timezone="Europe/Berlin")) == {2}


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.booleans(), st.booleans()), max_size=40),
    st.builds(
        ResolvedKeep,
        last=st.integers(0, 5),
        hourly=st.integers(0, 5),
        daily=st.integers(0, 5),
        weekly=st.integers(0, 5),
        within_s=st.integers(0, 100_000),
    ),
)
def test_pruning_twice_removes_nothing_more(
    facts: list[tuple[int, bool, bool]], rule: ResolvedKeep
) -> None:
    """What stays once stays again, and the newest good version is always there."""
    versions = [
        _version(number, hours, good=good, pinned=pinned)
        for number, (hours, good, pinned) in enumerate(facts)
    ]
    kept = keep(versions, rule, NOW)
    again = keep([one for one in versions if one.number in kept], rule, NOW)
    assert set(again) == set(kept)
    good = [version for version in versions if version.good]
    if good:
        newest = max(good, key=lambda one: (one.made_at, one.number))
        assert "last good" in kept[newest.number]
