"""What `run RUN` says about approval: only what somebody can still do about it."""

from datetime import UTC, datetime

import pytest

from appshield.cli.runs import approval_text
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Approval, Run, RunState, Trigger

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def restore(state: RunState, approval: Approval | None = None) -> Run:
    return Run(
        id="r-1",
        kind="restore",
        app=AppRef(cluster="c", namespace="shop", name="web"),
        app_id="a-1",
        vault="primary",
        trigger=Trigger(kind="manual", identity="request/1"),
        state=state,
        epoch=1,
        requested_at=AT,
        needs_approval=True,
        approval=approval,
    )


def test_a_run_that_waits_for_approval_says_how_to_give_it() -> None:
    assert approval_text(restore("awaiting-approval")) == "nobody yet: `appshield approve r-1`"


@pytest.mark.parametrize("state", ["cancelled", "failed", "folded"])
def test_a_run_that_has_ended_without_approval_asks_nobody_for_it(state: RunState) -> None:
    assert approval_text(restore(state)) == ""


def test_a_run_that_was_approved_says_by_whom() -> None:
    assert approval_text(restore("succeeded", Approval(actor="eve", at=AT))).startswith(
        "eve at 2026-"
    )
