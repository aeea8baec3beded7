"""Argo CD's Application: the resources of its last sync; protection by annotations.

The Application lives beside Argo CD, its resources in the destination's namespace: that is where
ours is made. Source: argoproj/argo-cd, pkg/apis/application/v1alpha1/types.go.
"""

from collections.abc import Iterator, Sequence

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
    named_object,
    unique,
)
from appshield.language.adapters.annotations import is_protected, spec_of

_NAME = "argocd"
_HERE = ("https://kubernetes.default.svc", "in-cluster", "")


def _place(document: Object) -> Place | None:
    metadata = document["metadata"]
    destination = (document.get("spec") or {}).get("destination") or {}
    where = str(destination.get("server") or destination.get("name") or "")
    if where not in _HERE or not is_protected(metadata.get("annotations") or {}):
        return None
    return Place(_namespace(document), metadata["name"])


def _namespace(document: Object) -> str:
    """Return where its resources live; a destination names none where their manifests do."""
    destination = (document.get("spec") or {}).get("destination") or {}
    if destination.get("namespace"):
        return str(destination["namespace"])
    resources = (document.get("status") or {}).get("resources") or ()
    namespaces = {str(one["namespace"]) for one in resources if one.get("namespace")}
    return namespaces.pop() if len(namespaces) == 1 else str(document["metadata"]["namespace"])


def _adapt(document: Object, _: Sequence[Object]) -> Adapted:
    metadata, status = document["metadata"], document.get("status") or {}
    place = Place(_namespace(document), metadata["name"])
    resources = [one for one in status.get("resources") or () if not one.get("hook")]
    elsewhere = [
        one for one in resources if one.get("namespace") not in ("", None, place.namespace)
    ]
    named = [
        named_object(str(one.get("group") or ""), one["kind"], one["name"])
        for one in resources
        if one.get("namespace") == place.namespace
    ]
    spec = spec_of(metadata.get("annotations") or {})
    spec["resources"] = {"objects": unique(named)} if named else {}
    notes = list(_notes(named, elsewhere))
    document_ = application(_NAME, document, place, spec, version=_version(status))
    return Adapted(document_, tuple(notes))


def _notes(named: list[Object], elsewhere: list[Object]) -> Iterator[str]:
    if not named:
        yield "it was never synced: until then the whole destination namespace belongs to it"
    if elsewhere:
        places = ", ".join(sorted({str(one["namespace"]) for one in elsewhere}))
        yield f"its resources in other namespaces are not captured: {places}"


def _version(status: Object) -> str:
    """Return the identity of the last deployment: the entry of the history and its revision."""
    history = status.get("history") or []
    if not history:
        return ""
    last = max(history, key=lambda one: int(one.get("id") or 0))
    revision = last.get("revision") or ",".join(last.get("revisions") or ())
    return f"{last.get('id', 0)} {revision}".strip()


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind("argoproj.io", "v1alpha1", "Application", "applications"),
    place=_place,
    adapt=_adapt,
)
