"""What stays and what goes when, as it is or with another retention: let time pass and look."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.application.upkeeping import next_moment, why_kept
from appshield.contracts.applications import ApplicationRecord, Keep, Pause, Protection
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.doors.keeping import HORIZON, preview, with_keep
from appshield.errors import NotFoundError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
APP = AppRef(cluster="test", namespace="shop", name="shop")
NIGHTLY = Protection(name="nightly", trigger="schedule", schedule="0 2 * * *", keep=Keep(last=3))
RECORD = ApplicationRecord(
    app_id="a-1",
    app=APP,
    uid="u",
    vault="primary",
    state="active",
    protections=(NIGHTLY,),
    targets=("primary",),
)


def version(number: int, days_ago: float, **more: object) -> VersionRecord:
    facts = VersionFacts(
        app=APP,
        app_id="a-1",
        uid="u",
        number=number,
        run=f"b-{number}",
        revision="r",
        consistency="crash-group",
        cut_at=NOW - timedelta(days=days_ago),
        trigger="schedule",
        trigger_name="nightly",
    )
    made = VersionRecord(facts=facts, snapshot_id=f"s-{number}", vault="primary", stored_at=NOW)
    return replace(made, **more)


def test_versions_go_as_the_schedule_makes_others() -> None:
    """Of three that stay, one goes with each night; the pinned one never."""
    versions = [version(1, 3, pinned=True), version(2, 2), version(3, 1)]
    found = {one.version: one for one in preview(RECORD, versions, NOW).versions}
    nights = [NOW.replace(hour=2) + timedelta(days=day) for day in (1, 2, 3)]
    assert found[1].goes_at is None
    assert "pinned" in found[1].reasons[0]
    assert found[2].goes_at == nights[1]
    assert found[3].goes_at == nights[2]
    assert all(one.reasons for one in found.values())


def test_what_no_rule_keeps_goes_with_the_next_upkeep() -> None:
    """Which is after the next version, or at the day's own moment."""
    record = with_keep(RECORD, Keep(last=1))
    versions = [version(number, 10 - number) for number in range(1, 6)]
    found = {one.version: one for one in preview(record, versions, NOW).versions}
    first = min(next_moment("a-1", NOW), NOW.replace(hour=2) + timedelta(days=1))
    assert {number for number, one in found.items() if one.goes_at == first} >= {1, 2, 3, 4}
    assert [number for number, one in found.items() if not one.reasons] == [4, 3, 2, 1]


def test_time_alone_lets_versions_go() -> None:
    """Without any that come: what is kept for a while, and what object lock keeps."""
    manual = replace(NIGHTLY, trigger="signal", schedule="", signal="s", keep=Keep(within_s=86_400))
    record = replace(RECORD, protections=(manual,))
    facts = [replace(version(n, 0.5).facts, trigger="signal") for n in (1, 2)]
    versions = [replace(version(1, 0.5), facts=one) for one in facts]
    found = {one.version: one for one in preview(record, versions, NOW).versions}
    assert found[2].goes_at is None  # the last good one
    gone = found[1].goes_at
    assert gone is not None
    assert gone > NOW + timedelta(hours=12)


def test_a_pause_keeps_everything() -> None:
    """Nothing is removed, and nothing comes."""
    record = replace(RECORD, paused=Pause(at=NOW))
    found = preview(record, [version(number, 10 - number) for number in range(1, 9)], NOW)
    assert found.paused
    assert {one.goes_at for one in found.versions} == {None}
    assert found.expected == {"primary": 8}


def test_the_expected_number_is_what_the_rule_keeps() -> None:
    """At the end of what was looked at, however many come until then."""
    found = preview(RECORD, [version(1, 1)], NOW)
    assert found.expected == {"primary": 3}
    assert found.looked_ahead_until <= NOW + HORIZON
    assert preview(with_keep(RECORD, None), [version(1, 1)], NOW).expected["primary"] > 80
    assert preview(RECORD, [], NOW).versions == ()


def test_another_retention_is_for_one_rule_or_for_each() -> None:
    """And for a rule that is not there an error."""
    both = replace(RECORD, protections=(NIGHTLY, replace(NIGHTLY, name="other")))
    changed = with_keep(both, Keep(last=9), "other")
    assert [rule.keep for rule in changed.protections] == [Keep(last=3), Keep(last=9)]
    with pytest.raises(NotFoundError, match="nightly, other"):
        with_keep(both, None, "weekly")


def test_now_agrees_with_what_the_planner_decides() -> None:
    """The same function says both."""
    versions = [version(number, 10 - number) for number in range(1, 9)]
    said = {one.version: one.reasons for one in preview(RECORD, versions, NOW).versions}
    decided = why_kept(RECORD, versions, "primary", NOW)
    assert said == {one.facts.number: decided.get(one.facts.number, ()) for one in versions}
