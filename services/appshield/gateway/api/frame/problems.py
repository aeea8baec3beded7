"""How errors read: problem details (RFC 9457) for whatever goes wrong, also for bugs.

A problem says what happened, why, and what to do next, as every error of AppShield does; a bug says
only its request's id, by which the log has it.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException

from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeadlineError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from appshield.gateway.api.frame.callers import TooManyRequestsError, UnauthenticatedError
from appshield.gateway.api.frame.request_ids import request_id

MEDIA_TYPE = "application/problem+json"

_STATUSES: tuple[tuple[type[AppShieldError], HTTPStatus], ...] = (
    (UnauthenticatedError, HTTPStatus.UNAUTHORIZED),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (InvalidInputError, HTTPStatus.BAD_REQUEST),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (RefusedError, HTTPStatus.CONFLICT),
    (DeniedError, HTTPStatus.FORBIDDEN),
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DeadlineError, HTTPStatus.GATEWAY_TIMEOUT),
    (DamagedError, HTTPStatus.BAD_GATEWAY),
)


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one field or place of a body; lines and columns count from 1."""

    field: str
    problem: str
    line: int = 0
    column: int = 0


class StatusError(AppShieldError):
    """An error of the API itself, with the status that says it best.

    `fields` are what is wrong with a body, `headers` what is told beside the problem.
    """

    status = HTTPStatus.BAD_REQUEST

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        next_step: str = "",
        fields: tuple[FieldProblem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.fields = fields
        self.headers = headers or {}


class PreconditionFailedError(StatusError):
    """The thing has changed since the caller looked at it."""

    status = HTTPStatus.PRECONDITION_FAILED


class PreconditionRequiredError(StatusError):
    """The caller has to say which state of the thing they mean to change."""

    status = HTTPStatus.PRECONDITION_REQUIRED


class UnprocessableError(StatusError):
    """The body is well formed and says something that cannot be done."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details as RFC 9457 writes them, with the next step and the request's id."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    next_step: str = ""
    errors: tuple[FieldProblem, ...] = ()


AnyRequest = Request[object, object, State]


def status_of(error: AppShieldError) -> HTTPStatus:
    """Return the status that says an error best."""
    if isinstance(error, StatusError):
        return error.status
    found = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_response(problem: Problem, *, retry_after_s: int = 1) -> Response[bytes]:
    """Write problem details; `retry_after_s` is told where asking again may help."""
    headers = {"WWW-Authenticate": 'Bearer realm="appshield"'} if problem.status == 401 else {}
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers["Retry-After"] = str(retry_after_s)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def told(request: AnyRequest, error: AppShieldError) -> Response[bytes]:
    """Tell one of AppShield's own errors."""
    status = status_of(error)
    response = problem_response(
        Problem(
            type=f"urn:appshield:problem:{_slug(status)}",
            title=status.phrase,
            status=status,
            detail=f"{error.what}: {error.why}" if error.why else error.what,
            next_step=error.next_step,
            request_id=request_id(request.scope),
            errors=error.fields if isinstance(error, StatusError) else (),
        ),
        retry_after_s=error.retry_after_s if isinstance(error, TooManyRequestsError) else 1,
    )
    if isinstance(error, StatusError):
        response.headers.update(error.headers)
    return response


def refused_by_frame(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Tell what the web framework refuses by itself: an unknown path, a body that is no JSON."""
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failed(request, error)
    fields = _fields(error) if isinstance(error, ValidationException) else ()
    return problem_response(
        Problem(
            type=f"urn:appshield:problem:{_slug(status)}",
            title=status.phrase,
            status=status,
            detail=error.detail,
            request_id=request_id(request.scope),
            errors=fields,
        ),
    )


def too_deep(request: AnyRequest, _error: RecursionError) -> Response[bytes]:
    """Tell of a body that nobody reads to its bottom."""
    return told(request, InvalidInputError("the body is nested too deeply"))


def failed(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Tell of a bug without its inside; the log has that under the request's id."""
    structlog.get_logger().error(
        "a request failed", path=request.url.path, request=request_id(request.scope), exc_info=error
    )
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem_response(
        Problem(
            type="urn:appshield:problem:bug",
            title=status.phrase,
            status=status,
            detail="this is a bug of AppShield",
            next_step="Report it with the request's id; the gateway's log holds the details.",
            request_id=request_id(request.scope),
        ),
    )


def _fields(error: ValidationException) -> tuple[FieldProblem, ...]:
    listed = error.extra if isinstance(error.extra, list) else []
    return tuple(
        FieldProblem(field=str(one.get("key", "")), problem=str(one.get("message", "")))
        for one in listed
        if isinstance(one, dict)
    )


def _slug(status: HTTPStatus) -> str:
    return status.phrase.lower().replace(" ", "-")
