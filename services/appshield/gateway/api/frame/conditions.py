"""Conditional requests (RFC 9110) in the API's description: their headers, and what answers name.

A route that may answer 304 takes `If-None-Match`; one that may answer 428 wants `If-Match`.
"""

from dataclasses import dataclass
from http import HTTPStatus

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

_TEXT = Schema(type=OpenAPIType.STRING)
_IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    param_in="header",
    schema=_TEXT,
    description="The ETag of what the caller has: the answer is 304 if it still is so.",
)
_IF_MATCH = Parameter(
    name="If-Match",
    param_in="header",
    schema=_TEXT,
    description="The ETag of the state that is meant to be changed; needed where the thing exists.",
)
_ETAG = OpenAPIHeader(schema=_TEXT, description="Names the state of the thing.")


def conditional(handler: HTTPRouteHandler) -> type[Operation]:
    """Make the operation of a route, with the headers of conditional requests that it knows."""
    known = handler.responses or {}
    reads, writes = HTTPStatus.NOT_MODIFIED in known, HTTPStatus.PRECONDITION_REQUIRED in known
    base = handler.operation_class
    if not reads and not writes:
        return base

    @dataclass
    class Conditional(base):  # type: ignore[valid-type,misc]  # a base only known here: each route may have its own
        """An operation with the headers of conditional requests."""

        def __post_init__(self) -> None:
            """Name them."""
            if (before := getattr(super(), "__post_init__", None)) is not None:
                before()
            _name_headers(self, _IF_NONE_MATCH if reads else _IF_MATCH)

    return Conditional


def _name_headers(operation: Operation, wanted: Parameter) -> None:
    operation.parameters = [*(operation.parameters or []), wanted]
    for status, answer in (operation.responses or {}).items():
        if status in {"200", "201"} and isinstance(answer, OpenAPIResponse):
            answer.headers = {**(answer.headers or {}), "ETag": _ETAG}
