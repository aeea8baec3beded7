"""While a document is refused, the last one that was accepted stays in force."""

import json

import pytest

from appshield.language.in_force import IN_FORCE, document_in_force, spec_in_force
from appshield.language.problems import DocumentError

GOOD = {"type": "web", "protect": [{"name": "a", "true": {"manual": True}}]}
BETTER = {"type": "database/postgresql"}
BAD = {"type": "web", "protct": []}


def application(spec: object, kept: str = "") -> dict[str, object]:
    obj: dict[str, object] = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "u"},
        "spec": spec,
    }
    return obj | ({"status": {IN_FORCE: kept}} if kept else {})


def test_an_accepted_document_is_in_force_whatever_was_before() -> None:
    """It replaces what is kept."""
    newest = application(BETTER, json.dumps(GOOD))
    document, read = document_in_force(newest)
    assert (document, read.spec.type) == (newest, "database/postgresql")
    assert json.loads(spec_in_force(newest)) == BETTER


def test_a_refused_document_leaves_the_last_accepted_one() -> None:
    """Also one that was written in the way of YAML 1.1; metadata are the newest."""
    kept = spec_in_force(application(GOOD))
    document, read = document_in_force(application(BAD, kept))
    assert document["spec"] == GOOD
    assert read.spec.protect[0].name == "a"
    assert spec_in_force(application(BAD, kept)) == kept


def test_a_document_that_was_never_accepted_is_refused_with_its_problems() -> None:
    """There is nothing to fall back on."""
    with pytest.raises(DocumentError, match=r"spec\.protct"):
        document_in_force(application(BAD))
    assert spec_in_force(application(BAD)) == ""


def test_what_is_kept_and_would_be_refused_today_is_not_in_force() -> None:
    """After an upgrade the rules may have become stricter."""
    with pytest.raises(DocumentError, match=r"spec\.protct"):
        document_in_force(application(BAD, json.dumps(BAD)))
