"""Forget versions: their snapshot documents go, and with them the versions.

Pins and damage are looked at once more while nobody else holds the repository: what was pinned, or
became the last good version, since the order was given stays.
"""

from collections.abc import Collection
from functools import partial

from appshield.contracts.maintenance import (
    ForgetVersions,
    LockedVersion,
    NamedVersion,
    VersionsForgotten,
)
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.objectstore import ObjectRetainedError
from appshield.repository import SnapshotListing, forget
from appshield.service import Cancelled, run_blocking
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.findings import known_damage


class Forgetting:
    """Forgets versions; those that are gone already are forgotten, too."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody

    async def forget(self, command: StepCommand, context: StepContext) -> VersionsForgotten:
        """Let versions stop to exist; say of those that stay why they do."""
        order = order_of(command, ForgetVersions)
        async with self._custody.held_alone(order.vault, order.app_id) as held:
            await context.ensure_wanted()
            kept, locked = await run_blocking(partial(_forget, held, order))
        gone = tuple(one for one in order.versions if one.number not in kept)
        return outcome(
            VersionsForgotten,
            order,
            app_id=order.app_id,
            vault=order.vault,
            versions=gone,
            kept=tuple(f"version {number}: {why}" for number, why in sorted(kept.items())),
            locked=locked,
        )


def staying(
    order: ForgetVersions,
    listing: SnapshotListing,
    *,
    pins: Collection[int],
    damaged: Collection[str],
) -> dict[int, str]:
    """Decide which of the versions stay after all, and why. Pure."""
    kept = {one.number: "it is pinned" for one in order.versions if one.number in pins}
    if order.even_last:
        return kept
    going = [one for one in order.versions if one.number not in kept]
    named = {snapshot_id for one in going for snapshot_id in snapshots_of(one, listing)}
    good = {snapshot_id for snapshot_id, _ in listing.readable if snapshot_id not in damaged}
    if good and good <= named:
        last = max(one.number for one in going if good.intersection(snapshots_of(one, listing)))
        kept[last] = "it is the last good one"
    return kept


def snapshots_of(version: NamedVersion, listing: SnapshotListing) -> list[str]:
    """List the snapshots that are this version: also what a stock client has made of it."""
    found = [
        snapshot_id
        for snapshot_id, document in listing.readable
        if version.snapshot_id in {snapshot_id, document.original}
    ]
    broken = (one.snapshot_id for one in listing.unreadable)
    return [*found, *(one for one in broken if one == version.snapshot_id)]


def _forget(
    held: HeldRepository, order: ForgetVersions, _: Cancelled
) -> tuple[dict[int, str], tuple[LockedVersion, ...]]:
    listing = held.repository.list_snapshots()
    damaged = {one.snapshot_id for one in known_damage(held.shelf)}
    kept = staying(order, listing, pins=held.shelf.pins(), damaged=damaged)
    locked: list[LockedVersion] = []
    for version in order.versions:
        if version.number not in kept:
            try:
                forget(held.repository, held.lock, snapshots_of(version, listing))
            except ObjectRetainedError as error:
                kept[version.number] = str(error)
                if error.until is not None:
                    locked.append(LockedVersion(number=version.number, until=error.until))
    return kept, tuple(locked)
