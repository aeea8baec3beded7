"""Which Vault a restore reads: the first good one, the next where that fails, or the one chosen."""

from typing import Any

import pytest
from msgspec.structs import replace

from appshield.contracts import decode, streams
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.maintenance import NamedVersion, VersionDamage, VersionsAt
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.restores import LoadVolume, RestorePlanned, VolumesPrepared
from appshield.contracts.runs import (
    Failure,
    RestoreProgress,
    Run,
    StepDue,
    StepFailed,
    Trigger,
)
from appshield.contracts.sources import VolumeTarget
from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeniedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from appshield.planner import deciding
from appshield.planner.steps import limits_of
from planner_world import APP, CUT_AT, World

DAMAGE = VersionDamage(number=1, snapshot_id="s", paths=("volumes/data/a",), paths_total=1)


class Restoring(World):
    """A world with one version in two Vaults."""

    async def begin(self, *damaged: str) -> None:
        """Make the version; in these Vaults it is damaged."""
        await self.observe(targets=("primary", "offsite"))
        await self.new_planner()
        await self.ask(RequestBackup(app=APP, request_id="one"))
        await self.settle()
        bucket = self.bus.bucket(streams.CATALOG, VersionRecord)
        [entry] = [entry async for entry in bucket.items()]
        version = entry.value
        copies = tuple(
            replace(copy, damage=DAMAGE if copy.vault in damaged else None)
            for copy in version.copies
        )
        damage = DAMAGE if "primary" in damaged else None
        await bucket.put(entry.key, replace(version, damage=damage, copies=copies))

    async def restored(
        self, *, vault: str = "", keep_going: bool = False, dry_run: bool = True
    ) -> Run:
        """Ask for a restore that only plans; return its run."""
        request = RequestRestore(
            app=APP,
            request_id="restore",
            version=1,
            vault=vault,
            dry_run=dry_run,
            keep_going=keep_going,
        )
        await self.ask(request)
        for _ in range(12):
            await self.settle()
            await self.bus.deliver(streams.RESTORER_ORDERS, self.work.handle)
            await self.settle()
            await self.bus.pass_time(30)
        return next(run for run in await self.runs() if run.kind == "restore")

    @property
    def read(self) -> list[str]:
        """The Vaults that were read from, in order."""
        return [vault for vault, _ in self.workers.planned]


async def test_the_first_good_vault_is_read() -> None:
    """The first of the targets, under the name that the version has there."""
    world = Restoring()
    await world.begin()
    run = await world.restored()
    assert (run.state, run.vault) == ("succeeded", "primary")
    [(vault, snapshot_id)] = world.workers.planned
    assert vault == "primary"
    assert snapshot_id.startswith("b-")


async def test_a_version_that_is_damaged_at_the_first_is_read_from_the_second() -> None:
    """Nobody has to ask for it."""
    world = Restoring()
    await world.begin("primary")
    run = await world.restored(dry_run=False)
    assert run.vault == "offsite"
    assert world.workers.planned == [("offsite", "offsite-1")]


async def test_a_version_that_is_damaged_everywhere_is_refused() -> None:
    """Naming what is lost."""
    world = Restoring()
    await world.begin("primary", "offsite")
    run = await world.restored(dry_run=False)
    assert run.state == "failed"
    assert "volumes/data/a" in str(run.failure)


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("the store cannot be reached"),
        NotFoundError("there is no bucket"),
        DamagedError("the tree is damaged"),
        DeniedError("the key is wrong"),
    ],
)
async def test_the_next_vault_is_read_where_the_first_fails(error: AppShieldError) -> None:
    """It says which was given up and why."""
    world = Restoring()
    await world.begin()
    world.workers.broken["primary"] = error
    run = await world.restored()
    assert (run.state, run.vault) == ("succeeded", "offsite")
    assert world.read[-1] == "offsite"
    assert world.read.count("primary") == (4 if isinstance(error, UnavailableError) else 1)
    assert run.restore is not None
    [given_up] = run.restore.given_up
    assert given_up.startswith(f"Vault primary: {error.what}")


async def test_what_is_in_the_way_is_in_the_way_whatever_is_read() -> None:
    """Another Vault is not tried for it."""
    world = Restoring()
    await world.begin()
    world.workers.broken["primary"] = RefusedError("the namespace is not free")
    run = await world.restored()
    assert run.state == "failed"
    assert world.read == ["primary"]


async def test_when_all_vaults_fail_the_restore_fails_with_the_last_reason() -> None:
    """And with what became of the others."""
    world = Restoring()
    await world.begin()
    world.workers.broken["primary"] = NotFoundError("there is no bucket")
    world.workers.broken["offsite"] = DamagedError("the tree is damaged")
    run = await world.restored()
    assert run.state == "failed"
    assert "the tree is damaged" in str(run.failure)
    assert world.read == ["primary", "offsite"]


async def test_a_vault_that_was_chosen_is_read_and_no_other() -> None:
    """Its failure is the answer."""
    world = Restoring()
    await world.begin()
    world.workers.broken["offsite"] = NotFoundError("there is no bucket")
    run = await world.restored(vault="offsite")
    assert (run.state, world.read) == ("failed", ["offsite"])


async def test_a_chosen_vault_with_a_damaged_copy_names_the_one_that_has_a_good_one() -> None:
    """Unless it is wanted all the same."""
    world = Restoring()
    await world.begin("offsite")
    run = await world.restored(vault="offsite", dry_run=False)
    assert run.state == "failed"
    assert run.failure is not None
    assert run.failure.next_step == "Vault primary has a good copy: restore with --from primary."


