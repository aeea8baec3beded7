"""Which reactions act, when, and what keeps them from it. No bus, no waiting: time is played."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Pause
from appshield.contracts.health import (
    Action,
    BackupAction,
    Health,
    HealthStatus,
    NotifyAction,
    PauseAction,
    Reaction,
    RestoreAction,
)
from appshield.contracts.identities import AppRef
from appshield.language.expression_values import AppFacts
from appshield.language.expressions import REACTION
from appshield.planner.reacting import CALM_AFTER_RESTORE, Look, Situation, last_good, look

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
APP = AppFacts(
    name="shop",
    namespace="shop",
    namespace_labels={},
    type="web",
    criticality="gold",
    labels={},
    annotations={},
    components=(),
    volumes=(),
)
MINUTE = timedelta(minutes=1)


def reaction(
    when: str, action: Action, lasts_s: int = 0, at_most: tuple[int, int] = (0, 0)
) -> Reaction:
    return Reaction(
        digest="d1",
        when=when,
        action=action,
        policy="gold",
        lasts_s=lasts_s,
        at_most=at_most[0],
        at_most_in_s=at_most[1],
    )


class Life:
    """An application whose life a test plays; reactions look when they said they would."""

    def __init__(self, *reactions: Reaction) -> None:
        self.now = START
        self.acted: list[tuple[float, Action]] = []
        self.situation = Situation(app=APP)
        self.record = ApplicationRecord(
            app_id="a-1",
            app=AppRef(cluster="c", namespace="shop", name="shop"),
            uid="u-1",
            vault="primary",
            state="active",
            reactions=reactions,
            last_version=1,
            last_backup_at=START,
        )
        self.be("Healthy")

    def be(self, status: HealthStatus, *, deliberate: str = "") -> Look:
        health = Health(status=status, since=self.now, deliberate=deliberate)
        unproven = None if status == "Healthy" else self.record.unproven_since
        self.record = replace(self.record, health=health, unproven_since=unproven)
        return self.look()

    def look(self) -> Look:
        found = look(self.record, self.situation, REACTION.condition, self.now)
        acting = {state.digest for state in found.reacted if state.acting}
        self.acted += [
            ((self.now - START).total_seconds(), reaction.action)
            for reaction in self.record.reactions
            if reaction.digest in acting
        ]
        states = tuple(replace(state, acting=False) for state in found.reacted)
        self.record = replace(self.record, reacted=states)
        return found

    def pass_time(self, lasting: timedelta) -> None:
        """Let time pass; it is looked when the look before asked for it, and not else."""
        end = self.now + lasting
        while (at := self.look().look_at) is not None and at <= end:
            assert at > self.now, "it would look for ever"
            self.now = at
        self.now = end

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.acted]


BACK_UP = reaction("health == 'Degraded'", BackupAction())
LATER = replace(BACK_UP, lasts_s=300)
RESTORE = reaction("health == 'Missing'", RestoreAction(), 120)
TELL = reaction("health != 'Healthy'", NotifyAction(signal="late"))


def test_it_acts_at_once_where_nothing_else_is_asked() -> None:
    life = Life(BACK_UP)
    life.be("Degraded")
    assert life.times == [0.0]


def test_it_acts_when_its_condition_has_held_as_long_as_asked() -> None:
    life = Life(LATER)
    life.be("Degraded")
    life.pass_time(10 * MINUTE)
    assert life.times == [300.0]


def test_a_condition_that_ended_too_early_begins_anew() -> None:
    life = Life(LATER)
    life.be("Degraded")
    life.pass_time(4 * MINUTE)
    life.be("Healthy")
    life.pass_time(MINUTE)
    life.be("Degraded")
    life.pass_time(10 * MINUTE)
    assert life.times == [600.0]


def test_it_acts_once_while_its_condition_holds() -> None:
    life = Life(BACK_UP)
    life.be("Degraded")
    life.pass_time(timedelta(days=2))
    life.be("Healthy")
    life.be("Degraded")
    assert len(life.acted) == 2


def test_it_acts_no_oftener_than_its_rate_and_then_at_once() -> None:
    life = Life(replace(BACK_UP, at_most=1, at_most_in_s=3600))
    for _ in range(4):
        life.be("Degraded")
        life.pass_time(10 * MINUTE)
        life.be("Healthy")
    life.be("Degraded")
    life.pass_time(timedelta(hours=1))
    assert life.times == [0.0, 3600.0]


def test_a_condition_on_the_age_of_versions_is_seen_the_second_it_holds() -> None:
    life = Life(reaction("rpo.age > duration('2h')", NotifyAction(signal="late")))
    life.pass_time(timedelta(days=1))
    (at,) = life.times
    assert 7200 < at <= 7202


def test_a_new_version_ends_such_a_condition() -> None:
    life = Life(reaction("lastBackup.age > duration('2h')", NotifyAction(signal="late")))
    life.pass_time(timedelta(hours=3))
    life.record = replace(life.record, last_backup_at=life.now)
    life.pass_time(timedelta(hours=3))
    assert len(life.acted) == 2


def test_a_condition_without_an_answer_does_nothing_and_says_why() -> None:
    life = Life(reaction("app.labels['tier'] == 'x'", BackupAction()))
    (state,) = life.look().reacted
    assert life.acted == []
    assert "there is no 'tier'" in state.problem


@pytest.mark.parametrize(
    "one", [BACK_UP, RESTORE, reaction("health != 'Healthy'", PauseAction())], ids=str
)
def test_a_deliberate_deletion_is_no_reason_to_act(one: Reaction) -> None:
    for status in ("Degraded", "Missing"):
        life = Life(one)
        life.be(status, deliberate="namespace shop is being deleted")
        life.pass_time(timedelta(hours=1))
        assert life.acted == []


def test_people_are_told_of_a_deliberate_deletion_too() -> None:
    life = Life(TELL)
    life.be("Missing", deliberate="namespace shop is being deleted")
    assert len(life.acted) == 1


@pytest.mark.parametrize("one", [RESTORE, LATER, TELL], ids=["restore", "backup", "notify"])
def test_health_while_a_restore_runs_says_nothing(one: Reaction) -> None:
    """Neither does it for a while after that; then it has to last anew."""
    life = Life(one)
    life.situation = replace(life.situation, restoring=True)
    life.be("Missing" if one is RESTORE else "Degraded")
    life.pass_time(timedelta(hours=1))
    assert life.acted == []
    life.situation = replace(life.situation, restoring=False)
    life.record = replace(life.record, restored_at=life.now)
    life.look()
    life.pass_time(timedelta(hours=1))
    assert life.times == [3600.0 + CALM_AFTER_RESTORE.total_seconds() + one.lasts_s]


def test_what_comes_of_its_own_restore_is_no_reason_to_act_until_it_was_healthy() -> None:
    life = Life(BACK_UP)
    life.record = replace(life.record, unproven_since=life.now)
    life.be("Degraded")
    life.pass_time(timedelta(days=1))
    assert life.acted == []
    life.be("Healthy")
    life.be("Degraded")
    assert len(life.acted) == 1


def test_a_restore_waits_for_every_other_run() -> None:
    life = Life(RESTORE)
    life.situation = replace(life.situation, busy="it waits for run b-1")
    life.be("Missing")
    life.pass_time(timedelta(hours=1))
    (state,) = life.record.reacted
    assert (life.acted, state.problem) == ([], "it waits for run b-1")
    life.situation = replace(life.situation, busy="")
    life.look()
    assert len(life.acted) == 1


def test_a_paused_application_is_left_alone() -> None:
    life = Life(BACK_UP)
    life.record = replace(life.record, paused=Pause(at=START))
    life.be("Degraded")
    assert life.acted == []
    life.record = replace(life.record, paused=None)
    life.look()
    assert len(life.acted) == 1


VERSIONS = [(n, START + n * MINUTE, n != 2) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("healthy_until", "number"),
    [(None, 4), (START + 4 * MINUTE, 3), (START + 3 * MINUTE, 1), (START, None)],
    ids=["healthy", "cut later", "damaged", "none"],
)
def test_the_last_good_version_is_of_a_time_when_all_was_well(
    healthy_until: datetime | None, number: int | None
) -> None:
    assert last_good(VERSIONS, healthy_until) == number
