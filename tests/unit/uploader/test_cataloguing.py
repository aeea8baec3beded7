"""A long history is told in parts that the bus can carry."""

from datetime import UTC, datetime

import msgspec
import pytest

from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import ApplicationFound, VersionRecord
from appshield.contracts.identities import AppRef
from appshield.uploader.cataloguing import parts_of

APP = AppRef(cluster="test", namespace="shop", name="shop")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def version(number: int) -> VersionRecord:
    facts = VersionFacts(
        app=APP,
        app_id="a-1",
        uid="uid-1",
        number=number,
        run=f"b-{number}",
        revision="r1",
        consistency="crash-group",
        cut_at=AT,
        trigger="manual",
    )
    return VersionRecord(facts=facts, snapshot_id=f"s-{number}", vault="primary", stored_at=AT)


def found(*numbers: int) -> ApplicationFound:
    return ApplicationFound(
        app=APP,
        run="c-1",
        step="rebuild",
        attempt=1,
        app_id="a-1",
        uid="uid-1",
        vault="primary",
        highest_version=99,
        versions=tuple(version(number) for number in numbers),
    )


@pytest.mark.parametrize("numbers", [(), (1,), (3, 4, 7)])
def test_a_short_history_is_one_part_without_an_end(numbers: tuple[int, ...]) -> None:
    """It says what there is and that there is nothing else."""
    [part] = parts_of(found(*numbers))
    assert part == found(*numbers)
    assert all(part.covers(number) for number in (1, 5, 1_000_000))


def test_parts_fit_and_cover_every_number_once() -> None:
    """Whatever a gap holds belongs to exactly one of them, so that what is gone is removed."""
    numbers = tuple(range(1, 400, 3))
    bytes_max = 20_000
    parts = parts_of(found(*numbers), bytes_max)
    assert len(parts) > 2
    assert all(len(msgspec.json.encode(part)) < bytes_max + 1_000 for part in parts)
    assert [v.facts.number for part in parts for v in part.versions] == list(numbers)
    assert len({part.message_id() for part in parts}) == len(parts)
    for number in range(500):
        assert sum(part.covers(number) for part in parts) == 1


def test_a_version_larger_than_a_part_is_a_part_of_its_own() -> None:
    """No part is empty."""
    parts = parts_of(found(1, 2, 3), 10)
    assert [[v.facts.number for v in part.versions] for part in parts] == [[1], [2], [3]]
