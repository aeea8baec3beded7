"""What the catalog knows of each Vault: sums, growth by day, integrity by history."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.doors.vaults import VaultTally, tallies_of
from planned_versions import NOW, version
from planner_world import APP


async def catalog(versions: Sequence[VersionRecord]) -> AsyncIterator[VersionRecord]:
    """Give versions one after the other."""
    for one in versions:
        yield one


async def tallies(*versions: VersionRecord) -> dict[str, VaultTally]:
    """Sum up these versions."""
    return await tallies_of(catalog(versions))


async def test_a_version_counts_in_each_vault_that_has_it() -> None:
    """Its own, and those of its stored copies; not where a copy is still to be made."""
    copies = (
        VersionCopy(vault="offsite", state="stored", snapshot_id="c", stored_at=NOW),
        VersionCopy(vault="archive", state="pending"),
    )
    found = await tallies(version(1, *copies), version(2))
    held = {vault: tally.contents() for vault, tally in found.items()}
    assert {vault: contents.versions for vault, contents in held.items()} == {
        "primary": 2,
        "offsite": 1,
    }
    assert held["offsite"].last_stored_at == NOW
    assert held["primary"].last_stored_at == version(2).stored_at


async def test_growth_has_a_point_for_each_day_on_which_something_came() -> None:
    """Whatever the order in which the catalog gives the versions."""
    later = replace(version(1), stored_at=version(1).stored_at + timedelta(minutes=5))
    growth = (await tallies(version(3), later, version(1)))["primary"].growth()
    assert [(point.day, point.versions) for point in growth] == [
        (version(1).stored_at.date(), 2),
        (version(3).stored_at.date(), 3),
    ]


async def test_integrity_names_damaged_versions_in_order() -> None:
    """And says of an application without versions there what its upkeep says, or nothing."""
    read = replace(version(2), verified_at=NOW)
    tally = (await tallies(version(3, damaged=True), read, version(1, damaged=True)))["primary"]
    record = ApplicationRecord(app_id="a-1", app=APP, uid="uid-1", vault="primary", state="active")
    other = replace(record, app_id="a-2")
    (found,) = tally.integrity("primary", [record, other])
    assert (found.versions, found.verified_versions) == (3, 1)
    assert found.damaged_versions == (1, 3)
    assert tally.contents().damaged_versions == 2
