"""`app.k8s.io/v1beta1` Application: kinds and a selector; protection by annotations.

Source: kubernetes-sigs/application, api/v1beta1/application_types.go.
"""

from collections.abc import Sequence

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
)
from appshield.language.adapters.annotations import is_protected, spec_of

_NAME = "app.k8s.io"


def _place(document: Object) -> Place | None:
    metadata = document["metadata"]
    if not is_protected(metadata.get("annotations") or {}):
        return None
    return Place(metadata["namespace"], metadata["name"])


def _adapt(document: Object, _: Sequence[Object]) -> Adapted:
    metadata, spec = document["metadata"], document.get("spec") or {}
    descriptor = spec.get("descriptor") or {}
    asked = spec_of(metadata.get("annotations") or {})
    if descriptor.get("type"):
        asked.setdefault("type", str(descriptor["type"]).lower())
    resources: Object = {}
    if spec.get("selector"):
        resources["selector"] = spec["selector"]
    if kinds := [_pattern(kind) for kind in spec.get("componentKinds") or ()]:
        resources["include"] = kinds
    place = Place(metadata["namespace"], metadata["name"])
    version = str(descriptor.get("version") or "")
    return Adapted(
        application(_NAME, document, place, {**asked, "resources": resources}, version=version)
    )


def _pattern(kind: Object) -> str:
    """Name a kind as our documents do: the kind in small letters and its group."""
    group = str(kind.get("group") or "")
    name = str(kind.get("kind") or "").lower()
    return f"{name}.{group}" if group not in ("", "core", "v1") else name


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind("app.k8s.io", "v1beta1", "Application", "applications"),
    place=_place,
    adapt=_adapt,
)
