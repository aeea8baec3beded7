"""Which trigger becomes which run, and when its turn comes."""

import contextlib
from datetime import timedelta

import pytest
from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved, Keep, Protection, Rate
from appshield.contracts.backups import CommitBackup, StoreSource, TakeSnapshot
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.health import RestoreChoice
from appshield.contracts.identities import run_id
from appshield.contracts.maintenance import CopyVersion, VersionDamage
from appshield.contracts.requests import (
    RequestBackup,
    RequestCancel,
    RequestGate,
    RequestRestore,
)
from appshield.contracts.runs import Run
from appshield.errors import DamagedError, RefusedError, UnavailableError
from planner_world import APP, Killed, World


async def _started(world: World, *protections: Protection) -> None:
    await world.observe(*protections)
    await world.new_planner()
    await world.settle()


async def _run(world: World, identity: str) -> Run:
    wanted = run_id("backup", f"request/{identity}")
    return next(run for run in await world.runs() if run.id == wanted)


async def test_asking_twice_with_one_identity_is_asking_once() -> None:
    """A request that is published again, even much later, makes no second run."""
    world = World()
    await _started(world)
    for _ in range(2):
        await world.ask(RequestBackup(app=APP, request_id="one"))
        await world.settle()
        world.bus.forget_duplicates()
    assert len(await world.runs()) == 1
    assert len(await world.versions()) == 1


async def test_later_triggers_fold_into_one_waiting_run() -> None:
    """While one backup runs and one waits, a third is the waiting one."""
    world = World()
    await _started(world)
    for identity in ("one", "two", "three"):
        await world.ask(RequestBackup(app=APP, request_id=identity))
    await world.settle()
    assert (await _run(world, "three")).folded_into == (await _run(world, "two")).id
    assert [version.facts.number for version in await world.versions()] == [1, 2]


async def test_an_unknown_application_is_refused_in_words() -> None:
    """The run exists, has failed, and says what to do."""
    world = World()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    run = await _run(world, "one")
    assert run.state == "failed"
    assert "no Application of that name" in str(run.failure)


async def test_a_version_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """The message lists the numbers."""
    world = World()
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    await world.ask(RequestRestore(app=APP, request_id="two", version=9))
    await world.settle()
    failed = next(run for run in await world.runs() if run.kind == "restore")
    assert failed.state == "failed"
    assert "has no version 9: it has 1" in str(failed.failure)


async def test_a_failed_step_ends_the_run_and_releases_the_snapshot() -> None:
    """Nothing that the run made stays behind, and no version appears."""
    world = World()
    world.workers.failures[StoreSource] = [RefusedError("no"), RefusedError("no")]
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    assert (await _run(world, "one")).state == "failed"
    assert world.workers.done["ReleaseSnapshot"] == 1
    assert await world.versions() == []
    assert (await world.record()).active_run == ""


async def test_a_step_that_may_succeed_later_is_tried_again() -> None:
    """A store that cannot be reached costs an attempt, not the run."""
    world = World()
    world.workers.failures[CommitBackup] = [UnavailableError("down"), UnavailableError("down")]
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    for _ in range(4):
        await world.settle()
        await world.bus.pass_time(40)
    run = await _run(world, "one")
    assert run.state in {"running", "succeeded"}
    assert next(step for step in run.steps if step.name == "commit").attempt > 1


async def test_a_cancelled_run_releases_what_it_made() -> None:
    """Cancelling in the middle ends as cancelled, without a version."""
    world = World()
    world.workers.failures[TakeSnapshot] = [UnavailableError("busy")]
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    running = await _run(world, "one")
    await world.ask(RequestCancel(app=APP, request_id="two", run=running.id))
    await world.settle()
    assert (await _run(world, "one")).state == "cancelled"
    assert world.workers.done["ReleaseSnapshot"] == 1
    assert await world.versions() == []


async def test_a_schedule_makes_a_version_at_its_time_and_sets_the_next() -> None:
    """A due timer becomes a run of its own, once."""
    world = World()
    nightly = Protection(name="nightly", trigger="schedule", schedule="* * * * *")
    await _started(world, nightly)
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    [run] = [run for run in await world.runs() if run.trigger.kind == "schedule"]
    assert run.state == "succeeded"
    assert run.trigger.name == "nightly"


async def test_versions_outlive_the_application_object() -> None:
    """A deleted object leaves an orphan with its versions; a new one starts a new history."""
    world = World()
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    await world.ask(ApplicationObserved(app=APP, uid="uid-1", resource_version="2", exists=False))
    await world.settle()
    assert (await world.record()).state == "orphaned"
    assert len(await world.versions()) == 1


async def test_a_deleted_application_that_went_on_with_a_history_is_noticed() -> None:
    """A restored document carries on the old history; its deletion orphans that very one."""
    world = World()
    await _started(world)
    await world.ask(ApplicationObserved(app=APP, uid="uid-1", resource_version="2", exists=False))
    await world.settle()
    history = (await world.record()).app_id
    again = ApplicationObserved(
        app=APP, uid="uid-2", resource_version="3", exists=True, revision="r1", adopts=history
    )
    await world.ask(again)
    await world.settle()
    assert (await world.record()).state == "active"
    await world.ask(ApplicationObserved(app=APP, uid="uid-2", resource_version="4", exists=False))
    await world.settle()
    assert (await world.record()).state == "orphaned"


async def test_a_version_is_looked_for_in_the_vault_that_holds_it() -> None:
    """A document that names another Vault now does not hide the versions in the first."""
    world = World()
    await _started(world)
    world.workers.failures[CopyVersion] = [DamagedError("it cannot be copied")]
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    moved = ApplicationObserved(
        app=APP,
        uid="uid-1",
        resource_version="2",
        exists=True,
        revision="r2",
        targets=("elsewhere",),
    )
    await world.ask(moved)
    await world.settle()
    await world.ask(RequestRestore(app=APP, request_id="two", version=1))
    await world.turn()
    restore = next(run for run in await world.runs() if run.kind == "restore")
    assert (await world.record()).vault == "elsewhere"
    assert restore.vault == "primary"


