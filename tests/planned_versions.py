"""Versions of one application, made one a day by a rule or by hand, for tests of decisions."""

from datetime import UTC, datetime, timedelta

from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.contracts.maintenance import VersionDamage
from planner_world import APP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def version(
    number: int, *copies: VersionCopy, rule: str = "", damaged: bool = False
) -> VersionRecord:
    """Give a version that exists in the Vault `primary`; by hand without a rule."""
    at = NOW - timedelta(days=100 - number)
    facts = VersionFacts(
        app=APP,
        app_id="a-1",
        uid="uid-1",
        number=number,
        run=f"b-{number}",
        revision="r1",
        consistency="crash-group",
        cut_at=at,
        trigger="schedule" if rule else "manual",
        trigger_name=rule,
    )
    damage = VersionDamage(number=number, snapshot_id=f"s-{number}", paths=("a",), paths_total=1)
    return VersionRecord(
        facts=facts,
        snapshot_id=f"s-{number}",
        vault="primary",
        stored_at=at,
        copies=copies,
        damage=damage if damaged else None,
    )
