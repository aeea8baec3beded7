"""Runs that keep repositories in order: what starts them, whose turn it is, what they leave."""

from datetime import timedelta

from appshield.application.upkeeping import upkeep_in
from appshield.contracts import streams
from appshield.contracts.applications import ApplicationObserved, Keep, Protection
from appshield.contracts.identities import RunKind, run_id
from appshield.contracts.maintenance import (
    CheckRepository,
    ForgetVersions,
    PruneRepository,
    RepairRepository,
    RepositoryPruned,
    VersionDamage,
)
from appshield.contracts.requests import (
    RequestBackup,
    RequestCheck,
    RequestForget,
    RequestPin,
    RequestPrune,
    RequestRepair,
    RequestRestore,
)
from appshield.contracts.runs import Run
from appshield.errors import RefusedError
from planner_world import APP, World

EVERY_MINUTE = Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=2))


class Keeping(World):
    """A world with one application, and how tests ask in it."""

    async def begin(self, *protections: Protection, versions: int = 0) -> str:
        """Start, with so many versions made on request; return the history's id."""
        await self.observe(*protections)
        await self.new_planner()
        await self.settle()
        for number in range(versions):
            await self.ask(RequestBackup(app=APP, request_id=f"before-{number}"))
            await self.settle()
        return (await self.record()).app_id

    async def minute(self) -> None:
        """Let a minute pass, and everything happen that follows."""
        await self.bus.pass_time(60)
        await self.settle()

    async def numbers(self) -> list[int]:
        return sorted(version.facts.number for version in await self.versions())

    async def of_kind(self, kind: RunKind) -> list[Run]:
        found = [run for run in await self.runs() if run.kind == kind]
        return sorted(found, key=lambda run: run.requested_at)

    async def asked(self, kind: RunKind, request_id: str) -> Run:
        wanted = run_id(kind, f"request/{request_id}")
        return next(run for run in await self.runs() if run.id == wanted)


async def test_what_a_rule_does_not_keep_is_forgotten_after_the_next_backup() -> None:
    """Then the repository is pruned and checked, each once and by a run of its own."""
    world = Keeping()
    await world.begin(EVERY_MINUTE)
    for _ in range(3):
        await world.minute()
    assert await world.numbers() == [2, 3]
    assert world.workers.forgotten == {1}
    [forget] = await world.of_kind("forget")
    assert forget.state == "succeeded"
    assert forget.forget is not None
    assert [one.number for one in forget.forget.forgotten] == [1]
    assert [run.state for run in await world.of_kind("prune")] == ["succeeded"]
    assert [run.state for run in await world.of_kind("check")] == ["succeeded"]
    upkeep = upkeep_in(await world.record(), "primary")
    assert (upkeep.unpruned, upkeep.pruned_at, upkeep.checked_at) == (
        False,
        world.bus.now,
        world.bus.now,
    )


async def test_forgetting_again_the_same_day_does_not_prune_again() -> None:
    """At most once a day; the day after it is due."""
    world = Keeping()
    await world.begin(EVERY_MINUTE)
    for _ in range(6):
        await world.minute()
    assert len(await world.of_kind("forget")) == 4
    assert len(await world.of_kind("prune")) == 1
    assert upkeep_in(await world.record(), "primary").unpruned
    await world.bus.pass_time(timedelta(days=1).total_seconds())
    await world.settle()
    assert len(await world.of_kind("prune")) == 2


async def test_a_pinned_version_never_expires_and_can_be_let_go_again() -> None:
    """Pins come true beside whatever is being done."""
    world = Keeping()
    app_id = await world.begin(EVERY_MINUTE)
    await world.minute()
    await world.ask(RequestPin(app=APP, request_id="pin", app_id=app_id, version=1))
    await world.settle()
    for _ in range(3):
        await world.minute()
    assert await world.numbers() == [1, 3, 4]
    await world.ask(RequestPin(app=APP, request_id="let", app_id=app_id, version=1, pinned=False))
    await world.minute()
    assert await world.numbers() == [4, 5]


async def test_a_version_that_is_pinned_while_its_forgetting_waits_stays() -> None:
    """The rules are asked again when the turn of the run has come."""
    world = Keeping()
    app_id = await world.begin(EVERY_MINUTE)
    for _ in range(2):
        await world.minute()
    await world.bus.pass_time(60)  # a third backup begins, and version 1 expires with it
    await world.turn()
    await world.ask(RequestBackup(app=APP, request_id="first"))
    while not await world.of_kind("forget"):
        assert await world.turn()
    assert [run.state for run in await world.of_kind("forget")] == ["pending"]
    await world.ask(RequestPin(app=APP, request_id="pin", app_id=app_id, version=1))
    await world.settle()
    assert [run.state for run in await world.of_kind("forget")] == ["succeeded"]
    assert 1 in await world.numbers()


