"""What is applied is waited for until AppShield works by it, and not for what only follows."""

from datetime import UTC, datetime

import pytest

from appshield.cli import applying
from appshield.contracts.policies import PolicyRecord, policy_place
from appshield.contracts.streams import POLICIES
from appshield.errors import DeadlineError
from appshield.kubernetes import Object
from appshield.language.object_reading import read_object
from appshield.language.resolving import revision
from memory_bus import MemoryBus

POLICY: Object = {
    "apiVersion": "appshield.io/v1alpha1",
    "kind": "Policy",
    "metadata": {"name": "gold", "uid": "u-1", "generation": 1},
    "spec": {"match": "true", "alerts": {"rto": "30m"}},
}
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


async def waited_for(*, in_force: bool, settled: bool) -> None:
    bucket = MemoryBus("operator").bucket(POLICIES, PolicyRecord)
    record = PolicyRecord(
        app=policy_place("test", "gold"),
        uid="u-1",
        generation=1,
        revision=revision(read_object(POLICY).spec),
        in_force_since=NOW if in_force else None,
        settled=settled,
    )
    await bucket.put("test.gold", record)
    await applying._known(bucket, "test", POLICY)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "_KNOWN_WITHIN_S", 0.05)
    monkeypatch.setattr(applying, "_SETTLED_WITHIN_S", 0.01)


async def test_a_policy_in_force_is_applied_though_records_follow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who reads the applications next is told that they may not show it yet."""
    await waited_for(in_force=True, settled=False)
    assert "is in force; what is shown of the applications" in capsys.readouterr().err


async def test_nothing_is_said_where_all_is_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to wait or look then."""
    await waited_for(in_force=True, settled=True)
    assert capsys.readouterr().err == ""


async def test_a_policy_that_nothing_works_by_is_not_applied() -> None:
    """It is an error, with what to look at."""
    with pytest.raises(DeadlineError, match="was not taken up"):
        await waited_for(in_force=False, settled=False)