async def test_a_gate_makes_a_version_by_its_own_rule() -> None:
    """The version says which gate asked for it, so that the rule decides how long it stays."""
    world = World()
    rule = Protection(name="before-rollout", trigger="gate", before=("rollout",))
    await _started(world, rule)
    await world.ask(
        RequestGate(
            app=APP, request_id="one", operation="rollout", rule=rule.name, about="Deployment web"
        )
    )
    await world.settle()
    [version] = await world.versions()
    assert (version.facts.trigger, version.facts.trigger_name) == ("gate", "before-rollout")
    assert (await _run(world, "one")).trigger.reason == "before the rollout of Deployment web"


async def test_a_gate_before_an_unknown_application_is_refused() -> None:
    """As a backup of it is."""
    world = World()
    await world.new_planner()
    await world.ask(RequestGate(app=APP, request_id="one", operation="delete"))
    await world.settle()
    assert "no Application of that name" in str((await _run(world, "one")).failure)


async def test_last_good_is_the_newest_version_that_is_not_damaged() -> None:
    """Asked for by its name, it is chosen when the planner decides."""
    world = World()
    await _started(world)
    for identity in ("one", "two"):
        await world.ask(RequestBackup(app=APP, request_id=identity))
        await world.settle()
    bucket = world.bus.bucket(streams.CATALOG, VersionRecord)
    newest = max(await world.versions(), key=lambda version: version.facts.number)
    damage = VersionDamage(number=2, snapshot_id="s", paths=("a",), paths_total=1)
    await bucket.put(f"{newest.facts.app_id}.2", replace(newest, damage=damage))
    await world.ask(RequestRestore(app=APP, request_id="r", version=0, choice="last-good"))
    await world.settle()
    restore = next(run for run in await world.runs() if run.kind == "restore")
    assert (restore.state, restore.version) == ("succeeded", 1)
    assert restore.restore is not None
    assert restore.restore.version == 1


@pytest.mark.parametrize(
    ("choice", "said"),
    [("last-good", "has no good version"), ("last-verified", "not verified by a restore yet")],
)
async def test_a_choice_that_finds_no_version_is_refused(choice: RestoreChoice, said: str) -> None:
    """It fails closed: never another version than was asked for."""
    world = World()
    await _started(world)
    if choice == "last-verified":
        await world.ask(RequestBackup(app=APP, request_id="one"))
        await world.settle()
    await world.ask(RequestRestore(app=APP, request_id="r", version=0, choice=choice))
    await world.settle()
    restore = next(run for run in await world.runs() if run.kind == "restore")
    assert restore.state == "failed"
    assert said in str(restore.failure)


async def test_a_history_of_another_application_is_refused() -> None:
    """Whoever may restore here may not take what is somebody else's."""
    world = World()
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    history = (await world.record()).app_id
    elsewhere = replace(APP, namespace="elsewhere")
    await world.ask(RequestRestore(app=elsewhere, request_id="r", version=1, app_id=history))
    await world.settle()
    restore = next(run for run in await world.runs() if run.kind == "restore")
    assert restore.state == "failed"
    assert "it is one of shop/shop" in str(restore.failure)
    assert world.workers.planned == []


async def test_versions_asked_for_with_a_number_that_stay_are_kept_so() -> None:
    """The newest request says how many; versions asked for without one stay all."""
    world = World()
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="plain"))
    await world.settle()
    for identity in ("one", "two", "three"):
        await world.ask(RequestBackup(app=APP, request_id=identity, keep=Keep(last=2)))
        await world.settle()
    assert world.workers.forgotten == {2}
    assert [version.facts.number for version in await world.versions()] == [1, 3, 4]


async def test_a_backup_may_be_asked_for_in_other_vaults() -> None:
    """It comes into being in the first of them and is copied to the others."""
    world = World()
    await _started(world)
    await world.ask(RequestBackup(app=APP, request_id="one", targets=("offsite", "third")))
    await world.settle()
    [version] = await world.versions()
    assert version.vaults == ("offsite", "third")


async def test_a_refusal_cut_short_does_not_hold_back_what_can_be_done_now() -> None:
    """The planner ended while it refused; the application is known when the wish comes again."""
    world = World()
    await world.new_planner(at=2)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    with pytest.raises(Killed):
        await world.settle()
    assert [(run.state, run.app_id) for run in await world.runs()] == [("pending", "")]

    await world.observe()
    await world.new_planner()
    await world.settle()
    assert (await _run(world, "one")).state == "succeeded"


@pytest.mark.parametrize("at_most", [None, Rate(count=9, window_s=60)], ids=["at once", "in line"])
async def test_a_run_that_was_made_and_not_admitted_is_begun_by_the_next_planner(
    at_most: Rate | None,
) -> None:
    """Its rule is gone meanwhile, so that its trigger would not make it again."""
    world = World()
    often = Protection(name="often", trigger="schedule", schedule="* * * * *", at_most=at_most)
    await _started(world, often)
    for at in range(1, 20):
        with contextlib.suppress(Killed):
            await world.new_planner(at=at, moment="after")
            await world.bus.pass_time(60)
            await world.deliver(streams.PLANNER_TIMERS)
        if await world.runs():
            break
    assert not world.workers.done
    await world.observe(resource_version="2")
    await world.new_planner()
    await world.settle()
    assert {run.state for run in await world.runs()} <= {"succeeded", "folded"}
