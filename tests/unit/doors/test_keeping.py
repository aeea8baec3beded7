"""`versions --why`: each version in each of its Vaults, with its reasons there."""

from datetime import UTC, datetime, timedelta

from appshield.contracts.applications import ApplicationRecord, Keep, Protection
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.contracts.identities import AppRef
from appshield.doors.keeping import Kept, kept_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
APP = AppRef(cluster="test", namespace="shop", name="shop")
RULE = Protection(
    name="nightly",
    trigger="schedule",
    schedule="0 2 * * *",
    keep=Keep(last=1),
    keep_in={"offsite": Keep(last=2)},
)
RECORD = ApplicationRecord(
    app_id="a-1", app=APP, uid="u", vault="primary", state="active", protections=(RULE,)
)


def version(number: int) -> VersionRecord:
    cut_at = NOW - timedelta(days=10 - number)
    facts = VersionFacts(
        app=APP,
        app_id="a-1",
        uid="u",
        number=number,
        run=f"b-{number}",
        revision="r",
        consistency="crash-group",
        cut_at=cut_at,
        trigger="schedule",
        trigger_name="nightly",
    )
    copy = VersionCopy(vault="offsite", state="stored", snapshot_id=f"o-{number}")
    return VersionRecord(
        facts=facts, snapshot_id=f"s-{number}", vault="primary", stored_at=cut_at, copies=(copy,)
    )


def reasons(found: Kept) -> tuple[int, str, tuple[str, ...]]:
    return found.version, found.vault, found.reasons


def test_a_version_may_stay_in_one_vault_and_go_in_another() -> None:
    """Each Vault has its own rule; without a reason it goes with the next upkeep."""
    found = list(kept_of(RECORD, [version(1), version(2)], NOW))
    assert [reasons(one) for one in found] == [
        (1, "primary", ()),
        (1, "offsite", ("nightly: last 2 of 2",)),
        (2, "primary", ("nightly: last good", "nightly: last 1 of 1")),
        (2, "offsite", ("nightly: last good", "nightly: last 1 of 2")),
    ]
