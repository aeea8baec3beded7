"""Vaults as the catalog knows them: what is in each, how it grew, whether it is whole. Pure."""

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
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


class VaultTally:
    """What the catalog knows of one Vault, summed up version by version.

    It keeps a little for each history and each day and nothing for each version: a catalog may hold
    hundreds of thousands.
    """

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}
        self._days: dict[date, _Came] = {}
        self._last_stored_at: datetime | None = None

    def add(self, version: VersionRecord) -> None:
        """Take one version, as it is in this Vault (`VersionRecord.at`)."""
        history = self._histories.setdefault(version.facts.app_id, _History())
        history.versions += 1
        history.verified += version.verified_at is not None
        if version.damage is not None:
            history.damaged.append(version.facts.number)
        came = self._days.setdefault(version.stored_at.date(), _Came())
        came.versions += 1
        came.read_bytes += sum(source.bytes_read for source in version.facts.sources)
        came.stored_bytes += sum(source.bytes_stored for source in version.facts.sources)
        self._last_stored_at = max(self._last_stored_at or version.stored_at, version.stored_at)

    @property
    def histories(self) -> frozenset[str]:
        """The histories that have versions here."""
        return frozenset(self._histories)

    def contents(self) -> VaultContents:
        """Sum up all versions."""
        return VaultContents(
            applications=len(self._histories),
            versions=sum(one.versions for one in self._histories.values()),
            read_bytes=sum(came.read_bytes for came in self._days.values()),
            last_stored_at=self._last_stored_at,
            damaged_versions=sum(len(one.damaged) for one in self._histories.values()),
        )

    def growth(self) -> list[GrowthPoint]:
        """Return how the Vault grew, a point for each day on which something came."""
        points: list[GrowthPoint] = []
        total = _Came()
        for day, came in sorted(self._days.items()):
            total.versions += came.versions
            total.read_bytes += came.read_bytes
            total.stored_bytes += came.stored_bytes
            points.append(
                GrowthPoint(
                    day=day,
                    versions=total.versions,
                    read_bytes=total.read_bytes,
                    stored_bytes=total.stored_bytes,
                )
            )
        return points

    def integrity(self, vault: str, records: Iterable[ApplicationRecord]) -> list[Integrity]:
        """Return how the repository of each of these applications is in the Vault."""
        found = []
        for record in records:
            upkeep = next((one for one in record.upkeep if one.vault == vault), None)
            here = self._histories.get(record.app_id)
            if upkeep is None and here is None:
                continue
            here = here or _History()
            found.append(
                Integrity(
                    namespace=record.app.namespace,
                    name=record.app.name,
                    history=record.app_id,
                    versions=here.versions,
                    verified_versions=here.verified,
                    damaged_versions=tuple(sorted(here.damaged)),
                    checked_at=upkeep.checked_at if upkeep else None,
                    pruned_at=upkeep.pruned_at if upkeep else None,
                    problems=upkeep.problems if upkeep else (),
                )
            )
        return found


async def tallies_of(versions: AsyncIterable[VersionRecord]) -> dict[str, VaultTally]:
    """Sum up a catalog, for each Vault that holds something."""
    tallies: dict[str, VaultTally] = {}
    async for version in versions:
        for vault in version.vaults:
            there = version.at(vault)
            if there is not None:
                tallies.setdefault(vault, VaultTally()).add(there)
    return tallies


@dataclass(slots=True)
class _History:
    versions: int = 0
    verified: int = 0
    damaged: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Came:
    versions: int = 0
    read_bytes: int = 0
    stored_bytes: int = 0
