"""What a restore has made is known by its mark, or by what it says."""

from typing import Any

import pytest

from appshield.restorer.marking import is_content, is_ours, is_same_content, marked

MARK = "a-1.7"


def secret(**changes: Any) -> dict[str, Any]:
    """Return a Secret as a version holds it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop", "labels": {"app": "shop"}},
        "type": "Opaque",
        "data": {"KEY": "YQ=="},
        **changes,
    }


def standing(obj: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return the object as the API server has it."""
    server = {"uid": "1", "resourceVersion": "9", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {**obj, "metadata": {**obj["metadata"], **server, **metadata}}


def test_content_bears_no_mark_and_is_known_by_what_it_says() -> None:
    """Nothing has to be written twice for it."""
    assert marked(secret(), MARK) == secret()
    assert is_same_content(secret(), standing(secret()))
    assert is_same_content(secret(), standing(secret(), labels={"app": "shop", "more": "yes"}))


@pytest.mark.parametrize(
    "other",
    [
        None,
        standing(secret(data={"KEY": "Yg=="})),
        standing(secret(type="kubernetes.io/tls")),
        standing(secret(immutable=True)),
        standing(secret(), labels={}),
    ],
)
def test_other_content_is_somebody_elses(other: dict[str, Any] | None) -> None:
    """It would have to be changed, which nobody asked for."""
    assert not is_same_content(secret(), other)


def test_all_else_bears_the_mark() -> None:
    """What acts, what belongs to another object, and what the cluster fills in by itself."""
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}}
    owned = secret(metadata={"name": "s", "ownerReferences": [{"uid": "1"}]})
    token = secret(type="kubernetes.io/service-account-token")
    for obj in (workload, owned, token):
        assert not is_content(obj)
        assert is_ours(marked(obj, MARK), MARK)
        assert not is_same_content(obj, obj)
