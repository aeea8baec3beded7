"""Vaults as the catalog knows them: what is in each, how it grew, whether it is whole. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord


class VaultContents(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog knows to be in a Vault.

    `read_bytes` are what all versions hold, each counted whole; `damaged_versions` are those of
    which something could not be read.
    """

    applications: int
    versions: int
    read_bytes: int
    last_stored_at: datetime | None
    damaged_versions: int


class GrowthPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What had come into a Vault until the end of a day, of the versions that are there today.

    `stored_bytes` were new when the versions were made, `read_bytes` are all that they hold.
    """

    day: date
    versions: int
    read_bytes: int
    stored_bytes: int


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """How the repository of an application in a Vault is, by the last checks."""

    namespace: str
    name: str
    history: str
    versions: int
    verified_versions: int
    damaged_versions: tuple[int, ...]
    checked_at: datetime | None
    pruned_at: datetime | None
    problems: tuple[str, ...]


def contents_of(versions: Sequence[VersionRecord]) -> VaultContents:
    """Sum up the versions of a Vault, as they are there."""
    return VaultContents(
        applications=len({one.facts.app_id for one in versions}),
        versions=len(versions),
        read_bytes=sum(map(_read_bytes, versions)),
        last_stored_at=max((one.stored_at for one in versions), default=None),
        damaged_versions=sum(one.damage is not None for one in versions),
    )


def growth_of(versions: Iterable[VersionRecord]) -> list[GrowthPoint]:
    """Return how a Vault grew, a point for each day on which something came."""
    points: list[GrowthPoint] = []
    read_bytes = stored_bytes = 0
    ordered = sorted(versions, key=lambda version: version.stored_at)
    for count, one in enumerate(ordered, start=1):
        read_bytes += _read_bytes(one)
        stored_bytes += sum(source.bytes_stored for source in one.facts.sources)
        point = GrowthPoint(
            day=one.stored_at.date(),
            versions=count,
            read_bytes=read_bytes,
            stored_bytes=stored_bytes,
        )
        if points and points[-1].day == point.day:
            points[-1] = point
        else:
            points.append(point)
    return points


def integrity_of(
    vault: str,
    records: Iterable[ApplicationRecord],
    versions: Mapping[str, Sequence[VersionRecord]],
) -> list[Integrity]:
    """Return how each application's repository is; `versions` are those of a history there."""
    found = []
    for record in records:
        upkeep = next((one for one in record.upkeep if one.vault == vault), None)
        here = versions.get(record.app_id, ())
        if upkeep is None and not here:
            continue
        found.append(
            Integrity(
                namespace=record.app.namespace,
                name=record.app.name,
                history=record.app_id,
                versions=len(here),
                verified_versions=sum(one.verified_at is not None for one in here),
                damaged_versions=tuple(one.facts.number for one in here if one.damage is not None),
                checked_at=upkeep.checked_at if upkeep else None,
                pruned_at=upkeep.pruned_at if upkeep else None,
                problems=upkeep.problems if upkeep else (),
            )
        )
    return found


def _read_bytes(version: VersionRecord) -> int:
    return sum(source.bytes_read for source in version.facts.sources)
