"""When a snapshot was cut, told from lists of the cluster's objects."""

from typing import Any

import pytest

from appshield.errors import NotFoundError
from appshield.local.demo.cutting import SeenSnapshots
from appshield.local.demo.facts import Cut


def snapshot(uid: str, claim: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "spec": {"source": {"persistentVolumeClaimName": claim}}}


def content(uid: str, created_ns: int | None) -> dict[str, Any]:
    status = {} if created_ns is None else {"creationTime": created_ns}
    return {"spec": {"volumeSnapshotRef": {"uid": uid}}, "status": status}


def test_a_cut_lies_between_the_last_list_without_it_and_its_creation() -> None:
    """Nanoseconds of the driver become seconds of the wall clock."""
    seen = SeenSnapshots(known=set())
    seen.note_snapshots([], last_asked_s=1.0)
    seen.note_snapshots([snapshot("u", "data")], last_asked_s=2.0)
    seen.note_snapshots([snapshot("u", "data")], last_asked_s=3.0)
    assert seen.waiting()
    seen.note_contents([content("u", None), content("other", 1)])
    assert seen.waiting()
    seen.note_contents([content("u", 3_500_000_000)])
    assert not seen.waiting()
    assert seen.cut_of("data") == Cut(not_before_s=2.0, not_after_s=3.5)


def test_snapshots_that_were_there_before_do_not_count() -> None:
    """Another backup's leftovers are not this one's cut."""
    seen = SeenSnapshots(known={"old"})
    seen.note_snapshots([snapshot("old", "data")], last_asked_s=2.0)
    assert not seen.waiting()
    with pytest.raises(NotFoundError, match="claim data"):
        seen.cut_of("data")


def test_a_second_snapshot_of_a_claim_widens_the_interval() -> None:
    """After a retried step nobody outside knows which of both the version is made of."""
    seen = SeenSnapshots(known=set())
    seen.note_snapshots([snapshot("a", "data")], last_asked_s=2.0)
    seen.note_snapshots([snapshot("b", "data")], last_asked_s=5.0)
    seen.note_contents([content("a", 3_000_000_000), content("b", 6_000_000_000)])
    assert seen.cut_of("data") == Cut(not_before_s=2.0, not_after_s=6.0)
