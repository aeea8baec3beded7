"""Each kind of trigger becomes a run, once, when its rule lets it."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.bus.publishing import MESSAGE_ID
from appshield.contracts import streams
from appshield.contracts.applications import (
    ApplicationObserved,
    ApplicationRecord,
    Blackout,
    Protection,
    Rate,
)
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.health import Health, HealthChanged, HealthStatus
from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Run
from appshield.errors import RefusedError
from appshield.planner.lines import Limits
from planner_world import APP, CUT_AT, World

CHANGE = Protection(name="before-rollout", trigger="change", change_of=("deployments",))
SIGNAL = Protection(name="deployed", trigger="signal", signal="deployed")
SUBJECT = "appshield.v1.signal.deployed"


async def _started(*protections: Protection, limits: Limits | None = None) -> World:
    world = World(limits or Limits())
    await world.observe(*protections)
    await world.new_planner()
    await world.settle()
    return world


async def _signal(world: World, identity: str, body: bytes = b"", *, again: bool = False) -> None:
    if again:
        world.bus.forget_duplicates()
    await world.bus.publish_raw(SUBJECT, body, message_id=identity)
    await world.settle()


async def _change(world: World, version: str, *, deleted: bool = False) -> None:
    world.bus.forget_duplicates()
    await world.bus.publish(
        ChangeMatched(
            app=APP,
            protection="before-rollout",
            object="Deployment shop/web",
            uid="uid-web",
            resource_version=version,
            seen_at=world.bus.now,
            deleted=deleted,
        )
    )
    await world.settle()


async def _pass(world: World, **time: float) -> None:
    await world.bus.pass_time(timedelta(**time).total_seconds())
    await world.settle()


async def _states(world: World) -> list[str]:
    return [run.state for run in sorted(await world.runs(), key=lambda run: run.requested_at)]


async def _waiting(world: World) -> Run:
    [run] = [run for run in await world.runs() if run.state == "pending"]
    return run


async def test_a_signal_makes_a_version_of_the_rule_once() -> None:
    """Published again with its id, in whatever form and however much later, it is the same one."""
    world = await _started(SIGNAL)
    await _signal(world, "one")
    await _signal(world, "one", again=True)
    [run] = await world.runs()
    assert (run.state, run.trigger.kind, run.trigger.name) == ("succeeded", "signal", "deployed")
    await _signal(world, "two")
    assert await _states(world) == ["succeeded"] * 2


async def test_a_signal_counts_for_those_whose_expression_says_so() -> None:
    """The content is asked; what has no answer does not act, and holds nobody up."""
    rule = replace(SIGNAL, when="payload.app == app.name")
    other = replace(SIGNAL, name="other", when="payload.app == 'other'")
    world = await _started(rule, other)
    await _signal(world, "one", b'{"app": "shop"}')
    await _signal(world, "two", b'{"nothing": 1}')
    await _signal(world, "three", b"no json")
    assert [run.trigger.name for run in await world.runs()] == ["deployed"]


async def test_who_looks_at_an_application_sees_why_a_signal_has_no_answer() -> None:
    """Until one has, or the rule says something else; the same again is written once."""
    rule = replace(SIGNAL, when="payload.app == app.name")
    world = await _started(rule, replace(SIGNAL, name="any"))
    await _signal(world, "one", b'{"nothing": 1}')
    known = (await world.record()).signal_problems
    assert list(known) == ["deployed"]
    assert "there is no 'app'" in known["deployed"].why
    await _pass(world, seconds=60)
    await _signal(world, "two", b'{"nothing": 2}')
    assert (await world.record()).signal_problems == known
    await _signal(world, "three", b'{"app": "another"}')
    assert (await world.record()).signal_problems == {}
    await _signal(world, "four", b'{"nothing": 3}')
    await world.observe(replace(rule, when="payload.nothing > 0"), resource_version="2")
    await world.settle()
    assert (await world.record()).signal_problems == {}


async def test_a_signal_that_is_no_cloudevent_though_it_says_so_is_parked() -> None:
    """Whoever sent it can be told."""
    world = await _started(SIGNAL)
    await world.bus.publish_raw(
        SUBJECT, b"x", message_id="", headers={"content-type": "application/cloudevents+json"}
    )
    await world.settle()
    [parked] = world.bus.stored(streams.DEAD)
    assert MESSAGE_ID in "".join(parked.headers) or parked.body == b"x"
    assert await world.runs() == []


async def test_a_change_waits_until_it_has_settled_and_is_one_run() -> None:
    """Each change begins the settle time anew; the run says since when, until when and why."""
    world = await _started(replace(CHANGE, settle_s=20))
    await _change(world, "1")
    await _pass(world, seconds=15)
    await _change(world, "2")
    run = await _waiting(world)
    assert run.wait is not None
    assert (run.wait.reason, run.wait.since) == ("settle", CUT_AT)
    assert run.wait.until == CUT_AT + timedelta(seconds=35)
    await _pass(world, seconds=10)
    assert (await _waiting(world)).id == run.id
    await _pass(world, seconds=10)
    assert sorted(await _states(world)) == ["folded", "succeeded"]
    assert "Deployment shop/web has changed" in str((await world.runs())[0].trigger.reason)


async def test_many_at_once_survive_the_planner() -> None:
    """Whoever takes over counts what is under way and lets the others wait as before."""
    world = World(Limits(in_all=1))
    other = replace(APP, namespace="other", name="other")
    await world.observe(SIGNAL)
    await world.bus.publish(
        ApplicationObserved(
            app=other,
            uid="uid-2",
            resource_version="1",
            exists=True,
            revision="r1",
            protections=(SIGNAL,),
        )
    )
    await world.new_planner()
    await world.deliver(streams.PLANNER_FACTS)
    await world.bus.publish_raw(SUBJECT, b"", message_id="one")
    await world.deliver(streams.PLANNER_SIGNALS)
    await world.new_planner()
    assert sorted(await _states(world)) == ["pending", "running"]
    await world.settle()
    assert await _states(world) == ["succeeded"] * 2


async def test_the_same_change_told_again_is_the_same_run() -> None:
    """As after a watcher that died between telling and noting it; a deletion is another change."""
    world = await _started(CHANGE)
    await _change(world, "1")
    await _change(world, "1")
    assert len(await world.runs()) == 1
    await _change(world, "1", deleted=True)
    await _change(world, "1", deleted=True)
    assert len(await world.runs()) == 2


async def test_a_run_that_is_held_back_survives_the_planner_and_its_timer() -> None:
    """Whoever takes over has it told again when the time has come."""
    world = await _started(replace(CHANGE, settle_s=20))
    await _change(world, "1")
    await world.bus.cancel_timer(f"wait.{(await _waiting(world)).id}")
    await world.new_planner()
    await _pass(world, seconds=21)
    assert await _states(world) == ["succeeded"]


async def test_at_most_lets_the_next_one_wait_and_loses_none() -> None:
    """Five changes in a minute are two versions: the first at once, the others after the window."""
    world = await _started(replace(CHANGE, at_most=Rate(count=1, window_s=600)))
    for version in range(5):
        await _change(world, str(version))
        await _pass(world, seconds=10)
    assert len(await world.versions()) == 1
    wait = (await _waiting(world)).wait
    assert wait is not None
    assert (wait.reason, wait.until) == ("at-most", CUT_AT + timedelta(seconds=600))
    await _pass(world, seconds=560)
    assert len(await world.versions()) == 2
    await _pass(world, hours=2)
    assert len(await world.versions()) == 2


async def test_what_falls_into_a_blackout_waits_for_its_end_and_is_one_run() -> None:
    """Also what different rules trigger in it."""
    window = (Blackout(schedule="0 12 * * *", lasts_s=3600),)
    world = await _started(replace(CHANGE, blackout=window), replace(SIGNAL, blackout=window))
    await _change(world, "1")
    await _signal(world, "one")
    await _change(world, "2")
    assert all(
        run.wait is not None and run.wait.reason == "blackout"
        for run in await world.runs()
        if run.state == "pending"
    )
    await _pass(world, minutes=59)
    assert await world.versions() == []
    await _pass(world, minutes=2)
    assert sorted(await _states(world)) == ["folded", "folded", "succeeded"]


async def test_a_person_does_not_wait_for_what_is_held_back() -> None:
    """A backup that is asked for begins at once; the one that settles goes on waiting."""
    world = await _started(replace(CHANGE, settle_s=20))
    await _change(world, "1")
    await world.ask(RequestBackup(app=APP, request_id="now"))
    await world.settle()
    assert sorted(await _states(world)) == ["pending", "succeeded"]
    await _pass(world, seconds=21)
    assert await _states(world) == ["succeeded"] * 2


async def test_a_clock_that_jumps_back_holds_nothing_back_for_longer() -> None:
    """The timer is the proof that the time has come, whatever the planner's clock says."""
    world = await _started(replace(CHANGE, settle_s=20))
    await _change(world, "1")
    await world.bus.pass_time(21)
    world.bus.now -= timedelta(hours=1)
    await world.settle()
    assert await _states(world) == ["succeeded"]


