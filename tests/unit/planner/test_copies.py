"""Copies as runs: one for each version and further Vault, with its own state and retries."""

import pytest

from appshield.contracts.applications import Keep, Protection
from appshield.contracts.catalog import ApplicationFound, VersionRecord
from appshield.contracts.identities import run_id
from appshield.contracts.maintenance import (
    CopyVersion,
    ForgetVersions,
    Healed,
    NamedVersion,
    VersionDamage,
)
from appshield.contracts.requests import (
    RequestBackup,
    RequestCancel,
    RequestCheck,
    RequestCopy,
    RequestForget,
    RequestPin,
    RequestRepair,
)
from appshield.contracts.runs import Run
from appshield.errors import AppShieldError, DamagedError, UnavailableError
from planner_world import APP, Killed, Moment, World

OFTEN = Protection(name="often", trigger="schedule", schedule="* * * * *", keep=Keep(last=2))
BOTH = ("primary", "offsite")
TRIES = 6
"""How often a step of a copy is tried before its run has failed."""


class Copying(World):
    """A world with one application and two Vaults, and how tests ask in it."""

    async def begin(self, *protections: Protection, versions: int = 0) -> str:
        """Start, with so many versions made on request; return the history's id."""
        await self.observe(*protections, targets=BOTH)
        await self.new_planner()
        await self.settle()
        for number in range(versions):
            await self.back_up(f"before-{number}")
        return (await self.record()).app_id

    async def back_up(self, name: str) -> None:
        await self.ask(RequestBackup(app=APP, request_id=name))
        await self.settle()

    async def minutes(self, count: float) -> None:
        """Let minutes pass, and everything happen that follows."""
        await self.bus.pass_time(count * 60)
        await self.settle()

    def failing(self, *errors: AppShieldError, times: int = TRIES) -> None:
        """Let the next attempts to copy fail."""
        self.workers.failures[CopyVersion] = [*errors] * times

    async def exhausted(self) -> None:
        """Let the pauses between the attempts of a run pass."""
        for _ in range(TRIES):
            await self.minutes(0.5)

    async def version(self, number: int) -> VersionRecord:
        return next(one for one in await self.versions() if one.facts.number == number)

    async def states(self) -> dict[int, dict[str, str]]:
        """Say of each version how it stands in each Vault."""
        return {
            one.facts.number: {
                one.vault: "stored",
                **{copy.vault: copy.state for copy in one.copies},
            }
            for one in await self.versions()
        }

    async def copies(self) -> list[Run]:
        found = [run for run in await self.runs() if run.kind == "copy"]
        return sorted(found, key=lambda run: run.requested_at)


DOWN = UnavailableError("the store cannot be reached")


async def test_a_version_exists_at_the_first_and_is_then_copied_to_the_others() -> None:
    """By a run of its own, from the first Vault, once."""
    world = Copying()
    await world.begin(versions=1)
    assert await world.states() == {1: {"primary": "stored", "offsite": "stored"}}
    [run] = await world.copies()
    assert (run.state, run.vault, run.version) == ("succeeded", "offsite", 1)
    assert run.copy is not None
    assert run.copy.source == "primary"
    assert world.workers.copied == {("offsite", 1): 1}
    version = await world.version(1)
    assert version.vaults == BOTH
    there = version.at("offsite")
    assert there is not None
    assert there.snapshot_id == "offsite-1"
    assert there.stored_at == world.bus.now


async def test_a_backup_has_succeeded_whatever_becomes_of_its_copies() -> None:
    """The copy says why it failed and is tried again, by runs of its own."""
    world = Copying()
    await world.begin()
    world.failing(DOWN)
    await world.back_up("one")
    [backup] = [run for run in await world.runs() if run.kind == "backup"]
    assert backup.state == "succeeded"
    assert await world.states() == {1: {"primary": "stored", "offsite": "copying"}}
    await world.exhausted()
    copy = (await world.version(1)).copy_at("offsite")
    assert copy is not None
    assert (copy.state, copy.attempts, copy.vault_failed) == ("failed", 1, True)
    assert copy.failure is not None
    assert "cannot be reached" in copy.failure.what
    await world.minutes(1)
    assert await world.states() == {1: {"primary": "stored", "offsite": "stored"}}
    assert [run.state for run in await world.copies()] == ["failed", "succeeded"]


