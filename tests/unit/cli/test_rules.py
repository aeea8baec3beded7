"""What `status` says of a rule: what starts its backups, what holds them back, what it keeps."""

import pytest

from appshield.cli.rules import rule_text
from appshield.contracts.applications import Blackout, Keep, Protection, Rate


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Protection(name="r", trigger="manual"), "manual"),
        (Protection(name="r", trigger="rpo", rpo_s=5400), "rpo 1h30m"),
        (
            Protection(name="r", trigger="schedule", schedule="30 2 * * *", jitter_s=600),
            "schedule 30 2 * * * (UTC), up to 10m later",
        ),
        (
            Protection(
                name="r",
                trigger="change",
                change_of=("deployments", "secrets"),
                when="new.spec != old.spec",
                settle_s=20,
                at_most=Rate(count=2, window_s=600),
                blackout=(Blackout(schedule="0 8 * * *", lasts_s=3600),),
            ),
            (
                "change of deployments, secrets when new.spec != old.spec, settled for 20s, "
                "at most 2 in 10m, never from 0 8 * * * (UTC) for 1h"
            ),
        ),
        (
            Protection(name="r", trigger="signal", signal="deployed", keep=Keep(last=3, daily=7)),
            "signal deployed, keeps 3 last, 7 daily",
        ),
        (Protection(name="r", trigger="health", health="Degraded"), "health Degraded"),
        (
            Protection(
                name="r",
                trigger="gate",
                before=("rollout", "delete"),
                keep_in={"offsite": Keep(within_s=86400)},
            ),
            "gate before rollout and delete, keeps within 1d in offsite",
        ),
    ],
)
def test_a_rule_is_written_with_what_its_document_says(rule: Protection, text: str) -> None:
    assert rule_text(rule) == text