async def test_a_paused_application_is_not_triggered() -> None:
    """Neither by what happens nor by the clock."""
    nightly = Protection(name="nightly", trigger="schedule", schedule="0 * * * *")
    hourly = Protection(name="hourly", trigger="rpo", rpo_s=3600)
    world = await _started(replace(SIGNAL), nightly, hourly)
    await world.pause()
    before = len(await world.versions())
    await _signal(world, "one")
    await _pass(world, hours=3)
    assert len(await world.versions()) == before


@pytest.mark.parametrize(
    ("rule", "before", "after", "acts"),
    [
        ("Degraded", "Healthy", "Degraded", True),
        ("Degraded", "Unknown", "Degraded", True),
        ("Degraded", "Degraded", "Degraded", False),
        ("Healthy", "Degraded", "Healthy", True),
        ("Healthy", "Unknown", "Healthy", False),
        ("Healthy", "Healthy", "Degraded", False),
    ],
)
async def test_health_acts_when_it_has_become_what_the_rule_waits_for(
    rule: str, before: HealthStatus, after: HealthStatus, acts: bool
) -> None:
    """Not when only its reasons changed, and not because nobody knew it before."""
    world = await _started(Protection(name="health", trigger="health", health=rule))
    fact = HealthChanged(
        app=APP, uid="uid-1", change=7, health=Health(status=after, since=CUT_AT), before=before
    )
    for _ in range(2):
        world.bus.forget_duplicates()
        await world.bus.publish(fact)
        await world.settle()
    assert await _states(world) == (["succeeded"] if acts else [])


