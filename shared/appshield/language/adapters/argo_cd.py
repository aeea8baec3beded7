"""Argo CD's Application: the resources of its last sync; protection by annotations.

The Application lives beside Argo CD, its resources in the destination's namespace: that is where
ours is made. Source: argoproj/argo-cd, pkg/apis/application/v1alpha1/types.go.
"""

import re
from collections.abc import Iterator, Sequence

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
    named_object,
    note_of_cluster,
    unique,
)
from appshield.language.adapters.annotations import is_protected, spec_of
from appshield.language.problems import DocumentError

_NAME = "argocd"
_HERE = re.compile(
    r"(https://)?kubernetes\.default(\.svc(\.cluster\.local)?)?(:443)?/?|in-cluster|"
)
"""What names the cluster that Argo CD itself runs in."""


def _place(document: Object) -> Place | None:
    metadata = document["metadata"]
    if not is_protected(metadata.get("annotations") or {}):
        return None
    destination = (document.get("spec") or {}).get("destination") or {}
    where = str(destination.get("server") or destination.get("name") or "")
    if not _HERE.fullmatch(where):
        here = "if it is this one, write server: https://kubernetes.default.svc"
        raise DocumentError(
            [f"spec.destination: cluster {where} is left to the AppShield there; {here}"]
        )
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
    here = [_named(one) for one in resources if one.get("namespace") == place.namespace]
    if resources and not here:
        raise DocumentError(
            [f"status.resources: has nothing in namespace {place.namespace}; set the destination's"]
        )
    spec = spec_of(metadata.get("annotations") or {})
    spec["resources"] = {"objects": unique(here)} if here else {}
    document_ = application(_NAME, document, place, spec, version=_version(status))
    return Adapted(document_, tuple(_notes(resources, place.namespace)))


def _named(resource: Object) -> Object:
    return named_object(str(resource.get("group") or ""), resource["kind"], resource["name"])


def _notes(resources: list[Object], here: str) -> Iterator[str]:
    if not resources:
        yield "it was never synced: until then the whole destination namespace belongs to it"
    if others := {str(one.get("namespace") or "") for one in resources} - {here, ""}:
        places = ", ".join(sorted(others))
        yield f"its resources in other namespaces are not captured: {places}"
    of_cluster = [_named(one) for one in resources if not one.get("namespace")]
    yield from note_of_cluster(of_cluster, here)


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
