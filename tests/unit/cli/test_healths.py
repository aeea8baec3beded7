"""How the health of an application reads."""

from datetime import UTC, datetime

from msgspec.structs import replace

from appshield.cli.healths import (
    LINE_CHARACTERS,
    health_line,
    reactions_of,
    reasons_of,
    since_text,
)
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Health, HealthReason, Reacted, Reaction, RestoreAction
from appshield.contracts.identities import AppRef

REASONS = (
    HealthReason(object="Deployment web", why="0 of 1 replicas are ready"),
    HealthReason(object="", why="it has no objects"),
)
BROKEN = Health(
    status="Degraded",
    since=datetime(2026, 11, 24, 12, tzinfo=UTC),
    reasons=REASONS,
    reasons_total=5,
)
RECORD = ApplicationRecord(
    app_id="a-1",
    app=AppRef(cluster="c", namespace="shop", name="shop"),
    uid="u-1",
    vault="primary",
    state="active",
    health=BROKEN,
)


def test_every_reason_is_a_line_and_the_rest_a_number() -> None:
    assert list(reasons_of(BROKEN)) == [
        "Deployment web: 0 of 1 replicas are ready",
        "it has no objects",
        "and 3 more",
    ]


def test_a_deliberate_deletion_says_that_nothing_comes_back() -> None:
    going = replace(BROKEN, deliberate="namespace shop is being deleted", reasons_total=2)
    assert next(reasons_of(going)).startswith("namespace shop is being deleted: nothing is")


def test_a_line_holds_the_first_reason_as_far_as_it_fits() -> None:
    assert health_line(RECORD) == "Degraded: Deployment web: 0 of 1 replicas are ready"
    long = replace(BROKEN, reasons=(HealthReason(object="Pod x", why="y" * 100),))
    assert len(health_line(replace(RECORD, health=long))) == LINE_CHARACTERS


def test_of_an_application_that_is_gone_no_health_is_said() -> None:
    assert health_line(replace(RECORD, state="orphaned")) == ""
    assert list(reasons_of(None)) == []


def test_it_says_since_when() -> None:
    assert since_text(BROKEN).startswith("Degraded since 2026-11-24")


def test_a_reaction_says_what_it_waits_for_and_how_far_it_is() -> None:
    since = datetime(2026, 11, 24, 12, tzinfo=UTC)
    restore = Reaction(
        digest="d1",
        policy="gold",
        when="health == 'Missing'",
        action=RestoreAction(),
        lasts_s=120,
    )
    record = replace(RECORD, reactions=(restore,))
    (idle,) = reactions_of(record)
    assert idle == "reaction of gold: restore when health == 'Missing' for 2m"
    (holding,) = reactions_of(replace(record, reacted=(Reacted(digest="d1", held_since=since),)))
    assert "; it holds since 2026-11-24" in holding
    problem = Reacted(digest="d1", done=True, acted_at=(since,), problem="there is none")
    (failed,) = reactions_of(replace(record, reacted=(problem,)))
    assert failed.endswith("; there is none")
    assert ", acted at 2026-11-24" in failed
