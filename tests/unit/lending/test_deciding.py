"""Which requests for a key are granted: those of a step that the planner has given to who asks."""

import pytest
from msgspec.structs import replace

from appshield.contracts.lending import BorrowKey
from appshield.contracts.runs import Run
from appshield.lending.deciding import refusal
from lending_scene import BANK, ELSEWHERE, NODE, SHOP, STORE, run_of

RUN = run_of(SHOP)
ASKED = BorrowKey(
    app=RUN.app,
    service="uploader",
    node=NODE,
    request_id="q",
    run=RUN.id,
    step=STORE,
    attempt=1,
    epoch=3,
    app_id=SHOP,
    vault="main",
    public_key=bytes(32),
)


def with_step(**changes: object) -> Run:
    return replace(RUN, steps=(replace(RUN.steps[0], **changes),))


def test_the_step_that_is_under_way_there_is_lent_its_key() -> None:
    """Nothing speaks against it."""
    assert refusal(RUN, ASKED) == ""


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (None, "the run is unknown"),
        (replace(RUN, state="cancelled"), "the run has cancelled"),
        (replace(RUN, state="succeeded"), "the run has succeeded"),
        (replace(RUN, steps=()), "the run has no such step"),
        (with_step(state="done"), "the step is done"),
        (with_step(attempt=2), "attempt 2 of epoch 3 is under way"),
        (with_step(epoch=4), "attempt 1 of epoch 4 is under way"),
        (with_step(node=""), f"step {STORE} was not given to the uploader of node {NODE}"),
        (with_step(node=ELSEWHERE), f"step {STORE} was not given to the uploader of node {NODE}"),
        (
            replace(run_of(BANK), id=RUN.id),
            f"the run is about another repository than {SHOP} in Vault main",
        ),
        (replace(RUN, vault="b"), f"the run is about another repository than {SHOP} in Vault main"),
    ],
)
def test_what_the_run_on_record_does_not_say_is_not_lent(run: Run | None, why: str) -> None:
    """Neither after its end, nor elsewhere, nor for another application."""
    assert refusal(run, ASKED) == why


def test_an_agent_of_one_service_is_not_lent_what_another_service_does() -> None:
    """Both are on the node; each has its own steps."""
    assert "not given to the restorer" in refusal(RUN, replace(ASKED, service="restorer"))
    loading = run_of(SHOP, step="load/data")
    asked = replace(ASKED, step="load/data", service="restorer")
    assert refusal(loading, asked) == ""
    assert "not given to the uploader" in refusal(loading, replace(asked, service="uploader"))
