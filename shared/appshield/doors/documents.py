"""Documents as they stand in a cluster: shown as somebody wrote them, replaced as a whole.

What tools and the API server keep beside a document (owners, finalizers, who wrote what, the last
text that kubectl applied) is not shown, and stays when the document is replaced.
"""

from typing import Any

from appshield.contracts.identities import AppRef
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import APPLICATION, POLICY, PROFILE, VAULT
from appshield.language.writers import WRITTEN_BY, WRITTEN_GENERATION

KINDS: dict[str, Kind] = {kind.kind: kind for kind in (APPLICATION, POLICY, PROFILE, VAULT)}
"""Kinds of documents that stay; a Backup or Restore is done once."""

_TOOLS_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    WRITTEN_BY,
    WRITTEN_GENERATION,
)
_SHOWN = (
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
)
_WRITTEN = ("name", "namespace", "labels", "annotations")
_KEPT = ("finalizers", "ownerReferences", "uid")


def named_document(kind: str, namespace: str, name: str) -> str:
    """Name a document as people do."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def generation_text(generation: int) -> str:
    """Say which state of a document is meant, as all entries of the audit about it do."""
    return f"generation {generation}"


def document_place(cluster: str, kind: str, namespace: str, name: str) -> AppRef:
    """Return what a document is about: an application, or none."""
    about = name if kind == APPLICATION.kind else ""
    return AppRef(cluster=cluster, namespace=namespace, name=about)


def shown_document(obj: Object) -> Object:
    """Return a document with its status, without what only tools read."""
    meta: dict[str, Any] = {
        field: obj["metadata"][field] for field in _SHOWN if obj["metadata"].get(field)
    }
    annotations = meta.pop("annotations", {})
    own = {name: text for name, text in annotations.items() if name not in _TOOLS_ANNOTATIONS}
    if own:
        meta["annotations"] = own
    shown = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}
    return shown | {part: obj[part] for part in ("spec", "status") if part in obj}


def replacement(written: Object, present: Object) -> Object:
    """Return the object that makes the document be as it is written, in the state it has now."""
    before, meta = present["metadata"], written["metadata"]
    new: dict[str, Any] = {field: meta[field] for field in _WRITTEN if meta.get(field)}
    new |= {field: before[field] for field in _KEPT if before.get(field)}
    kept = {
        name: text
        for name, text in (before.get("annotations") or {}).items()
        if name in _TOOLS_ANNOTATIONS
    }
    if kept:
        new["annotations"] = kept | new.get("annotations", {})
    new["resourceVersion"] = before["resourceVersion"]
    return {**written, "metadata": new}
