"""How a state of a thing is named (entity tags, RFC 9110), and what a caller's tag demands."""

import hashlib
from http import HTTPStatus
from typing import TypeVar

import msgspec
from litestar import Response

from appshield.gateway.api.frame.problems import (
    AnyRequest,
    PreconditionFailedError,
    PreconditionRequiredError,
)

T = TypeVar("T")
_CHARACTERS = 27


def tag_of(content: bytes) -> str:
    """Name a state by its content."""
    return f'"{hashlib.sha256(content).hexdigest()[:_CHARACTERS]}"'


def tagged(request: AnyRequest, value: T) -> Response[T | None]:
    """Answer with a value and its tag, or only that it has not changed (304)."""
    tag = tag_of(msgspec.json.encode(value))
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _names(request.headers.get("If-None-Match", ""), tag):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(value, headers=headers)


def demand_match(request: AnyRequest, tag: str, *, named: str = "") -> None:
    """Let a write go on that is about this state; `named` is what its body says that it is about.

    Raises:
        PreconditionRequiredError: it does not say which state it is about.
        PreconditionFailedError: it is about another one.
    """
    wanted = request.headers.get("If-Match", "") or named
    if not wanted:
        raise PreconditionRequiredError(
            "the request does not say which state it means to change",
            next_step="Read the thing and send its ETag as If-Match.",
        )
    if not _names(wanted, tag):
        raise PreconditionFailedError(
            "the thing has changed meanwhile",
            next_step="Read it again, and decide again.",
        )


def _names(header: str, tag: str) -> bool:
    names = {one.strip().removeprefix("W/") for one in header.split(",")}
    return tag in names or "*" in names
