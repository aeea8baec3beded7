"""Examples of answers in the API's description, made of the shapes of their types. Pure.

An example holds what every answer of the type holds; what may be left out is left out. Fields of
one name say the same everywhere, so that examples read as if they were of one application. Problems
are the same for every route: they stand once in the document, by status.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from appshield.gateway.api.frame.example_values import BY_FIELD, BY_TYPE, EMPTY, OF_TEXTS, Plain
from appshield.gateway.api.frame.problems import MEDIA_TYPE, Problem

_JSON = "application/json"
_NO_CONTENT = "204"
_NULL = {"type": "null"}
_SHAPES = "#/components/schemas/"
_PROBLEMS = "#/components/examples/"

Shape = Mapping[str, Any]


def with_answers(document: dict[str, Any]) -> dict[str, Any]:
    """Add an example to each answer of an OpenAPI document that has a shape."""
    components = document["components"]
    for status, kind, content in _answers(document):
        if kind == MEDIA_TYPE:
            name = f"problem-{status}"
            content["examples"] = {name: {"$ref": f"{_PROBLEMS}{name}"}}
            components.setdefault("examples", {})[name] = {"value": _problem(int(status))}
        elif kind == _JSON and status != _NO_CONTENT:
            content["example"] = example(content["schema"], components["schemas"])
    return document


def example(shape: Shape, shapes: Mapping[str, Shape], field: str = "") -> object:
    """Make what a shape describes; `field` is the name of the field that holds it."""
    if reference := shape.get("$ref"):
        return example(shapes[reference.removeprefix(_SHAPES)], shapes, field)
    if choices := shape.get("oneOf"):
        empty = field in EMPTY and _NULL in choices
        return None if empty else example(choices[0], shapes, field)
    only = [shape["const"]] if "const" in shape else shape.get("enum")
    return only[0] if only else _of_type(shape, shapes, field)


def _of_type(shape: Shape, shapes: Mapping[str, Shape], field: str) -> object:
    match _first(shape.get("type", "object")):
        case "null":
            return None
        case "array":
            return [] if field in EMPTY else [example(shape["items"], shapes, field)]
        case "object":
            return _object(shape, shapes, field)
        case kind:
            return _plain(kind, shape.get("format", ""), field)


def _object(shape: Shape, shapes: Mapping[str, Shape], field: str) -> dict[str, object]:
    fields = shape.get("properties", {})
    if fields:
        return {name: example(fields[name], shapes, name) for name in shape.get("required", ())}
    values = shape.get("additionalProperties")
    return {"web": example(values, shapes, field)} if values and field not in EMPTY else {}


def _plain(kind: str, form: str, field: str) -> Plain:
    """Choose what is of the right type: some fields of one name are of several."""
    if form in OF_TEXTS:
        return OF_TEXTS[form]
    given = BY_FIELD.get(field, BY_TYPE[kind])
    return given if type(given) is type(BY_TYPE[kind]) else BY_TYPE[kind]


def _answers(document: Shape) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give status, media type and content of each answer."""
    for path in document["paths"].values():
        for operation in path.values():
            responses = operation.get("responses", {}) if isinstance(operation, dict) else {}
            for status, answer in responses.items():
                for kind, content in answer.get("content", {}).items():
                    yield status, kind, content


def _problem(code: int) -> object:
    status = HTTPStatus(code)
    problem = Problem(
        type=f"urn:appshield:problem:{status.phrase.lower().replace(' ', '-')}",
        title=status.phrase,
        status=status,
        detail=_DETAILS.get(status, status.description or status.phrase),
        next_step=_NEXT_STEPS.get(status, ""),
        request_id="5f0c2b9d7a314e86",
    )
    return msgspec.to_builtins(problem)


def _first(kind: str | Sequence[str]) -> str:
    """Choose what is not null of a type that may be."""
    return kind if isinstance(kind, str) else next(one for one in kind if one != "null")


_DETAILS: Mapping[int, str] = {
    400: "the cursor is not one of this list",
    401: "nobody is signed in",
    403: "ben may not create restores in namespace shop",
    404: "there is no application shop/web",
    408: "the request did not come whole in time",
    409: "version 17 of shop/web is pinned",
    412: "Application shop/web has changed since it was read",
    413: "the body is larger than 1 MiB",
    416: "the file ends before this range",
    421: "AppShield does not answer under this name",
    422: "the key came with another request before",
    428: "Application shop/web exists, and the request does not say which state it means",
    429: "too many requests",
    431: "the head of the request is too large",
    502: "pack 3f2a of shop/web does not verify",
    503: "the message bus cannot be reached",
    504: "no planner took up the request within 10 s",
}
_NEXT_STEPS: Mapping[int, str] = {
    401: "Sign in, or send a token of the cluster.",
    403: "Ask for the role appshield-restorer in this namespace.",
    408: "Send the request again, without pauses.",
    409: "Unpin it first.",
    412: "Read it again, and send its ETag as If-Match.",
    421: "Add the name to APPSHIELD_GATEWAY_HTTP_NAMES, or use one that is there.",
    422: "Take a new Idempotency-Key.",
    428: "Send its ETag as If-Match.",
    429: "Try again after the time that Retry-After says.",
    431: "Send at most 32768 bytes of address and headers; long filters are the usual cause.",
    502: "Restore from another Vault, or repair this one.",
    503: "Try again; `GET /health` says what is missing.",
}
