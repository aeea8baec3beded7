"""What expires, and when a repository is pruned and checked: decisions without any effect."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Keep, Protection, Upkeep
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.maintenance import VersionDamage
from appshield.planner import upkeeping
from planner_world import APP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NIGHTLY = Protection(
    name="nightly", trigger="schedule", schedule="0 2 * * *", keep=Keep(last=2), timezone="UTC"
)
RECORD = ApplicationRecord(
    app_id="a-1", app=APP, uid="uid-1", vault="primary", state="active", protections=(NIGHTLY,)
)


def version(number: int, *, rule: str = "nightly", damaged: bool = False) -> VersionRecord:
    at = NOW - timedelta(days=100 - number)
    facts = VersionFacts(
        app=APP,
        app_id="a-1",
        uid="uid-1",
        number=number,
        run=f"b-{number}",
        revision="r1",
        consistency="crash-group",
        cut_at=at,
        trigger="schedule" if rule else "manual",
        trigger_name=rule,
    )
    damage = VersionDamage(number=number, snapshot_id=f"s-{number}", paths=("a",), paths_total=1)
    return VersionRecord(
        facts=facts,
        snapshot_id=f"s-{number}",
        vault="primary",
        stored_at=at,
        damage=damage if damaged else None,
    )


def numbers(versions: list[VersionRecord]) -> list[int]:
    return [one.facts.number for one in versions]


def test_a_rule_keeps_as_many_as_it_says() -> None:
    """The others expire, oldest first."""
    made = [version(number) for number in (4, 1, 3, 2)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [1, 2]


def test_what_no_rule_has_made_stays() -> None:
    """A person's versions, and those of a rule that is gone."""
    made = [version(1, rule=""), version(2, rule="weekly"), version(3), version(4), version(5)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [3]


def test_without_a_rule_to_keep_every_version_stays() -> None:
    """Nothing expires by itself."""
    record = replace(RECORD, protections=(replace(NIGHTLY, keep=None),))
    assert (
        upkeeping.expired(record, [version(number) for number in range(1, 9)], "primary", NOW) == []
    )


def test_a_pinned_version_takes_no_others_place_and_stays() -> None:
    """Whatever the rule says."""
    made = [replace(version(1), pinned=True), version(2), version(3), version(4)]
    assert numbers(upkeeping.expired(RECORD, made, "primary", NOW)) == [2]


def test_the_last_good_version_stays_however_many_damaged_ones_are_newer() -> None:
    """Damaged versions do not count as kept."""
    made = [version(1), *(version(number, damaged=True) for number in (2, 3, 4))]
    assert 1 not in numbers(upkeeping.expired(RECORD, made, "primary", NOW))


def test_an_orphan_keeps_its_last_good_version() -> None:
    """Time alone never takes the last one away."""
    within = replace(NIGHTLY, keep=Keep(within_s=60))
    record = replace(RECORD, state="orphaned", protections=(within,))
    assert numbers(upkeeping.expired(record, [version(1), version(2)], "primary", NOW)) == [1]


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.builds(Keep, last=st.integers(0, 3), daily=st.integers(0, 3), within_s=st.integers(0, 9)),
)
def test_a_good_version_is_always_left(states: list[tuple[bool, bool]], keep: Keep) -> None:
    """For any rule and any damage: with a good version before, there is one after."""
    made = [
        replace(version(number, damaged=damaged), pinned=pinned)
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
    parts = {upkeeping.part_of_day(NOW + timedelta(days=day)).part for day in range(30)}
    assert parts == set(range(1, upkeeping.CHECK_PARTS + 1))


@given(st.text(min_size=1, max_size=20), st.integers(0, 3 * 86_400))
def test_the_moment_of_an_application_comes_once_a_day(app_id: str, seconds: int) -> None:
    """It lies ahead, within a day, and the one after it a day later."""
    after = NOW + timedelta(seconds=seconds)
    moment = upkeeping.next_moment(app_id, after)
    assert after < moment <= after + timedelta(days=1)
    assert upkeeping.next_moment(app_id, moment) == moment + timedelta(days=1)
