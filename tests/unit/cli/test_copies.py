"""What the command line says about copies."""

from datetime import UTC, datetime

import pytest

from appshield.cli.applications import Copies, copies_of
from appshield.cli.versions import _row, _say_version
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import CopyState, VersionCopy, VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import VersionDamage
from appshield.contracts.runs import Failure

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAMAGE = VersionDamage(number=1, snapshot_id="s", paths=("volumes/data/a",), paths_total=1)
WHY = Failure(what="the store cannot be reached", next_step="Look at it.")


def version(*states: CopyState, damage: VersionDamage | None = None) -> VersionRecord:
    """Give a version whose copies stand like that, in the Vaults b, c and so on."""
    copies = tuple(
        VersionCopy(
            vault=vault,
            state=state,
            snapshot_id=f"snapshot-in-{vault}" if state == "stored" else "",
            stored_at=AT,
            run="c-1",
            attempts=2 if state == "failed" else 0,
            failure=WHY if state == "failed" else None,
            again_at=AT if state == "failed" else None,
        )
        for vault, state in zip("bcdefg", states, strict=False)
    )
    facts = VersionFacts(
        app=AppRef(cluster="test", namespace="shop", name="shop"),
        app_id="a-1",
        uid="uid-1",
        number=1,
        run="b-1",
        revision="r1",
        consistency="crash-group",
        cut_at=AT,
        trigger="manual",
    )
    return VersionRecord(
        facts=facts,
        snapshot_id="snapshot-in-a",
        vault="a",
        stored_at=AT,
        copies=copies,
        damage=damage,
    )


def test_the_list_of_versions_shows_where_each_one_is_and_what_waits() -> None:
    """What was forgotten in a Vault is not there and is not waited for."""
    row = _row(version("stored", "copying", "failed", "pending", "forgotten"))
    assert "a, b, c (copying), d (failed), e (pending)" in row


@pytest.mark.parametrize(
    ("found", "mark"),
    [
        (version("stored", damage=DAMAGE), "damaged in a"),
        (version("failed", damage=DAMAGE), "damaged"),
        (version("stored"), ""),
    ],
)
def test_the_list_of_versions_says_in_which_vaults_one_is_damaged(
    found: VersionRecord, mark: str
) -> None:
    """Plainly where no good copy is."""
    assert _row(found)[-1] == mark


def test_a_version_is_shown_with_all_its_vaults(capsys: pytest.CaptureFixture[str]) -> None:
    """What each calls it, and why a copy is not there."""
    _say_version(version("stored", "failed", "copying", damage=DAMAGE))
    said = capsys.readouterr().out
    for text in (
        "snapshot-in-a",
        "snapshot-in-b",
        "tried 2 times: the store cannot be reached; again at",
        "run c-1",
        "damaged in a: volumes/data/a",
    ):
        assert text in said


def test_the_status_counts_copies_and_says_why_the_newest_failed() -> None:
    """One line for each further Vault."""
    found = list(copies_of([version("stored", "failed"), version("pending", "stored")]))
    assert found == [
        Copies(vault="b", stored=1, waiting=1, failed=0),
        Copies(vault="c", stored=1, waiting=0, failed=1, failure=str(WHY)),
    ]