async def test_a_day_in_which_nothing_was_made_is_checked_all_the_same() -> None:
    """Also for an application whose object is gone: its versions are still to be trusted."""
    world = Keeping()
    await world.begin(versions=1)
    gone = ApplicationObserved(app=APP, uid="uid-1", resource_version="2", exists=False)
    await world.ask(gone)
    await world.settle()
    for _ in range(2):
        await world.bus.pass_time(timedelta(days=1).total_seconds())
        await world.settle()
    checks = await world.of_kind("check")
    assert len(checks) == 2
    assert len({run.check.part for run in checks if run.check}) == 2


async def test_a_check_stands_beside_a_backup_and_a_prune_waits_for_it() -> None:
    """Only what changes the repository takes turns."""
    world = Keeping()
    app_id = await world.begin(versions=1)
    await world.ask(RequestBackup(app=APP, request_id="long"))
    await world.deliver(streams.PLANNER_REQUESTS)
    await world.ask(RequestPrune(app=APP, request_id="prune", app_id=app_id))
    await world.ask(RequestCheck(app=APP, request_id="check", app_id=app_id, parts=1))
    await world.deliver(streams.PLANNER_REQUESTS)
    assert (await world.asked("backup", "long")).state == "running"
    assert (await world.asked("prune", "prune")).state == "pending"
    assert (await world.asked("check", "check")).state == "running"
    await world.settle()
    assert (await world.asked("prune", "prune")).state == "succeeded"
    assert (await world.asked("check", "check")).state == "succeeded"


async def test_a_prune_gives_way_to_a_backup_and_is_planned_again() -> None:
    """It is told through its run; who waits for it is led to the run that goes on."""
    world = Keeping()
    app_id = await world.begin(versions=1)
    await world.ask(RequestPrune(app=APP, request_id="prune", app_id=app_id, grace_s=7))
    await world.deliver(streams.PLANNER_REQUESTS)
    await world.ask(RequestBackup(app=APP, request_id="due"))
    await world.deliver(streams.PLANNER_REQUESTS)
    told = await world.asked("prune", "prune")
    assert told.prune is not None
    assert told.prune.gives_way
    step = told.steps[0]
    await world.bus.publish(
        RepositoryPruned(
            app=APP,
            run=told.id,
            step=step.name,
            attempt=step.attempt,
            app_id=app_id,
            vault="primary",
            pruned_at=world.bus.now,
            gave_way=True,
        )
    )
    await world.deliver(streams.PLANNER_OUTCOMES)
    told = await world.asked("prune", "prune")
    assert told.state == "folded"
    assert (await world.asked("backup", "due")).state == "running"
    await world.settle()
    again = next(run for run in await world.runs() if run.id == told.folded_into)
    assert (again.state, again.trigger.kind) == ("succeeded", "manual")
    assert again.prune is not None
    assert again.prune.grace_s == 7


async def test_backups_and_peoples_wishes_go_before_upkeep_that_waits() -> None:
    """A restore that is asked for late does not wait for a prune that has not begun."""
    world = Keeping()
    app_id = await world.begin(versions=1)
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.ask(RequestPrune(app=APP, request_id="prune", app_id=app_id))
    await world.ask(
        RequestForget(app=APP, request_id="forget", app_id=app_id, versions=(1,), even_last=True)
    )
    await world.ask(RequestBackup(app=APP, request_id="two"))
    await world.deliver(streams.PLANNER_REQUESTS)
    waiting = [
        next(r for r in await world.runs() if r.id == run).kind
        for run in (await world.record()).pending_runs
    ]
    assert waiting == ["forget", "backup", "prune"]


async def test_a_person_forgets_a_version_and_the_number_is_never_given_again() -> None:
    """The catalog follows; what was newest is told anew."""
    world = Keeping()
    app_id = await world.begin(versions=3)
    await world.ask(RequestForget(app=APP, request_id="forget", app_id=app_id, versions=(3,)))
    await world.settle()
    assert await world.numbers() == [1, 2]
    assert (await world.record()).last_version == 2
    await world.ask(RequestBackup(app=APP, request_id="next"))
    await world.settle()
    assert await world.numbers() == [1, 2, 4]


async def test_a_version_under_object_lock_is_asked_for_once_and_goes_after_its_date() -> None:
    """Until then it stays, and nobody tries to remove it again with each backup."""
    world = Keeping()
    await world.begin(EVERY_MINUTE)
    world.workers.locked_until[1] = world.bus.now + timedelta(minutes=6, seconds=30)
    for _ in range(6):
        await world.minute()
    assert await world.numbers() == [1, 5, 6]
    asked = [run.forget for run in await world.of_kind("forget") if run.forget is not None]
    assert sum(1 in {one.number for one in forget.versions} for forget in asked) == 1
    await world.minute()
    assert await world.numbers() == [6, 7]