async def test_a_chosen_vault_that_does_not_have_the_version_is_refused() -> None:
    """It says where the version is."""
    world = Restoring()
    await world.begin()
    run = await world.restored(vault="third")
    assert run.state == "failed"
    assert "not in Vault third: it is in primary, offsite" in str(run.failure)


def _loading(*vaults: str) -> Run:
    """A restore that loads two volumes, of a version that these Vaults have, too."""
    now = CUT_AT
    run = Run(
        id="r-1",
        kind="restore",
        app=APP,
        app_id="a-1",
        vault="primary",
        trigger=Trigger(kind="manual", identity="one"),
        state="pending",
        epoch=1,
        requested_at=now,
        restore=RestoreProgress(
            version=1,
            snapshot_id="primary-1",
            target_namespace="shop",
            elsewhere=tuple(
                VersionsAt(
                    vault=vault, versions=(NamedVersion(number=1, snapshot_id=f"{vault}-1"),)
                )
                for vault in vaults
            ),
        ),
    )
    volumes = tuple(
        VolumeTarget(source=f"volumes/{name}", claim=name, namespace="shop", node="node")
        for name in ("a", "b")
    )
    about: dict[str, Any] = {"app": APP, "run": run.id, "attempt": 1}
    run = deciding.start(run, epoch=1, now=now)
    planned = RestorePlanned(**about, step="plan", objects=(), volumes=volumes)
    run = deciding.advance(run, planned, epoch=1, now=now)
    prepared = VolumesPrepared(**about, step="prepare", volumes=volumes)
    return replace(deciding.advance(run, prepared, epoch=1, now=now), outbox=())


def _failed(run: Run, step: str, *, again: bool = False, elsewhere: bool = True) -> Run:
    """Let the attempt of a step that is under way fail."""
    attempt = next(one.attempt for one in run.steps if one.name == step)
    why = Failure(what="file a is damaged")
    event = StepFailed(
        app=APP,
        run=run.id,
        step=step,
        attempt=attempt,
        failure=why,
        again=again,
        elsewhere=elsewhere,
    )
    return deciding.advance(run, event, epoch=1, now=CUT_AT)


def _orders(run: Run) -> list[tuple[str, str, str, int]]:
    """List step, Vault, snapshot and attempt of the orders that a run promises."""
    orders = [decode(bytes(one.body)) for one in run.outbox if one.at is None]
    return [
        (one.step, one.vault, one.snapshot_id, one.attempt)
        for one in orders
        if isinstance(one, LoadVolume)
    ]


def test_all_that_is_being_read_is_read_from_the_next_vault() -> None:
    """The volume that is whole, too: workers stop what they were told before."""
    run = _failed(_loading("offsite"), "load/a")
    assert (run.state, run.vault) == ("running", "offsite")
    assert _orders(run) == [
        ("load/a", "offsite", "offsite-1", 2),
        ("load/b", "offsite", "offsite-1", 2),
    ]


def test_an_outcome_from_the_vault_that_was_given_up_changes_nothing() -> None:
    """The other volume's failure at the first Vault does not use up the second."""
    before = _loading("offsite")
    run = _failed(before, "load/a")
    late = StepFailed(
        app=APP,
        run=run.id,
        step="load/b",
        attempt=1,
        failure=Failure(what="late"),
        elsewhere=True,
    )
    assert deciding.advance(run, late, epoch=1, now=CUT_AT) == run


def test_the_timer_of_an_earlier_attempt_gives_back_the_one_that_it_took_the_place_of() -> None:
    """A planner that leads no more may set one late: the attempt under way would have none."""
    run = replace(_failed(_loading(), "load/a", again=True), outbox=())
    [step] = [one for one in run.steps if one.name == "load/a"]
    earlier = StepDue(app=APP, run=run.id, step=step.name, attempt=step.attempt - 1, epoch=1)
    known = deciding.overdue(run, earlier, last_moved=None, epoch=1, now=CUT_AT)
    assert replace(known, outbox=()) == run, "nothing is decided"
    [timer] = known.outbox
    assert timer.at is not None
    assert timer.at > step.deadline_at, "another moment: the bus drops what it knows"
    later = replace(earlier, attempt=step.attempt + 1)
    assert deciding.overdue(run, later, last_moved=None, epoch=1, now=CUT_AT) == run


def test_each_vault_is_tried_as_often_and_then_the_restore_fails() -> None:
    """Failures that may pass are met with patience in each of them."""
    run = _loading("offsite")
    tries: list[str] = []
    while run.state == "running":
        tries.append(run.vault)
        run = _failed(run, "load/a", again=True)
        [step] = [one for one in run.steps if one.name == "load/a"]
        if step.state == "running" and step.failure is not None:  # it waits for its next attempt
            due = StepDue(app=APP, run=run.id, step=step.name, attempt=step.attempt, epoch=1)
            run = deciding.overdue(run, due, last_moved=None, epoch=1, now=step.deadline_at)
    limit = limits_of("load").attempts_max
    assert (tries.count("primary"), tries.count("offsite")) == (limit, limit)
    assert run.ends_as == "failed"


def test_a_restore_without_another_vault_fails_as_before() -> None:
    """At once where trying again is no use."""
    assert _failed(_loading(), "load/a").ends_as == "failed"
    assert _failed(_loading("offsite"), "load/a", elsewhere=False).ends_as == "failed"
