"""What is put on a Backup or Restore as it is written: who writes it, or who did before."""

import base64
import json
from typing import Any

import pytest

from admission_reviews import review
from appshield.gateway.requesting import write_requester
from appshield.gateway.reviewing import read_review
from appshield.language.requesters import REQUESTED_BY, REQUESTED_GROUPS, RUN_ANYWAY

ANNA = {REQUESTED_BY: "anna", REQUESTED_GROUPS: "system:authenticated"}
BOB = {REQUESTED_BY: "bob", REQUESTED_GROUPS: "sales"}
ANYWAY = {RUN_ANYWAY: "true"}
OTHER = {"any": "other"}

Annotations = dict[str, str] | None


def _wish(annotations: Annotations) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "w", "namespace": "shop"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"apiVersion": "appshield.io/v1alpha1", "kind": "Restore", "metadata": metadata}


def _after(before: Annotations, written: Annotations, operation: str = "UPDATE") -> Annotations:
    """Give the annotations that anna's write has when the patch is applied."""
    old = None if operation == "CREATE" else _wish(before)
    body = review(operation, _wish(before), _wish(written), oldObject=old)
    answer = json.loads(write_requester(read_review(body)))["response"]
    assert answer["allowed"] is True
    found = None if written is None else dict(written)
    for change in json.loads(base64.b64decode(answer["patch"])):
        key = change["path"].removeprefix("/metadata/annotations").lstrip("/").replace("~1", "/")
        if not key:
            assert found is None or not found, "what stands there is not thrown away"
            found = dict(change["value"])
            continue
        assert found is not None, "annotations are there before one is added"
        if change["op"] == "remove":
            del found[key]
        else:
            found[key] = change["value"]
    return found


@pytest.mark.parametrize(
    ("written", "after"),
    [
        (None, ANNA),
        ({}, ANNA),
        (OTHER, OTHER | ANNA),
        (OTHER | BOB, OTHER | ANNA),
        (ANNA, ANNA),
        ({REQUESTED_GROUPS: "system:masters"}, ANNA),
    ],
)
def test_who_makes_an_object_is_written_on_it(written: Annotations, after: Annotations) -> None:
    """Also where somebody else stands there: an object that was copied."""
    assert _after(None, written, "CREATE") == after


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        (BOB, None, BOB),
        (BOB | OTHER, OTHER, OTHER | BOB),
        (BOB, ANNA, BOB),
        (None, ANNA, {}),
        (None, None, None),
    ],
)
def test_who_changes_it_leaves_who_made_it(
    before: Annotations, written: Annotations, after: Annotations
) -> None:
    """So that tools which replace a whole object do not stumble over it."""
    assert _after(before, written) == after


@pytest.mark.parametrize("before", [None, BOB, OTHER])
def test_who_has_an_old_one_done_all_the_same_asks_for_it(before: Annotations) -> None:
    """Their rights were looked at then, and theirs is the name."""
    written = (before or {}) | ANYWAY
    assert _after(before, written) == written | ANNA
