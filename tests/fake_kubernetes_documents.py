"""The documents that the fake API server answers with. Pure."""

from collections.abc import Callable
from typing import Any, TypeAlias

from aiohttp import web

from appshield.kubernetes import Kind, Object
from fake_kubernetes_store import WITHOUT_STATUS, merged


def discovery(served: list[Kind], root: str) -> dict[str, Any]:
    """Return the aggregated discovery of `api` (the core group) or `apis` (all others)."""
    groups: dict[str, dict[str, list[Object]]] = {}
    for kind in served:
        if bool(kind.group) == (root == "apis"):
            versions = groups.setdefault(kind.group, {})
            versions.setdefault(kind.version, []).append(_resource(kind))
    items = [
        {
            "metadata": {"name": group},
            "versions": [
                {"version": version, "resources": resources, "freshness": "Current"}
                for version, resources in versions.items()
            ],
        }
        for group, versions in groups.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": items,
    }


Form: TypeAlias = Callable[[Object], Object]


def asked_form(request: web.Request) -> Form:
    """Return what an object is turned into for a reader who may have asked for metadata only."""
    if "as=PartialObjectMetadata" not in request.headers.get("Accept", ""):
        return lambda obj: obj
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return lambda obj: {**partial, "metadata": obj["metadata"]}


def patched(kind: Kind, old: Object, patch: Object, subresource: str) -> Object:
    """Return the object after a patch, which reaches the status only through its subresource."""
    new: Object = merged(old, patch)
    if kind.plural in WITHOUT_STATUS:
        return new
    if subresource == "status":
        return {**old, "status": new.get("status", {})}
    new.pop("status", None)
    return {**new, "status": old["status"]} if "status" in old else new


def _resource(kind: Kind) -> Object:
    return {
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "verbs": ["create", "delete", "get", "list", "patch", "watch"],
    }


def bookmark(kind: Kind, version: int, annotations: dict[str, str]) -> dict[str, Any]:
    """Return the event that tells a watch how far it has come."""
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if annotations:
        metadata["annotations"] = annotations
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    return {"type": "BOOKMARK", "object": obj}


def kubeconfig_of(server: str) -> dict[str, Any]:
    """Return a kubeconfig with one context, `fake`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {"token": "fake-token"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "current-context": "fake",
    }