async def test_what_must_not_be_forgotten_is_refused_in_words() -> None:
    """A pinned version, an unknown one, and the last good one unless that is said."""
    world = Keeping()
    app_id = await world.begin(versions=2)
    await world.ask(RequestPin(app=APP, request_id="pin", app_id=app_id, version=1))
    await world.settle()
    wishes = {"pinned": (1,), "unknown": (9,), "none": ()}
    for name, versions in wishes.items():
        await world.ask(RequestForget(app=APP, request_id=name, app_id=app_id, versions=versions))
    await world.settle()
    assert "version 1 of shop/shop is pinned" in str(
        (await world.asked("forget", "pinned")).failure
    )
    assert "has no version 9" in str((await world.asked("forget", "unknown")).failure)
    assert (await world.asked("forget", "none")).state == "failed"

    await world.ask(RequestPin(app=APP, request_id="let", app_id=app_id, version=1, pinned=False))
    await world.settle()
    for name, even_last in (("last", False), ("even", True)):
        wish = RequestForget(
            app=APP, request_id=name, app_id=app_id, versions=(1, 2), even_last=even_last
        )
        await world.ask(wish)
        await world.settle()
    assert "no good version of shop/shop would be left" in str(
        (await world.asked("forget", "last")).failure
    )
    assert await world.numbers() == []
    assert (await world.record()).last_version == 0


async def test_damage_is_shown_by_the_version_and_its_restore_is_refused_naming_what_is_lost() -> (
    None
):
    """Unless the person asks to go on with what can be read."""
    world = Keeping()
    app_id = await world.begin(versions=2)
    [lost] = [one for one in await world.versions() if one.facts.number == 2]
    world.workers.damaged = (
        VersionDamage(
            number=2, snapshot_id=lost.snapshot_id, paths=("volumes/data/a",), paths_total=9
        ),
    )
    await world.bus.pass_time(1)
    await world.ask(RequestCheck(app=APP, request_id="check", app_id=app_id))
    await world.settle()
    marked = {one.facts.number: one.damage for one in await world.versions()}
    assert marked[1] is None
    assert marked[2] is not None
    await world.ask(RequestRestore(app=APP, request_id="no", version=2))
    await world.settle()
    refused = await world.asked("restore", "no")
    assert refused.state == "failed"
    assert "version 2 of shop/shop is damaged" in str(refused.failure)
    assert "volumes/data/a and 8 more" in str(refused.failure)
    await world.ask(RequestRestore(app=APP, request_id="yes", version=2, keep_going=True))
    await world.turn()
    going = await world.asked("restore", "yes")
    assert going.state == "running"
    assert going.restore is not None
    assert going.restore.keep_going


async def test_a_damaged_version_that_is_whole_again_is_no_longer_marked() -> None:
    """The next finding replaces the one before."""
    world = Keeping()
    app_id = await world.begin(versions=1)
    [version] = await world.versions()
    damage = VersionDamage(number=1, snapshot_id=version.snapshot_id, paths=("a",), paths_total=1)
    for name, damaged in (("bad", (damage,)), ("good", ())):
        await world.bus.pass_time(1)
        world.workers.damaged = damaged
        await world.ask(RequestCheck(app=APP, request_id=name, app_id=app_id, parts=1))
        await world.settle()
        [version] = await world.versions()
        assert (version.damage is not None) == bool(damaged)


async def test_upkeep_that_fails_is_tried_the_next_day_and_stops_nothing() -> None:
    """A failed forget neither repeats at once nor keeps the next backup from its turn."""
    world = Keeping()
    world.workers.failures[ForgetVersions] = [RefusedError("no")]
    await world.begin(EVERY_MINUTE)
    for _ in range(3):
        await world.minute()
    assert [run.state for run in await world.of_kind("forget")] == ["failed"]
    assert await world.numbers() == [1, 2, 3]
    await world.minute()
    assert await world.numbers() == [3, 4]


async def test_a_history_that_nobody_knows_is_refused_in_words() -> None:
    """Not left hanging."""
    world = Keeping()
    await world.begin()
    await world.ask(RequestPrune(app=APP, request_id="one", app_id="a-none"))
    await world.settle()
    run = await world.asked("prune", "one")
    assert (run.state, "there is no history a-none" in str(run.failure)) == ("failed", True)
    assert not world.workers.done[PruneRepository.__name__]
    assert not world.workers.done[CheckRepository.__name__]


async def test_a_repair_takes_its_turn_and_what_it_named_is_pruned_again() -> None:
    """It changes the repository, so it waits for the backup that runs."""
    world = Keeping()
    app_id = await world.begin(versions=1)
    await world.ask(RequestBackup(app=APP, request_id="long"))
    await world.deliver(streams.PLANNER_REQUESTS)
    for _ in range(2):  # delivered twice, done once
        await world.ask(RequestRepair(app=APP, request_id="repair", app_id=app_id))
        await world.deliver(streams.PLANNER_REQUESTS)
    assert (await world.asked("repair", "repair")).state == "pending"
    await world.settle()
    run = await world.asked("repair", "repair")
    assert run.state == "succeeded"
    assert run.repair is not None
    assert run.repair.done is not None
    assert world.workers.done[RepairRepository.__name__] == 1
    assert upkeep_in(await world.record(), "primary").unpruned
