"""What an AdmissionReview asks, and what is no AdmissionReview."""

import json
from typing import Any

import msgspec
import pytest

from admission_reviews import deployment, review, rollout
from appshield.errors import InvalidInputError
from appshield.gateway.reviewing import (
    Answer,
    glass_broken,
    operation_of,
    read_review,
    write_answer,
)

OURS: dict[str, Any] = {"labels": {"app.kubernetes.io/managed-by": "appshield"}}


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        (rollout(), "rollout"),
        (review("UPDATE", deployment(), deployment(replicas=9)), None),
        (review("UPDATE", deployment(), deployment(annotations={"a": "b"})), None),
        (review("DELETE", deployment()), "delete"),
        (review("CREATE", deployment(), deployment()), None),
        (review("DELETE", deployment(**OURS)), None),
        (review("DELETE", deployment(deletionTimestamp="2026-01-02T00:00:00Z")), None),
        (rollout(subResource="status"), None),
    ],
)
def test_only_new_templates_and_deletes_are_held(body: bytes, operation: str | None) -> None:
    """Scaling, annotations, status, what goes already and what is AppShield's own are not."""
    assert operation_of(read_review(body)) == operation


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
        rollout().replace(b"admission.k8s.io/v1", b"admission.k8s.io/v2"),
        rollout().replace(b'"UPDATE"', b'"STEAL"'),
        b"[" * 100_000,
    ],
)
def test_anything_else_is_refused_in_words(body: bytes) -> None:
    """No review, no answer."""
    with pytest.raises(InvalidInputError, match="no AdmissionReview"):
        read_review(body)


def test_the_glass_is_broken_by_what_the_change_says() -> None:
    """On an update by the object as it shall be, on a delete by the one that goes."""
    broken: dict[str, Any] = {"annotations": {"appshield.io/break-glass": "incident 17"}}
    asked = review("UPDATE", deployment(), deployment("blue", **broken))
    assert glass_broken(read_review(asked)) == "incident 17"
    assert glass_broken(read_review(review("DELETE", deployment(**broken)))) == "incident 17"
    assert glass_broken(read_review(rollout())) == ""
    empty: dict[str, Any] = {"annotations": {"appshield.io/break-glass": "  "}}
    assert glass_broken(read_review(review("DELETE", deployment(**empty)))) == ""


def test_a_refusal_asks_clients_to_try_again() -> None:
    """By the status that clients of Kubernetes wait and retry on."""
    request = read_review(rollout())
    written = json.loads(write_answer(request, Answer(allowed=False, why="not yet")))
    assert written["response"]["uid"] == request.uid
    assert written["response"]["allowed"] is False
    assert written["response"]["status"] == {
        "code": 429,
        "reason": "TooManyRequests",
        "message": "not yet",
        "details": {"retryAfterSeconds": 2},
    }
    passed = msgspec.json.decode(write_answer(request, Answer(allowed=True)))
    assert passed["response"] == {"uid": request.uid, "allowed": True}
