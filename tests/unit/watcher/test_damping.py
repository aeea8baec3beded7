"""When a change of health is told."""

from datetime import UTC, datetime, timedelta

import pytest

from appshield.contracts.health import HealthReason, HealthStatus
from appshield.watcher.damping import LONGEST, OTHER_REASONS, RECOVER, SETTLE, Damped, damp
from appshield.watcher.folding import Folded

START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Life:
    """An application whose health a test plays; looks once a second."""

    def __init__(self) -> None:
        self.now = START
        self.damped = Damped()
        self.told: list[tuple[HealthStatus, float]] = []

    def be(self, status: HealthStatus, lasting: timedelta, *why: str, deliberate: str = "") -> None:
        reasons = tuple(HealthReason(object="Pod p", why=one) for one in why)
        end = self.now + lasting
        while self.now < end:
            decision = damp(
                self.damped, Folded(status, reasons, len(reasons)), deliberate, self.now
            )
            self.damped = decision.damped
            if decision.tell and self.damped.told:
                self.told.append((status, (self.now - START).total_seconds()))
            self.now += timedelta(seconds=1)

    @property
    def statuses(self) -> list[HealthStatus]:
        return [status for status, _ in self.told]


def test_a_health_is_told_once_when_it_has_lasted() -> None:
    life = Life()
    life.be("Healthy", timedelta(minutes=5))
    assert life.told == [("Healthy", SETTLE.total_seconds())]


def test_a_short_change_is_not_told() -> None:
    life = Life()
    life.be("Healthy", timedelta(minutes=1))
    life.be("Degraded", timedelta(seconds=2))
    life.be("Healthy", timedelta(minutes=1))
    assert life.statuses == ["Healthy"]


def test_since_is_when_it_began_and_not_when_it_was_told() -> None:
    life = Life()
    life.be("Healthy", timedelta(minutes=1))
    life.be("Missing", timedelta(minutes=1))
    assert life.damped.told is not None
    assert life.damped.told.since == START + timedelta(minutes=1)
    assert life.told[1][1] == 60 + SETTLE.total_seconds()


def test_what_gets_better_has_to_last_longer() -> None:
    life = Life()
    life.be("Degraded", timedelta(minutes=1))
    life.be("Healthy", RECOVER)
    assert life.statuses == ["Degraded"]
    life.be("Healthy", timedelta(seconds=2))
    assert life.statuses == ["Degraded", "Healthy"]


def test_flapping_is_told_ever_more_seldom() -> None:
    """A container that crashes twice a minute for an hour."""
    life = Life()
    for _ in range(120):
        life.be("Healthy", timedelta(seconds=15))
        life.be("Degraded", timedelta(seconds=15))
    assert len(life.told) < 40
    life.be("Healthy", LONGEST + timedelta(seconds=2))
    assert life.statuses[-1] == "Healthy"


def test_other_reasons_for_the_same_are_told_when_they_last() -> None:
    life = Life()
    life.be("Degraded", timedelta(minutes=1), "a")
    since = life.damped.told
    life.be("Degraded", OTHER_REASONS + timedelta(seconds=2), "b")
    assert life.statuses == ["Degraded", "Degraded"]
    assert life.damped.told is not None
    assert since is not None
    assert life.damped.told.since == since.since


def test_that_somebody_deletes_it_is_told_at_once() -> None:
    life = Life()
    life.be("Healthy", timedelta(minutes=1))
    life.be("Healthy", timedelta(seconds=1), deliberate="its namespace is being deleted")
    assert len(life.told) == 2


@pytest.mark.parametrize("status", ["Degraded", "Missing", "Progressing", "Unknown"])
def test_it_says_when_to_look_again(status: HealthStatus) -> None:
    life = Life()
    life.be("Healthy", timedelta(minutes=1))
    decision = damp(life.damped, Folded(status), "", life.now)
    assert decision.look_at == life.now + SETTLE
