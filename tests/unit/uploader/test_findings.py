"""What checks have found, sorted by version: what is added to it, and what takes it back."""

from datetime import UTC, datetime

from appshield.contracts.maintenance import VersionDamage
from appshield.repository import (
    Finding,
    SnapshotDocument,
    SnapshotListing,
    UnreadableSnapshot,
)
from appshield.uploader.findings import (
    PATHS_TOLD_MAX,
    THE_DOCUMENT,
    beside_versions,
    damage_of,
    joined,
    numbers_of,
)

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
NUMBERS = {"s-1": 1, "s-2": 2, "s-9": 0}


def document(*tags: str) -> SnapshotDocument:
    return SnapshotDocument(time=AT, tree="00" * 32, paths=("/shop/shop",), tags=tags)


def lost(snapshot_id: str, path: bytes) -> Finding:
    return Finding(f"snapshots/{snapshot_id}", "gone", snapshot_id, path)


def damage(number: int, *paths: str) -> VersionDamage:
    return VersionDamage(
        number=number, snapshot_id=f"s-{number}", paths=paths, paths_total=len(paths)
    )


def test_versions_are_known_by_their_tag() -> None:
    """One that cannot be read has no number of its own."""
    listing = SnapshotListing(
        (("s-1", document("appshield:version=1", "mine")), ("s-3", document())),
        (UnreadableSnapshot("s-9", "damaged"),),
    )
    assert numbers_of(listing) == {"s-1": 1, "s-3": 0, "s-9": 0}


def test_what_a_version_lost_and_what_is_wrong_beside_are_told_apart() -> None:
    """A damaged document is the damage of its own version."""
    findings = [
        lost("s-1", b"volumes/data/a"),
        lost("s-1", b"volumes/data/\xff"),
        Finding("snapshots/s-9", "does not verify"),
        Finding("data/aa/aabb", "pack aabb is missing"),
    ]
    assert damage_of(findings, NUMBERS) == (
        VersionDamage(
            number=1,
            snapshot_id="s-1",
            paths=("volumes/data/\\xff", "volumes/data/a"),
            paths_total=2,
        ),
        VersionDamage(number=0, snapshot_id="s-9", paths=(THE_DOCUMENT,), paths_total=1),
    )
    assert beside_versions(findings) == ["data/aa/aabb: pack aabb is missing"]


def test_a_check_of_a_part_adds_to_what_is_known_of_versions_that_exist() -> None:
    """What was forgotten meanwhile is damaged no more."""
    before = [damage(1, "a"), damage(4, "gone with its version")]
    now = [damage(1, "b"), damage(2, "c")]
    assert joined(before, now, NUMBERS) == (damage(1, "a", "b"), damage(2, "c"))


def test_of_much_damage_a_part_is_told_and_all_is_counted() -> None:
    """However many files there are, the record stays small."""
    [found] = damage_of([lost("s-1", b"f%03d" % number) for number in range(500)], NUMBERS)
    assert (len(found.paths), found.paths_total) == (PATHS_TOLD_MAX, 500)
    [kept] = joined([found], [damage(1, "z")], NUMBERS)
    assert (len(kept.paths), kept.paths_total) == (PATHS_TOLD_MAX, 500)
