"""Objects on their way back: into another namespace, and linked to their new owners.

What names the old namespace as a field is changed. What names it inside a text (an address such as
`db.shop.svc`) is left as it is, because nobody knows what else the text means; a warning names the
place, never the text.
"""

import base64
import binascii
import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from appshield.manifests.objects import (
    Object,
    Reference,
    entries,
    group_of,
    kind_of,
    mapping,
    metadata,
    name_of,
    namespace_of,
    owners_of,
    pointer,
    reference_of,
)

_RBAC = "rbac.authorization.k8s.io"
_ACCOUNTS_OF = "system:serviceaccounts:"


class Relocated(msgspec.Struct, frozen=True):
    """Copies of the objects, and places that a person should look at."""

    objects: tuple[Object, ...]
    warnings: tuple[str, ...]


def relocate(objects: Iterable[Object], from_namespace: str, to_namespace: str) -> Relocated:
    """Return copies that live in another namespace; the same namespace changes nothing.

    Owner references stay only between objects of the set; `link_owners` completes them.
    """
    given = list(objects)
    present = {reference_of(obj) for obj in given}
    made: list[Object] = []
    warnings: list[str] = []
    for obj in given:
        copied = copy.deepcopy(obj)
        _keep_owners(copied, present)
        if from_namespace != to_namespace:
            warnings += _move(copied, from_namespace, to_namespace)
            warnings += _mentions(copied, from_namespace)
        made.append(copied)
    return Relocated(tuple(made), tuple(warnings))


def link_owners(obj: Object, uids: Mapping[Reference, str]) -> Object:
    """Return a copy whose owner references carry the uids of the restored owners.

    An owner that was not restored is dropped: a reference without a uid is refused by the API
    server, one with an old uid makes the garbage collector delete the object.
    """
    copied = copy.deepcopy(obj)
    written = entries(metadata(copied), "ownerReferences")
    linked = [
        owner | {"uid": uids[reference]}
        for owner, (reference, _) in zip(written, owners_of(copied), strict=True)
        if reference in uids
    ]
    _set_owners(copied, linked)
    return copied


def _keep_owners(obj: Object, present: set[Reference]) -> None:
    written = entries(metadata(obj), "ownerReferences")
    kept = [
        owner
        for owner, (reference, _) in zip(written, owners_of(obj), strict=True)
        if reference in present
    ]
    _set_owners(obj, kept)


def _set_owners(obj: Object, owners: list[dict[str, Any]]) -> None:
    if owners:
        metadata(obj)["ownerReferences"] = owners
    else:
        metadata(obj).pop("ownerReferences", None)


def _move(obj: Object, old: str, new: str) -> Iterator[str]:
    kind = (group_of(obj), kind_of(obj))
    if kind == ("", "Namespace") and name_of(obj) == old:
        metadata(obj)["name"] = new
    if namespace_of(obj) == old:
        metadata(obj)["namespace"] = new
    if kind == (_RBAC, "RoleBinding"):
        _move_subjects(obj, old, new)
    if kind == (_RBAC, "ClusterRoleBinding"):
        yield from _double_binding(obj, old, new)
    if kind == ("", "Service"):
        yield from _release_addresses(obj)
    if kind == ("networking.k8s.io", "Ingress"):
        for rule in entries(mapping(obj, "spec"), "rules"):
            if rule.get("host"):
                yield f"Ingress {name_of(obj)}: the host {rule['host']} may be served twice now"


def _move_subjects(binding: Object, old: str, new: str) -> list[dict[str, Any]]:
    """Give the accounts of the new namespace what those of the old one had; return the moved."""
    moved = []
    for subject in entries(binding, "subjects"):
        if subject.get("namespace") == old:
            subject["namespace"] = new
            moved.append(subject)
        elif subject.get("name") == f"{_ACCOUNTS_OF}{old}":
            subject["name"] = f"{_ACCOUNTS_OF}{new}"
            moved.append(subject)
    return moved


def _double_binding(binding: Object, old: str, new: str) -> Iterator[str]:
    """A binding of the whole cluster stays with those that it serves; the copy gets its own."""
    moved = _move_subjects(binding, old, new)
    if moved:
        name = name_of(binding)
        binding["subjects"] = moved
        metadata(binding)["name"] = f"{name}-{new}"
        yield (
            f"ClusterRoleBinding {name}: the service accounts of namespace {new} get its rights "
            f"by another one, {name}-{new}"
        )


def _release_addresses(service: Object) -> Iterator[str]:
    """An address or node port that somebody chose exists once in a cluster."""
    spec = mapping(service, "spec")
    if spec.get("clusterIP") not in {None, "", "None"}:
        spec.pop("clusterIP")
        spec.pop("clusterIPs", None)
        yield f"Service {name_of(service)}: its fixed clusterIP is not kept in another namespace"
    for port in entries(spec, "ports"):
        if port.pop("nodePort", None) is not None:
            yield (
                f"Service {name_of(service)}: the fixed nodePort of port {port.get('port')} is not "
                "kept in another namespace"
            )


def _mentions(obj: Object, old: str) -> Iterator[str]:
    address = re.compile(
        rf"(?<![-a-z0-9.])[a-z0-9][-a-z0-9]*\.{re.escape(old)}(\.svc\b|(?=[:/]|$))"
    )
    for path, text in _texts(obj, ()):
        if path[:2] == ("metadata", "annotations"):
            continue
        readable = _plain(text) if kind_of(obj) == "Secret" and path[:1] == ("data",) else text
        if address.search(readable):
            yield (
                f"{kind_of(obj)} {name_of(obj)}: {pointer(*path)} holds an address in namespace "
                f"{old}, which was left as it is"
            )


def _texts(
    value: Any,  # noqa: ANN401 - JSON of any shape
    path: tuple[str | int, ...],
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for field in sorted(value, key=str):
            yield from _texts(value[field], (*path, field))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _plain(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
