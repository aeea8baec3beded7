"""Objects as the API server's JSON, and how one is named."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

Object: TypeAlias = dict[str, Any]
"""One Kubernetes object as the API server's JSON says it."""

OWN_GROUP = "appshield.io"
EXCLUDE_LABEL = "appshield.io/exclude"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
OWN_MANAGER = "appshield"


class Reference(msgspec.Struct, frozen=True, order=True):
    """Names an object; the version of its API does not matter for who it is."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def group_of(obj: Object) -> str:
    """Return the API group, empty for the core one."""
    group, slash, _ = str(obj.get("apiVersion") or "").partition("/")
    return group if slash else ""


def kind_of(obj: Object) -> str:
    """Return the kind, such as Deployment."""
    return str(obj.get("kind") or "")


def metadata(obj: Object) -> dict[str, Any]:
    """Return the metadata, empty where there is none."""
    return mapping(obj, "metadata")


def name_of(obj: Object) -> str:
    """Return the object's name."""
    return str(metadata(obj).get("name") or "")


def namespace_of(obj: Object) -> str:
    """Return the object's namespace, empty for a cluster-scoped one."""
    return str(metadata(obj).get("namespace") or "")


def labels_of(obj: Object) -> dict[str, str]:
    """Return the object's labels."""
    return mapping(metadata(obj), "labels")


def annotations_of(obj: Object) -> dict[str, str]:
    """Return the object's annotations."""
    return mapping(metadata(obj), "annotations")


def reference_of(obj: Object) -> Reference:
    """Return the object's identity."""
    return Reference(group_of(obj), kind_of(obj), namespace_of(obj), name_of(obj))


def owners_of(obj: Object) -> Iterator[tuple[Reference, bool]]:
    """Yield each owner, in the object's own namespace, and whether it is the controller."""
    for owner in entries(metadata(obj), "ownerReferences"):
        group, slash, _ = str(owner.get("apiVersion") or "").partition("/")
        reference = Reference(
            group if slash else "",
            str(owner.get("kind") or ""),
            namespace_of(obj),
            str(owner.get("name") or ""),
        )
        yield reference, owner.get("controller") is True


def controller_of(obj: Object) -> Reference | None:
    """Return the owner that makes and remakes the object, if it has one."""
    return next((owner for owner, controls in owners_of(obj) if controls), None)


def by_reference(objects: Iterable[Object]) -> dict[Reference, Object]:
    """Return the objects by identity, sorted, the first of several with the same."""
    found: dict[Reference, Object] = {}
    for obj in objects:
        found.setdefault(reference_of(obj), obj)
    return dict(sorted(found.items(), key=lambda item: item[0]))


def mapping(owner: Any, field: str) -> dict[str, Any]:  # noqa: ANN401 - JSON of any shape
    """Return a field that should be a mapping; empty where it is not."""
    value = owner.get(field) if isinstance(owner, dict) else None
    return value if isinstance(value, dict) else {}


def entries(owner: Any, field: str) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON of any shape
    """Return the mappings of a field that should be a list of them."""
    value = owner.get(field) if isinstance(owner, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts(owner: Any, field: str) -> list[str]:  # noqa: ANN401 - JSON of any shape
    """Return the texts of a field that should be a list of them."""
    value = owner.get(field) if isinstance(owner, dict) else None
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def pointer(*steps: str | int) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
