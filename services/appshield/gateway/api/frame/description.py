"""The API's own description: what the OpenAPI document says in words, and where it is served."""

import inspect
from dataclasses import dataclass, fields
from html import escape
from typing import Any

from litestar import Litestar, Request, Router
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import OpenAPI
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from appshield.gateway.api.frame.answer_examples import with_answers
from appshield.gateway.api.frame.conditions import conditional
from appshield.gateway.api.frame.responses import problem
from appshield.gateway.api.frame.rights import Right, anyone, right_of

PATH = "/api/v1/docs"
DESCRIPTION = """\
Every error is problem details (RFC 9457) with the next step. Lists come in pages: `limit`, `cursor`
of the page before (`next`), `sort` by a field, downwards with `-` before it; what is too long to be
put in order (files, differences, logs) has one order. What changes something
answers 202 with the run that does it; the same `Idempotency-Key` gives the same run. Things that
can be changed carry an `ETag`, which a change names as `If-Match`. A parameter that a route does
not know is an error. Times are UTC.
"""


def operation_id(
    handler: HTTPRouteHandler, _method: Method, _path: list[str | PathParameterDefinition]
) -> str:
    """Name an operation after the function that answers."""
    return handler.handler_name


_ERRORS = {
    status: problem(text)
    for status, text in (
        (400, "The request cannot be understood."),
        (401, "Nobody is known by what came with the request."),
        (403, "The caller may not do this."),
        (404, "There is no such thing."),
        (408, "The request did not come whole in time."),
        (409, "A rule forbids it in the present state."),
        (413, "The body is too large."),
        (421, "AppShield does not answer under this name."),
        (422, "It is well formed and cannot be done, or its key came with something else before."),
        (429, "Too many requests; try again later."),
        (431, "Address and headers are too large."),
        (502, "What is stored does not verify."),
        (503, "A part that is needed cannot be reached now; try again later."),
        (504, "It did not happen in the time given."),
    )
}
"""What every route may answer besides its own."""


def describe(application: Litestar) -> None:
    """Give each operation a summary, the right that it needs, and the errors that it may answer."""
    for route in application.routes:
        for handler in getattr(route, "route_handlers", ()):
            text = inspect.getdoc(handler.fn) or ""
            handler.operation_class = conditional(handler)
            handler.responses = {**_ERRORS, **(handler.responses or {})}
            handler.summary = text.partition("\n")[0].rstrip(".")
            handler.description = "\n\n".join(filter(None, [text, _right_text(right_of(handler))]))


def _right_text(right: Right | None) -> str:
    if right is None or right.action is None:
        return ""
    action = right.action
    return (
        f"Needs the right to {action.verb} {action.resource}.appshield.io, "
        f"which the role appshield-{action.role} has."
    )


class _WithAnswers(OpenAPI):
    """A document whose answers have examples."""

    def to_schema(self) -> dict[str, Any]:
        """Write it."""
        return with_answers(super().to_schema())


@dataclass
class Description(OpenAPIConfig):
    """How the API is described: as the framework does it, with examples of answers."""

    def to_openapi_schema(self) -> OpenAPI:
        """Begin the document."""
        begun = super().to_openapi_schema()
        return _WithAnswers(**{one.name: getattr(begun, one.name) for one in fields(begun)})


class ReferencePage(OpenAPIRenderPlugin):
    """The document as one page to read: no script, nothing from elsewhere."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, _request: Request[Any, Any, Any], schema: dict[str, Any]) -> bytes:
        """Write the page, as Litestar asks for it."""
        return page(schema).encode()


def router() -> Router:
    """Serve the document: `openapi.json` and the page, for everybody who is known."""
    return Router(PATH, route_handlers=[], include_in_schema=False, opt=anyone())


def page(schema: dict[str, Any]) -> str:
    """Write an OpenAPI document as a page."""
    info = schema["info"]
    operations = [
        (tag, method, path, operation)
        for path, item in schema.get("paths", {}).items()
        for method, operation in item.items()
        if isinstance(operation, dict)
        for tag in operation.get("tags", ["other"])[:1]
    ]
    groups: dict[str, list[str]] = {}
    for tag, method, path, operation in operations:
        groups.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(
        f"<section><h2>{escape(tag)}</h2>{''.join(groups[tag])}</section>" for tag in groups
    )
    shapes = "".join(
        _shape(name, shape)
        for name, shape in sorted(schema.get("components", {}).get("schemas", {}).items())
    )
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{title}: REST API</title><style>{_STYLE}</style><main><h1>{title}: REST API</h1>"
        f"<p>{escape(info.get('description', ''))}</p>"
        "<p><a href='docs/openapi.json'>openapi.json</a></p>"
        f"{body}<section><h2>Shapes</h2>{shapes}</section></main>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        _row(one["name"], one["in"], one.get("description", ""))
        for one in operation.get("parameters", [])
    )
    answers = "".join(
        _row(status, _shape_name(answer), answer.get("description", ""))
        for status, answer in operation.get("responses", {}).items()
    )
    body = _shape_name(operation.get("requestBody", {}))
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary>"
        f"<p>{escape(operation.get('description') or '')}</p>"
        f"{f'<p>Body: {body}</p>' if body else ''}"
        f"<table>{parameters}{answers}</table></details>"
    )


def _row(name: str, place: str, text: str) -> str:
    return f"<tr><th>{escape(name)}<td>{place}<td>{escape(text or '')}"


def _shape_name(holder: dict[str, Any]) -> str:
    for content in holder.get("content", {}).values():
        reference = content.get("schema", {}).get("$ref", "")
        if reference:
            name = escape(reference.rpartition("/")[2])
            return f"<a href='#{name}'>{name}</a>"
    return ""


def _shape(name: str, shape: dict[str, Any]) -> str:
    rows = "".join(
        _row(field, escape(str(of.get("type") or of.get("$ref", "").rpartition("/")[2])), "")
        for field, of in shape.get("properties", {}).items()
    )
    return (
        f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary>"
        f"<p>{escape(shape.get('description') or '')}</p><table>{rows}</table></details>"
    )


_STYLE = """\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0}main{max-width:60rem;margin:auto;padding:1.5rem}
details{border:1px solid #8884;border-radius:.4rem;margin:.4rem 0;padding:.5rem .8rem}
summary{cursor:pointer}b{display:inline-block;min-width:4rem}table{border-collapse:collapse}
th{text-align:left;font-weight:600}th,td{padding:.15rem .8rem .15rem 0;vertical-align:top}
"""