async def test_a_rule_by_hand_is_kept_and_held_back_as_it_says() -> None:
    """Asked for by its name; without a name its window does not matter."""
    rule = Protection(
        name="release",
        trigger="manual",
        blackout=(Blackout(schedule="0 12 * * *", lasts_s=3600),),
    )
    world = await _started(rule)
    await world.ask(RequestBackup(app=APP, request_id="one", rule="release"))
    await world.ask(RequestBackup(app=APP, request_id="two"))
    await world.settle()
    assert sorted(await _states(world)) == ["pending", "succeeded"]
    await _pass(world, hours=1)
    named = [run for run in await world.runs() if run.trigger.name == "release"]
    assert [run.state for run in named] == ["succeeded"]


async def test_a_rule_that_is_not_by_hand_cannot_be_asked_for() -> None:
    """The run says which can."""
    world = await _started(SIGNAL, Protection(name="release", trigger="manual"))
    await world.ask(RequestBackup(app=APP, request_id="one", rule="deployed"))
    await world.settle()
    [run] = await world.runs()
    assert run.state == "failed"
    assert "release" in str(run.failure)


async def test_without_a_version_an_rpo_begins_at_once_and_then_before_it_is_broken() -> None:
    """By what the last backup took, and a little more."""
    world = await _started(Protection(name="hourly", trigger="rpo", rpo_s=3600))
    assert await _states(world) == ["succeeded"]
    record = await world.record()
    await world.bus.bucket(streams.APPLICATIONS, ApplicationRecord).put(
        record.app_id, replace(record, expected_backup_s=600)
    )
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="two"))
    await world.settle()
    taken = world.workers.done["TakeSnapshot"]
    await _pass(world, minutes=48)
    assert world.workers.done["TakeSnapshot"] == taken
    await _pass(world, minutes=4)
    assert world.workers.done["TakeSnapshot"] == taken + 1


async def test_an_rpo_tries_again_after_a_failure_but_not_all_the_time() -> None:
    """A tenth of the rpo lies between, at least a minute, at most ten."""
    world = World()
    world.workers.failures[TakeSnapshot] = [RefusedError("no")]
    await world.observe(Protection(name="hourly", trigger="rpo", rpo_s=3600))
    await world.new_planner()
    await world.settle()
    assert await _states(world) == ["failed"]
    await _pass(world, minutes=5)
    assert await _states(world) == ["failed"]
    await _pass(world, minutes=2)
    assert await _states(world) == ["failed", "succeeded"]


async def test_a_version_made_meanwhile_puts_an_rpo_off() -> None:
    """The promise is about the newest version, whoever asked for it."""
    world = await _started(Protection(name="hourly", trigger="rpo", rpo_s=3600))
    for _ in range(4):
        world.workers.cut_at = world.bus.now
        await world.ask(RequestBackup(app=APP, request_id=f"{world.bus.now}"))
        await _pass(world, minutes=40)
    assert [run.trigger.kind for run in await world.runs()].count("rpo") == 1