async def test_while_a_vault_is_down_its_copies_wait_and_then_all_come() -> None:
    """One run tries; when it works again the newest goes first and none is forgotten."""
    world = Copying()
    await world.begin()
    world.failing(DOWN, times=2 * TRIES)
    await world.back_up("one")
    await world.exhausted()
    await world.back_up("two")
    assert len(await world.copies()) == 1
    await world.minutes(1)
    await world.exhausted()
    assert len(await world.copies()) == 2
    assert world.workers.copied == {}
    await world.minutes(2)
    assert await world.states() == {n: dict.fromkeys(BOTH, "stored") for n in (1, 2)}


async def test_a_version_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    """It fails at once with its reason; the other one is copied."""
    world = Copying()
    await world.begin()
    world.failing(DamagedError("file a is damaged"), times=1)
    await world.back_up("one")
    await world.back_up("two")
    assert await world.states() == {
        1: {"primary": "stored", "offsite": "failed"},
        2: {"primary": "stored", "offsite": "stored"},
    }
    copy = (await world.version(1)).copy_at("offsite")
    assert copy is not None
    assert copy.failure is not None
    assert copy.failure.what == "file a is damaged"
    assert not copy.vault_failed


async def test_each_vault_has_its_own_retention() -> None:
    """A rule keeps two in each; what the second missed it does not get any more."""
    world = Copying()
    await world.begin(OFTEN)
    world.failing(DOWN)
    for _ in range(12):
        await world.minutes(1)
    states = await world.states()
    assert len(states) == 2
    assert {one["offsite"] for one in states.values()} == {"stored"}
    forgets = [run for run in await world.runs() if run.kind == "forget"]
    assert {run.vault for run in forgets} == set(BOTH)
    assert all(run.state == "succeeded" for run in forgets)
    copied = {number for _, number in world.workers.copied}
    assert len(copied) < len(world.workers.versions)


async def test_a_rule_writes_to_its_own_targets() -> None:
    """Its versions come into being in the first of them."""
    world = Copying()
    await world.observe(
        Protection(
            name="often", trigger="schedule", schedule="* * * * *", targets=("second", "third")
        ),
        targets=BOTH,
    )
    await world.new_planner()
    await world.settle()
    await world.minutes(1)
    version = await world.version(1)
    assert (version.vault, version.vaults) == ("second", ("second", "third"))
    await world.back_up("one")
    assert (await world.version(2)).vaults == BOTH


async def test_a_target_that_is_added_gets_the_versions_that_there_are() -> None:
    """The newest first, one after the other."""
    world = Copying()
    await world.observe(targets=("primary",))
    await world.new_planner()
    await world.settle()
    for name in ("one", "two", "three"):
        await world.back_up(name)
    assert await world.copies() == []
    await world.observe(targets=BOTH, resource_version="2")
    await world.settle()
    assert [run.version for run in await world.copies()] == [3, 2, 1]


async def test_nothing_is_forgotten_in_a_vault_that_is_copied_from_or_to() -> None:
    """What waited for it follows when the copy has ended."""
    world = Copying()
    await world.begin(OFTEN)
    for _ in range(2):
        await world.minutes(1)
    world.failing(DOWN, times=2)
    await world.minutes(1)
    assert world.workers.done["ForgetVersions"] == 0
    assert (await world.states())[3]["offsite"] == "copying"
    for _ in range(2):
        await world.minutes(0.4)
    assert (await world.states())[3]["offsite"] == "stored"
    assert world.workers.forgotten == {1}
    assert world.workers.done["ForgetVersions"] == 2


async def test_no_copy_begins_while_somebody_needs_the_repository_alone() -> None:
    """It begins when that has ended."""
    world = Copying()
    app_id = await world.begin(versions=2)
    world.workers.failures[ForgetVersions] = [UnavailableError("locked")]
    await world.ask(RequestForget(app=APP, request_id="f", app_id=app_id, versions=(1,)))
    await world.settle()
    await world.observe(targets=(*BOTH, "third"), resource_version="2")
    await world.settle()
    assert (await world.states())[2]["third"] == "pending"
    await world.minutes(1)
    assert await world.states() == {
        2: {"primary": "stored", "offsite": "stored", "third": "stored"}
    }


async def test_a_version_is_forgotten_and_pinned_everywhere() -> None:
    """By one run with a step for each Vault."""
    world = Copying()
    app_id = await world.begin(versions=2)
    await world.ask(RequestPin(app=APP, request_id="p", app_id=app_id, version=2))
    await world.ask(RequestForget(app=APP, request_id="f", app_id=app_id, versions=(1,)))
    await world.settle()
    assert list(await world.states()) == [2]
    assert (await world.version(2)).pinned
    assert world.workers.done["PinVersion"] == 2
    assert world.workers.done["ForgetVersions"] == 2
    [forget] = [run for run in await world.runs() if run.kind == "forget"]
    assert forget.forget is not None
    assert [one.number for one in forget.forget.forgotten] == [1]


