"""JSON Schema (2020-12) of the documents, made from the types: for editors that complete and check.

Stricter than the definitions in the cluster: an unknown field is an error here, as it is to the
reader. `on` is written with its own name only.
"""

from typing import Any

import msgspec

from appshield.language.kinds import KINDS

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFINITIONS = "#/$defs/{name}"


def schema_of(kind: str) -> Schema:
    """Return the schema of one kind."""
    (whole,), definitions = _made([KINDS[kind]])
    return {"$schema": _DIALECT, "title": kind, **whole, "$defs": definitions}


def schema_of_all() -> Schema:
    """Return the schema of a document of any kind; which one it is, its `kind` says."""
    wholes, definitions = _made(list(KINDS.values()))
    chosen = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": whole}
        for kind, whole in zip(KINDS, wholes, strict=True)
    ]
    return {
        "$schema": _DIALECT,
        "title": "AppShield",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": list(KINDS)}},
        "allOf": chosen,
        "$defs": definitions,
    }


def _made(types: list[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    wholes, definitions = msgspec.json.schema_components(types, ref_template=_DEFINITIONS)
    return [_plain(whole) for whole in wholes], {
        name: _plain(definition) for name, definition in sorted(definitions.items())
    }


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Leave out what only msgspec means: null stands for absence, and is nowhere allowed."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        (only,) = [part for part in schema["anyOf"] if part != {"type": "null"}]
        schema = only | {name: part for name, part in schema.items() if name != "anyOf"}
    return {
        name: _plain(part)
        for name, part in schema.items()
        if name not in {"title", "default"} or isinstance(part, dict)
    }
