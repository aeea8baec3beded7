"""What checks have found, per version: pure decisions, and the record of it beside the repository.

The record outlives the bus. A check that reads a part of the data can only add to it, as it has not
seen the rest again; a check that reads everything replaces it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from appshield.contracts.maintenance import VersionDamage
from appshield.errors import DamagedError
from appshield.repository import Finding, SnapshotListing
from appshield.vault import ApplicationShelf

PATHS_TOLD_MAX = 20
THE_DOCUMENT = "(the version's own document)"
_SNAPSHOTS = "snapshots/"
_VERSION_TAG = "appshield:version="


class CheckRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known to be damaged since the check at `checked_at`."""

    checked_at: datetime
    damage: tuple[VersionDamage, ...] = ()


def known_damage(shelf: ApplicationShelf) -> tuple[VersionDamage, ...]:
    """Return what earlier checks have found."""
    content = shelf.last_check()
    if content is None:
        return ()
    try:
        return msgspec.json.decode(content, type=CheckRecord).damage
    except msgspec.MsgspecError as error:
        raise DamagedError("the record of the last check cannot be read", why=str(error)) from error


def remember(shelf: ApplicationShelf, damage: tuple[VersionDamage, ...], at: datetime) -> None:
    """Record what is damaged now."""
    record = CheckRecord(checked_at=at, damage=damage)
    shelf.write_check(msgspec.json.encode(record))


def numbers_of(listing: SnapshotListing) -> dict[str, int]:
    """Return the version number of each snapshot; 0 where it cannot be read or has none."""
    numbers = {one.snapshot_id: 0 for one in listing.unreadable}
    for snapshot_id, document in listing.readable:
        tags = (tag.removeprefix(_VERSION_TAG) for tag in document.tags if _is_number(tag))
        numbers[snapshot_id] = max(map(int, tags), default=0)
    return numbers


def damage_of(findings: Iterable[Finding], numbers: Mapping[str, int]) -> tuple[VersionDamage, ...]:
    """Sort findings by version; what belongs to none is left out."""
    paths: dict[str, set[str]] = {}
    for finding in findings:
        snapshot_id = finding.snapshot_id or _document(finding.file)
        if snapshot_id in numbers:
            path = finding.path.decode("utf-8", "backslashreplace")
            paths.setdefault(snapshot_id, set()).add(path or THE_DOCUMENT)
    return tuple(_told(identity, numbers[identity], found) for identity, found in paths.items())


def beside_versions(findings: Iterable[Finding]) -> list[str]:
    """Write the findings that are about no version in particular."""
    return [
        str(finding)
        for finding in findings
        if not finding.snapshot_id and not _document(finding.file)
    ]


def joined(
    before: Iterable[VersionDamage], now: Iterable[VersionDamage], existing: Mapping[str, int]
) -> tuple[VersionDamage, ...]:
    """Add what is known to what was found, of versions that still exist; ordered by version."""
    known: dict[str, VersionDamage] = {}
    for one in (*before, *now):
        if one.snapshot_id not in existing:
            continue
        other = known.get(one.snapshot_id, one)
        paths = tuple(sorted({*one.paths, *other.paths}))
        known[one.snapshot_id] = VersionDamage(
            number=existing[one.snapshot_id] or one.number,
            snapshot_id=one.snapshot_id,
            paths=paths[:PATHS_TOLD_MAX],
            paths_total=max(one.paths_total, other.paths_total, len(paths)),
        )
    return tuple(sorted(known.values(), key=lambda one: (one.number, one.snapshot_id)))


def _told(snapshot_id: str, number: int, paths: set[str]) -> VersionDamage:
    return VersionDamage(
        number=number,
        snapshot_id=snapshot_id,
        paths=tuple(sorted(paths)[:PATHS_TOLD_MAX]),
        paths_total=len(paths),
    )


def _document(file: str) -> str:
    return file.removeprefix(_SNAPSHOTS) if file.startswith(_SNAPSHOTS) else ""


def _is_number(tag: str) -> bool:
    return tag.startswith(_VERSION_TAG) and tag.removeprefix(_VERSION_TAG).isdecimal()