async def test_a_version_is_forgotten_in_one_vault_and_stays_in_the_other() -> None:
    """It is restorable from there, and not copied back."""
    world = Copying()
    app_id = await world.begin(versions=2)
    request = RequestForget(app=APP, request_id="f", app_id=app_id, versions=(1,), vault="primary")
    await world.ask(request)
    await world.settle()
    assert (await world.version(1)).vaults == ("offsite",)
    await world.minutes(24 * 60)
    assert (await world.version(1)).vaults == ("offsite",)


async def test_an_outcome_that_comes_late_brings_no_copy_back() -> None:
    """A version that was forgotten everywhere stays forgotten when its copy is told again."""
    world = Copying()
    app_id = await world.begin(versions=2)
    await world.ask(RequestForget(app=APP, request_id="f", app_id=app_id, versions=(1,)))
    await world.settle()
    from planner_world import PLANNER_CONSUMERS

    assert world.planner is not None
    world.bus.forget_duplicates()
    for consumer in PLANNER_CONSUMERS:
        await world.bus.redeliver(consumer, world.planner.handle)
    await world.settle()
    assert list(await world.states()) == [2]


async def test_a_copy_that_is_asked_for_goes_where_no_rule_sends_it() -> None:
    """Asked for while it runs, it is the run that is under way."""
    world = Copying()
    app_id = await world.begin(versions=1)
    world.failing(DOWN, times=1)
    for name in ("one", "two"):
        request = RequestCopy(app=APP, request_id=name, app_id=app_id, version=1, vault="third")
        await world.ask(request)
        await world.settle()
    runs = {run.id: run for run in await world.runs()}
    one, two = (runs[run_id("copy", f"request/{name}")] for name in ("one", "two"))
    assert two.folded_into == one.id
    await world.minutes(1)
    assert (await world.version(1)).vaults == (*BOTH, "third")


@pytest.mark.parametrize(
    ("version", "vault", "said"),
    [(9, "third", "has no version 9"), (1, "primary", "nothing to copy it from")],
)
async def test_a_copy_that_cannot_be_made_is_refused_in_words(
    version: int, vault: str, said: str
) -> None:
    """Which version there is not, or that there is no other place to copy it from."""
    world = World()
    await world.observe()
    await world.new_planner()
    await world.ask(RequestBackup(app=APP, request_id="one"))
    await world.settle()
    app_id = (await world.record()).app_id
    await world.ask(
        RequestCopy(app=APP, request_id="c", app_id=app_id, version=version, vault=vault)
    )
    await world.settle()
    [run] = [run for run in await world.runs() if run.kind == "copy"]
    assert run.state == "failed"
    assert said in str(run.failure)


async def test_a_copy_that_is_cancelled_is_told_as_failed_and_tried_again() -> None:
    """Whoever wants none takes the Vault out of the targets."""
    world = Copying()
    await world.begin()
    world.failing(DOWN, times=1)
    await world.back_up("one")
    [run] = await world.copies()
    await world.ask(RequestCancel(app=APP, request_id="c", run=run.id))
    await world.settle()
    copy = (await world.version(1)).copy_at("offsite")
    assert copy is not None
    assert copy.state == "failed"
    assert copy.failure is not None
    assert copy.failure.what == "cancelled"
    await world.minutes(1)
    assert (await world.version(1)).vaults == BOTH


EFFECTS_OF_A_COPY = 90
"""More than a backup with its copy has; the test fails if this is not so."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", range(1, EFFECTS_OF_A_COPY))
async def test_killed_at_any_effect_there_is_one_copy(at: int, moment: Moment) -> None:
    """By one run, whichever instruction was the planner's last."""
    world = Copying()
    await world.observe(targets=BOTH)
    try:
        await world.new_planner(at=at, moment=moment)
        await world.back_up("one")
    except Killed:
        pass
    world.bus.forget_duplicates()
    await world.new_planner()
    await world.settle()
    [stored] = (await world.states()).values()
    assert stored == {"primary": "stored", "offsite": "stored"}
    [run] = await world.copies()
    assert (run.state, run.outbox) == ("succeeded", ())
    assert list(world.workers.copied.values()) == [1]