@pytest.mark.parametrize(("missed", "versions"), [("run-once", 1), ("skip", 0)])
async def test_after_a_week_of_downtime_a_schedule_is_made_up_for_as_it_says(
    missed: str, versions: int
) -> None:
    """One backup for all that was missed, or none; then it goes on in time."""
    rule = Protection(name="nightly", trigger="schedule", schedule="30 2 * * *")
    world = await _started(replace(rule, missed="skip" if missed == "skip" else "run-once"))
    await world.bus.pass_time(timedelta(days=7).total_seconds())
    await world.new_planner()
    await world.settle()
    assert len(await world.versions()) == versions
    await _pass(world, hours=14, minutes=31)
    assert len(await world.versions()) == versions + 1


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC), 1),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 1),
        ("America/New_York", datetime(2026, 3, 8, 4, tzinfo=UTC), 1),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), 1),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, tzinfo=UTC), 1),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 12, tzinfo=UTC), 1),
    ],
)
async def test_a_nightly_backup_is_made_once_in_the_night_of_the_change(
    zone: str, day: datetime, count: int
) -> None:
    """Whether 02:15 comes twice in it, or not at all; minute by minute, as timers fire."""
    world = World()
    world.bus.now = day
    await world.observe(
        Protection(name="nightly", trigger="schedule", schedule="15 2 * * *", timezone=zone)
    )
    await world.new_planner()
    await world.settle()
    for _ in range(24):
        await _pass(world, minutes=30)
    assert len(await world.versions()) == count


async def test_a_leap_day_comes_when_there_is_one() -> None:
    """A schedule for the 29th of February waits for 2028, however long that is."""
    world = World()
    await world.observe(Protection(name="leap", trigger="schedule", schedule="0 12 29 2 *"))
    await world.new_planner()
    await world.settle()
    await _pass(world, days=400)
    assert await world.versions() == []
    world.bus.now = datetime(2028, 2, 29, 11, 59, tzinfo=UTC)
    await _pass(world, seconds=61)
    assert len(await world.versions()) == 1


async def test_a_clock_that_jumps_back_makes_no_schedule_act_twice() -> None:
    """Neither by its timer nor because the document is told again meanwhile."""
    world = await _started(Protection(name="hourly", trigger="schedule", schedule="0 * * * *"))
    await _pass(world, hours=1)
    assert len(await world.versions()) == 1
    world.bus.now -= timedelta(minutes=30)
    await world.observe(
        Protection(name="hourly", trigger="schedule", schedule="0 * * * *"),
        Protection(name="release", trigger="manual"),
        resource_version="2",
    )
    await _pass(world, minutes=31)
    assert len(await world.versions()) == 1


async def test_a_document_that_changes_as_a_schedule_is_due_misses_nothing() -> None:
    """A rule that stays as it is keeps its timer, which may have fired already."""
    rule = Protection(name="hourly", trigger="schedule", schedule="0 * * * *")
    world = await _started(rule)
    world.bus.now += timedelta(hours=1, milliseconds=300)
    await world.observe(rule, SIGNAL, resource_version="2")
    await world.settle()
    await _pass(world, seconds=1)
    assert len(await world.versions()) == 1


async def test_many_at_once_become_runs_in_order_of_priority_within_the_limits() -> None:
    """Never more at once than allowed, the highest priority first, and none is lost."""
    world = World(Limits(in_all=4, per_vault=4, per_node=4))
    await world.new_planner()
    for number in range(40):
        name = f"app-{number}"
        await world.bus.publish(
            ApplicationObserved(
                app=replace(APP, namespace=name, name=name),
                uid=f"uid-{name}",
                resource_version="1",
                exists=True,
                revision="r1",
                protections=(replace(SIGNAL, priority=number % 10),),
            )
        )
    await world.deliver(streams.PLANNER_FACTS)
    await world.bus.publish_raw(SUBJECT, b"", message_id="one")
    await world.deliver(streams.PLANNER_SIGNALS)
    order: list[Run] = []
    while left := [run for run in await world.runs() if run.state == "pending"]:
        assert all(run.wait and "the limit is reached" in run.wait.why for run in left)
        under_way = [run for run in await world.runs() if run.state in {"running", "ending"}]
        assert len(under_way) == 4
        known = {run.id for run in order}
        order += [run for run in under_way if run.id not in known]
        await world.turn()
    await world.settle()
    assert [run.state for run in await world.runs()] == ["succeeded"] * 40
    priorities = [run.priority for run in order]
    assert priorities == sorted(priorities, reverse=True)
