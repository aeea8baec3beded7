"""`app.k8s.io/v1beta1` Application: kinds and a selector; protection by annotations.

Source: kubernetes-sigs/application, api/v1beta1/application_types.go.
"""

import re
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
_VERSION = re.compile("[vV][0-9]")


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
    """Name a kind as our documents do: the kind in small letters and its group.

    As the controller of these documents does, take a version with the group, or without one: `v1`
    and `apps/v1` are written in place of groups.
    """
    group = str(kind.get("group") or "").partition("/")[0]
    name = str(kind.get("kind") or "").lower()
    is_core = group in ("", "core") or _VERSION.match(group)
    return name if is_core else f"{name}.{group}"


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind("app.k8s.io", "v1beta1", "Application", "applications"),
    place=_place,
    adapt=_adapt,
)
