"""What expires, and when a repository is pruned and checked: decisions without any effect."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.application import upkeeping
from appshield.contracts.applications import ApplicationRecord, Keep, Protection, Upkeep
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.maintenance import CHECK_PARTS, part_of_day
from planned_versions import NOW, version
from planner_world import APP

NIGHTLY = Protection(
    name="nightly", trigger="schedule", schedule="0 2 * * *", keep=Keep(last=2), timezone="UTC"
)
RECORD = ApplicationRecord(
    app_id="a-1", app=APP, uid="uid-1", vault="primary", state="active", protections=(NIGHTLY,)
)


def nightly(number: int, *, damaged: bool = False) -> VersionRecord:
    return version(number, rule=NIGHTLY.name, damaged=damaged)


def numbers(versions: list[VersionRecord]) -> list[int]:
    return [one.facts.number for one in versions]


def test_a_rule_keeps_as_many_as_it_says() -> None:
    """The others expire, oldest first."""
    made = [nightly(number) for number in (4, 1, 3, 2)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [1, 2]


def test_what_no_rule_has_made_stays() -> None:
    """A person's versions, and those of a rule that is gone."""
    made = [version(1, rule=""), version(2, rule="weekly"), nightly(3), nightly(4), nightly(5)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [3]


def test_each_version_that_stays_has_its_reasons() -> None:
    """Those of the rule that made it, or that no rule removes it; what goes has none."""
    made = [
        nightly(1),
        version(2, rule=""),
        version(3, rule="weekly"),
        replace(nightly(4), pinned=True),
        nightly(5, damaged=True),
        replace(nightly(6), locked_until=NOW + timedelta(days=1)),
        nightly(7),
        nightly(8),
    ]
    why = upkeeping.why_kept(RECORD, made, "primary", NOW)
    assert why == {
        2: ("asked for by hand, and no rule removes it",),
        3: ("its rule weekly is gone, and no other removes it",),
        4: ("nightly: pinned",),
        6: ("nightly: under object lock",),
        7: ("nightly: last 2 of 2",),
        8: ("nightly: last good", "nightly: last 1 of 2"),
    }
    gone = numbers(upkeeping.expired(RECORD, made, "primary", NOW))
    assert sorted([*gone, *why]) == [one.facts.number for one in made]


def test_without_a_rule_to_keep_every_version_stays() -> None:
    """Nothing expires by itself."""
    record = replace(RECORD, protections=(replace(NIGHTLY, keep=None),))
    assert (
        upkeeping.expired(record, [nightly(number) for number in range(1, 9)], "primary", NOW) == []
    )


def test_a_pinned_version_takes_no_others_place_and_stays() -> None:
    """Whatever the rule says."""
    made = [replace(nightly(1), pinned=True), nightly(2), nightly(3), nightly(4)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [2]


def test_the_last_good_version_stays_however_many_damaged_ones_are_newer() -> None:
    """Damaged versions do not count as kept."""
    made = [nightly(1), *(nightly(number, damaged=True) for number in (2, 3, 4))]
    assert 1 not in numbers(upkeeping.expired(RECORD, made, "primary", NOW))


def test_an_orphan_keeps_its_last_good_version() -> None:
    """Time alone never takes the last one away."""
    within = replace(NIGHTLY, keep=Keep(within_s=60))
    record = replace(RECORD, state="orphaned", protections=(within,))
    assert numbers(upkeeping.expired(record, [nightly(1), nightly(2)], "primary", NOW)) == [1]


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.builds(Keep, last=st.integers(0, 3), daily=st.integers(0, 3), within_s=st.integers(0, 9)),
)
def test_a_good_version_is_always_left(states: list[tuple[bool, bool]], keep: Keep) -> None:
    """For any rule and any damage: with a good version before, there is one after."""
    made = [
        replace(nightly(number, damaged=damaged), pinned=pinned)
        for number, (damaged, pinned) in enumerate(states, start=1)
    ]
    record = replace(RECORD, protections=(replace(NIGHTLY, keep=keep),))
    gone = set(numbers(upkeeping.expired(record, made, "primary", NOW)))
    assert not any(one.pinned for one in made if one.facts.number in gone)
    assert not upkeeping.last_good_would_go(made, gone)


@pytest.mark.parametrize(
    ("upkeep", "due"),
    [
        (Upkeep(vault="v"), False),
        (Upkeep(vault="v", unpruned=True), True),
        (Upkeep(vault="v", unpruned=True, pruned_at=NOW - timedelta(hours=23)), False),
        (Upkeep(vault="v", unpruned=True, pruned_at=NOW - timedelta(hours=24)), True),
    ],
)
def test_a_prune_is_due_once_a_day_where_there_is_something_to_prune(
    upkeep: Upkeep, *, due: bool
) -> None:
    """Never more often, never for nothing."""
    assert upkeeping.prune_is_due(upkeep, NOW) == due


def test_every_part_of_the_data_is_read_within_a_month() -> None:
    """Each day another one."""
    parts = {part_of_day(NOW + timedelta(days=day)).part for day in range(30)}
    assert parts == set(range(1, CHECK_PARTS + 1))


@given(st.text(min_size=1, max_size=20), st.integers(0, 3 * 86_400))
def test_the_moment_of_an_application_comes_once_a_day(app_id: str, seconds: int) -> None:
    """It lies ahead, within a day, and the one after it a day later."""
    after = NOW + timedelta(seconds=seconds)
    moment = upkeeping.next_moment(app_id, after)
    assert after < moment <= after + timedelta(days=1)
    assert upkeeping.next_moment(app_id, moment) == moment + timedelta(days=1)
