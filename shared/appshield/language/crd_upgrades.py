"""Whether a definition may take the place of the one in the cluster without losing anything. Pure.

The API server drops the values of fields that a schema does not name as soon as an object is
written again. So a definition that lacks a field of the present one is only harmless while no
object uses it; one that lacks the version in which objects are stored never is.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

Object = dict[str, Any]
FieldPath: TypeAlias = tuple[str, ...]
"""Names of fields from the object's root; `*` stands for every item of a list or mapping."""

EACH = "*"
_KEPT_WHOLE = "x-kubernetes-preserve-unknown-fields"


def lost_versions(present: Object, wanted: Object) -> list[str]:
    """Return versions in which the present definition has stored objects, and `wanted` has not."""
    served = {version["name"] for version in wanted["spec"]["versions"]}
    stored = (present.get("status") or {}).get("storedVersions") or []
    return [version for version in stored if version not in served]


def lost_fields(present: Object, wanted: Object) -> list[FieldPath]:
    """Return the fields of specs that the present definition names and `wanted` does not."""
    after = {version["name"]: _spec_schema(version) for version in wanted["spec"]["versions"]}
    found: dict[FieldPath, None] = {}
    for version in present["spec"]["versions"]:
        schema = after.get(version["name"])
        if schema is not None:
            found |= dict.fromkeys(_lost(_spec_schema(version), schema, ("spec",)))
    return list(found)


def uses(obj: Object, field: FieldPath) -> bool:
    """Say whether an object has a value at a path."""
    return _has(obj, field)


def _spec_schema(version: Object) -> Object:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return dict((schema.get("properties") or {}).get("spec") or {})


def _lost(before: Object, after: Object, path: FieldPath) -> Iterator[FieldPath]:
    if after.get(_KEPT_WHOLE):
        return
    kept = after.get("properties") or {}
    for name, schema in (before.get("properties") or {}).items():
        if name in kept:
            yield from _lost(schema, kept[name], (*path, name))
        elif not isinstance(after.get("additionalProperties"), dict):
            yield (*path, name)
    for part in ("items", "additionalProperties"):
        inner = before.get(part)
        if isinstance(inner, dict):
            then = after.get(part)
            if isinstance(then, dict):
                yield from _lost(inner, then, (*path, EACH))
            else:
                yield path


def _has(value: object, path: FieldPath) -> bool:
    if not path:
        return True
    step, rest = path[0], path[1:]
    if step != EACH:
        return isinstance(value, dict) and step in value and _has(value[step], rest)
    items = list(value.values()) if isinstance(value, dict) else value
    return isinstance(items, list) and any(_has(item, rest) for item in items)
