"""Which Vault a restore reads: the first good one, the next where that fails, or the one chosen."""

import pytest
from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeniedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from planner_world import APP, World

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
