"""The custom resource definitions, made from the types: one source for reader and API server.

Structural schemas: no references, no unions, every field with a description so that
`kubectl explain` reads well. Rules between fields that the API server can check are added as CEL;
all others are `checking`'s.
"""

from typing import Any

import msgspec

from appshield.language.crd_rules import RULES
from appshield.language.kinds import GROUP, KINDS, NAMESPACED_KINDS, VERSION
from appshield.language.object_reading import ON_AS_YAML_1_1_READS_IT
from appshield.language.status import (
    ApplicationStatus,
    CommandStatus,
    DocumentStatus,
    ObjectStatus,
    PolicyStatus,
)

Schema = dict[str, Any]

_NAMES: dict[str, tuple[str, ...]] = {
    "Application": ("applications", "asapp", "apps"),
    "Policy": ("policies", "aspol"),
    "Profile": ("profiles", "asprof"),
    "Vault": ("vaults", "asvault"),
    "Backup": ("backups", "asbackup"),
    "Restore": ("restores", "asrestore"),
}
"""The plural of each kind, then its short names; `apps` is for `kubectl get apps.appshield.io`."""
_STATUS: dict[str, type[ObjectStatus]] = {
    "Application": ApplicationStatus,
    "Policy": PolicyStatus,
    "Profile": DocumentStatus,
    "Vault": DocumentStatus,
    "Backup": CommandStatus,
    "Restore": CommandStatus,
}
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_READY = {
    "name": "Ready",
    "type": "string",
    "jsonPath": ".status.conditions[?(@.type=='Ready')].status",
}
_APPLICATION = {"name": "Application", "type": "string", "jsonPath": ".spec.application"}
_COMMAND_COLUMNS: list[dict[str, Any]] = [
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress"},
    {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 1},
    {"name": "Run", "type": "string", "jsonPath": ".status.run", "priority": 1},
    _AGE,
]
_COLUMNS: dict[str, list[dict[str, Any]]] = {
    "Application": [
        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
        {"name": "Criticality", "type": "string", "jsonPath": ".spec.criticality"},
        {"name": "Health", "type": "string", "jsonPath": ".status.health"},
        {"name": "Version", "type": "integer", "jsonPath": ".status.lastVersion"},
        {"name": "Backup", "type": "date", "jsonPath": ".status.lastBackupAt"},
        {"name": "RPO", "type": "string", "jsonPath": ".status.rpo"},
        _AGE,
    ],
    "Policy": [
        {"name": "Applications", "type": "integer", "jsonPath": ".status.applications"},
        _READY,
        {"name": "Match", "type": "string", "jsonPath": ".spec.match", "priority": 1},
        _AGE,
    ],
    "Profile": [
        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
        {"name": "Proved", "type": "boolean", "jsonPath": ".spec.proved"},
        _READY,
        _AGE,
    ],
    "Vault": [
        {"name": "Endpoint", "type": "string", "jsonPath": ".spec.endpoint"},
        {"name": "Bucket", "type": "string", "jsonPath": ".spec.bucket"},
        {"name": "Read-only", "type": "boolean", "jsonPath": ".spec.readOnly"},
        {
            "name": "Accepted",
            "type": "string",
            "jsonPath": ".status.conditions[?(@.type=='Accepted')].status",
        },
        _AGE,
    ],
    "Backup": [
        _APPLICATION,
        {"name": "Version", "type": "integer", "jsonPath": ".status.version"},
        *_COMMAND_COLUMNS,
    ],
    "Restore": [
        _APPLICATION,
        {"name": "Version", "type": "string", "jsonPath": ".spec.version"},
        {"name": "To", "type": "string", "jsonPath": ".spec.to"},
        *_COMMAND_COLUMNS,
    ],
}
_DROPPED = frozenset({"title", "default", "additionalProperties", "$defs"})
_LIST_KEYS = {"Component": "name", "Protection": "name", "Condition": "type"}
_SETS = frozenset({"targets"})
"""Lists of texts in which nothing may stand twice."""


def crds() -> tuple[dict[str, Any], ...]:
    """Return the definition of every kind, in a fixed order."""
    return tuple(_definition(kind) for kind in KINDS)


def _definition(kind: str) -> dict[str, Any]:
    plural, *short = _NAMES[kind]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "appshield"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind in NAMESPACED_KINDS else "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short,
                "categories": ["appshield"],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: str) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _COLUMNS[kind],
        "schema": {"openAPIV3Schema": _object_schema(kind)},
    }


def _object_schema(kind: str) -> Schema:
    whole = structural_schema(KINDS[kind])
    properties = whole["properties"]
    return {
        "type": "object",
        "description": whole["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind}."},
            "metadata": {"type": "object"},
            "spec": properties["spec"],
            "status": structural_schema(_STATUS[kind]),
        },
    }


def structural_schema(wanted: type[msgspec.Struct]) -> Schema:
    """Return the schema of a type as a CRD may hold it."""
    (schema,), definitions = msgspec.json.schema_components([wanted], ref_template="{name}")
    return _structural(schema, definitions)


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Put definitions in place of references, and absence in place of null."""
    if "anyOf" in schema:
        (only,) = [one for one in schema["anyOf"] if one != {"type": "null"}]
        schema = only | {name: text for name, text in schema.items() if name != "anyOf"}
    name = schema.get("$ref", "")
    if name:
        own = {key: value for key, value in schema.items() if key != "$ref"}
        schema = definitions[name] | own
    made = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "enum" in made:
        made["type"] = "string"
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _structural(schema["additionalProperties"], definitions)
    if "items" in made:
        key = _LIST_KEYS.get(made["items"].get("$ref", ""))
        if key:
            made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        made["items"] = _structural(made["items"], definitions)
    if "properties" in made:
        made["properties"] = {
            field: _as_set(field, _structural(inner, definitions))
            for field, inner in made["properties"].items()
        }
        if not made.get("required"):
            made.pop("required", None)
    return _with_rules(name, made)


def _as_set(field: str, schema: Schema) -> Schema:
    return schema | {"x-kubernetes-list-type": "set"} if field in _SETS else schema


def _with_rules(name: str, schema: Schema) -> Schema:
    """Add what the API server can check between the fields of one type."""
    if name == "Protection":
        schema = _with_on_of_yaml_1_1(schema)
    if name not in RULES:
        return schema
    return schema | {"x-kubernetes-validations": [rule._asdict() for rule in RULES[name]]}


def _with_on_of_yaml_1_1(schema: Schema) -> Schema:
    """Accept what kubectl sends for an unquoted `on:`; see `object_reading`."""
    on = schema["properties"]["on"]
    description = "What kubectl makes of `on` without quotes: the same field."
    properties = schema["properties"] | {ON_AS_YAML_1_1_READS_IT: on | {"description": description}}
    required = [field for field in schema["required"] if field != "on"]
    return schema | {"properties": properties, "required": required}
