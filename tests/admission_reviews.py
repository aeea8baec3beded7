"""AdmissionReviews as an API server writes them, for tests of the gate."""

import json
from typing import Any

Object = dict[str, Any]
UID = "0d1e6c3a-0000-4000-8000-000000000001"


def deployment(colour: str = "red", *, replicas: int = 1, **metadata: Any) -> Object:
    """Return a Deployment; `metadata` adds to it or replaces."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": UID,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        },
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "main", "image": colour}]}},
        },
    }


def review(
    operation: str, old: Object, new: Object | None = None, *, user: str = "anna", **more: Any
) -> bytes:
    """Write a review; `more` adds to the request or replaces."""
    group, slash, version = old["apiVersion"].partition("/")
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {
            "group": group if slash else "",
            "version": version or group,
            "kind": old["kind"],
        },
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "operation": operation,
        "name": old["metadata"]["name"],
        "namespace": old["metadata"].get("namespace", ""),
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "UpdateOptions"},
        **more,
    }
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(document).encode()


def rollout(colour: str = "blue", **more: Any) -> bytes:
    """Write the review of another template."""
    return review("UPDATE", deployment(), deployment(colour), **more)
