"""What is put on an object as it is written: who writes it, or who did before."""

import base64
import json
from typing import Any

import pytest

from admission_reviews import review
from appshield.gateway.requesting import write_requester
from appshield.gateway.reviewing import read_review
from appshield.language.requesters import REQUESTED_BY, REQUESTED_GROUPS, RUN_ANYWAY
from appshield.language.writers import WRITTEN_BY, WRITTEN_GENERATION

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
    return _patched(review(operation, _wish(before), _wish(written), oldObject=old), written)


def _patched(body: bytes, written: Annotations) -> Annotations:
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


def _policy(annotations: Annotations, match: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "gold", "generation": 3}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": metadata,
        "spec": {"match": match},
    }


ANNA_MADE_4 = {WRITTEN_BY: "anna", WRITTEN_GENERATION: "4"}
BOB_MADE_3 = {WRITTEN_BY: "bob", WRITTEN_GENERATION: "3"}


@pytest.mark.parametrize(
    ("before", "written", "match", "after"),
    [
        (BOB_MADE_3, BOB_MADE_3, "other", ANNA_MADE_4),
        (None, None, "other", ANNA_MADE_4),
        (BOB_MADE_3 | OTHER, OTHER, "other", OTHER | ANNA_MADE_4),
        (BOB_MADE_3, BOB_MADE_3 | OTHER, "same", BOB_MADE_3 | OTHER),
        (BOB_MADE_3, None, "same", BOB_MADE_3),
        (BOB_MADE_3, ANNA_MADE_4, "same", BOB_MADE_3),
        (None, BOB_MADE_3, "same", {}),
    ],
)
def test_who_makes_another_document_of_it_is_written_on_it(
    before: Annotations, written: Annotations, match: str, after: Annotations
) -> None:
    """With the generation that becomes of it; who changes a label made no other document."""
    old, new = _policy(before, "same"), _policy(written, match)
    assert _patched(review("UPDATE", old, new), written) == after


def test_a_copied_document_has_the_name_of_who_copies_it() -> None:
    """And its first generation, whatever the one that it was copied from says."""
    new = _policy(BOB_MADE_3, "same")
    body = review("CREATE", new, new, oldObject=None)
    assert _patched(body, BOB_MADE_3) == {WRITTEN_BY: "anna", WRITTEN_GENERATION: "1"}
