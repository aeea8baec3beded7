"""Documents as plain data, from the API server or a parsed file, to typed values.

The types say what a document looks like, `checking` adds the rules between fields; all that is
wrong is found at once. A document that passes always converts and always resolves.
"""

import difflib
from typing import Any

import msgspec

from appshield.errors import InvalidInputError
from appshield.language.checking import check_rules
from appshield.language.kinds import API_VERSION, KINDS, Resource
from appshield.language.problems import DocumentError, Problem
from appshield.language.shape import check_shape, shown

ON_AS_YAML_1_1_READS_IT = "true"
"""kubectl and GitOps tools still read YAML 1.1, where an unquoted key `on` is the boolean true;
what they send is `"true": {schedule: ...}`, and it is taken for what was written."""


def read_object(data: dict[str, Any]) -> Resource:
    """Return the typed document for an object as the API server gives it.

    Raises:
        DocumentError: every problem, as `kind namespace/name: field: what is wrong; what is right`.
    """
    problems = find_problems(data)
    if problems:
        raise DocumentError(f"{_identity(data)}: {problem}" for problem in problems)
    return typed(data)


def find_problems(data: object) -> list[Problem]:
    """Return all that is wrong with one document."""
    if not isinstance(data, dict):
        return [Problem((), "is not a document", "write apiVersion, kind, metadata and spec")]
    kind, version = data.get("kind"), data.get("apiVersion")
    if not isinstance(kind, str) or kind not in KINDS:
        return [_kind_problem(kind)]
    if version != API_VERSION:
        wrong = "is missing" if version is None else f"{shown(version)} is not known"
        return [Problem(("apiVersion",), wrong, f"write {API_VERSION}")]
    body = _body(data)
    return [*check_shape(body, KINDS[kind]), *check_rules(kind, body)]


def typed(data: dict[str, Any]) -> Resource:
    """Convert a document in which `find_problems` found nothing.

    Raises:
        InvalidInputError: the check has overlooked something; never seen, and still no traceback.
    """
    try:
        resource: Resource = msgspec.convert(_body(data), KINDS[data["kind"]])
    except (msgspec.ValidationError, OverflowError) as error:
        raise InvalidInputError(f"{_identity(data)} cannot be read", why=str(error)) from error
    return resource


def _body(data: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its status, and with `on` as it was written."""
    body = {name: value for name, value in data.items() if name != "status"}
    spec = body.get("spec")
    if isinstance(spec, dict) and isinstance(spec.get("protect"), list):
        body["spec"] = spec | {"protect": [_with_on(rule) for rule in spec["protect"]]}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        body["metadata"] = {name: value for name, value in metadata.items() if value is not None}
    return body


def _with_on(rule: object) -> object:
    if not isinstance(rule, dict) or "on" in rule or ON_AS_YAML_1_1_READS_IT not in rule:
        return rule
    return {
        "on" if name == ON_AS_YAML_1_1_READS_IT else name: value for name, value in rule.items()
    }


def _kind_problem(kind: object) -> Problem:
    known = f"write one of {', '.join(KINDS)}"
    if kind is None:
        return Problem(("kind",), "is missing", known)
    near = difflib.get_close_matches(str(kind)[:80], KINDS, n=1)
    right = f"did you mean {near[0]}?" if near else known
    return Problem(("kind",), f"{shown(kind)} is not a kind of AppShield", right)


def _identity(data: dict[str, Any]) -> str:
    metadata = data.get("metadata")
    fields = metadata if isinstance(metadata, dict) else {}
    name = "/".join(str(fields[key])[:253] for key in ("namespace", "name") if fields.get(key))
    kind = data.get("kind")
    return f"{kind if isinstance(kind, str) else 'object'} {name or 'without a name'}"[:600]