async def test_the_matrix_above_covers_every_effect_of_a_copy() -> None:
    """A new effect that nobody kills the planner at is seen here."""
    world = Copying()
    await world.observe(targets=BOTH)
    await world.new_planner()
    await world.back_up("one")
    assert 40 < world.mortal.effects < EFFECTS_OF_A_COPY


async def test_the_catalog_is_found_again_from_either_vault_and_joined() -> None:
    """A version that both hold is one; one that only the second holds is restorable."""
    world = Copying()
    app_id = await world.begin(versions=3)
    known = {one.facts.number: one for one in await world.versions()}

    fresh = World()
    await fresh.new_planner()
    for vault, numbers in (("offsite", (1, 2)), ("primary", (2, 3))):
        found = ApplicationFound(
            app=APP,
            run=f"c-{vault}",
            step="rebuild",
            attempt=1,
            app_id=app_id,
            uid="uid-1",
            vault=vault,
            highest_version=3,
            versions=tuple(here for n in numbers if (here := known[n].at(vault)) is not None),
        )
        await fresh.bus.publish(found)
        await fresh.settle()
    vaults = {one.facts.number: set(one.vaults) for one in await fresh.versions()}
    assert vaults == {1: {"offsite"}, 2: {"offsite", "primary"}, 3: {"primary"}}


async def test_a_version_that_vanished_from_a_bucket_is_copied_there_again() -> None:
    """A Vault that lost what it held is filled from the other one."""
    world = Copying()
    app_id = await world.begin(versions=1)
    await world.minutes(1)
    await world.bus.publish(
        ApplicationFound(
            app=APP,
            run="c-1",
            step="rebuild",
            attempt=1,
            app_id=app_id,
            uid="uid-1",
            vault="primary",
            highest_version=1,
            versions=(),
            listed_at=world.bus.now,
        )
    )
    await world.settle()
    assert (await world.version(1)).vaults == ("offsite", "primary")
    assert world.workers.copied == {("offsite", 1): 1, ("primary", 1): 1}


async def damaged_at_home(world: Copying, *, also_offsite: bool = False) -> None:
    """Let checks find version 1 damaged in the first Vault, or in both."""
    version = await world.version(1)
    places = [version.vault, *(copy.vault for copy in version.copies if also_offsite)]
    for vault in reversed(places):
        await world.minutes(1)
        here = version.at(vault)
        assert here is not None
        world.workers.damaged = (
            VersionDamage(number=1, snapshot_id=here.snapshot_id, paths=("a",), paths_total=1),
        )
        app_id = version.facts.app_id
        await world.ask(RequestCheck(app=APP, request_id=vault, app_id=app_id, vault=vault))
        await world.settle()


async def test_damage_that_a_check_finds_is_healed_from_the_other_vault() -> None:
    """By a run of its own; the version is good again, under the name of its new document."""
    world = Copying()
    await world.begin(versions=2)
    world.workers.healed = Healed(
        sources=("offsite",),
        brought=1,
        documents=(NamedVersion(number=1, snapshot_id="new"),),
        verified=(1, 2),
    )
    await damaged_at_home(world)
    [run] = [run for run in await world.runs() if run.kind == "repair"]
    assert (run.state, run.vault, run.trigger.kind) == ("succeeded", "primary", "upkeep")
    assert run.repair is not None
    assert run.repair.others == ("offsite",)
    assert [one.number for one in run.repair.versions] == [1, 2]
    version = await world.version(1)
    assert (version.damage, version.snapshot_id) == (None, "new")
    assert version.verified_at is not None
    assert version.vaults == BOTH


async def test_damage_that_no_other_vault_can_heal_starts_no_repair() -> None:
    """Nothing would come of it but a reading of all data."""
    world = Copying()
    await world.begin(versions=1)
    await damaged_at_home(world, also_offsite=True)
    before = [run for run in await world.runs() if run.kind == "repair"]
    assert [run.vault for run in before] == ["offsite"]  # when the first one was good still
    assert (await world.version(1)).damage is not None


async def test_a_repair_that_is_asked_for_may_read_every_other_vault() -> None:
    """Those that hold any version of the application."""
    world = Copying()
    app_id = await world.begin(versions=1)
    await world.ask(RequestRepair(app=APP, request_id="r", app_id=app_id, vault="offsite"))
    await world.settle()
    [run] = [run for run in await world.runs() if run.kind == "repair"]
    assert run.repair is not None
    assert run.repair.others == ("primary",)
    copy = (await world.version(1)).copy_at("offsite")
    assert copy is not None
    assert [one.snapshot_id for one in run.repair.versions] == [copy.snapshot_id]
