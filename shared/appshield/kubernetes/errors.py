"""What the API server refuses, as errors that callers can tell apart.

    RefusedError
    ├── AlreadyExistsError         create: an object of that name is there
    ├── ConflictError              the object changed meanwhile, or a field has another owner
    └── NamespaceTerminatingError  the namespace is being deleted, nothing new can be in it
    NotFoundError
    └── NotServedError             the API server does not know the kind (a CRD is missing)
    UnavailableError
    ├── BusyError                  the API server wants fewer or later requests
    └── GoneError                  that resource version cannot be had: list again

`refusal` turns an HTTP answer into one of these or into a category of `appshield.errors`.
Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from collections.abc import Callable
from typing import Any

import msgspec

from appshield.errors import (
    AppShieldError,
    DeniedError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)


class AlreadyExistsError(RefusedError):
    """An object of that kind and name exists."""


class ConflictError(RefusedError):
    """The write met another writer's: a precondition, a version or a field's owner."""


class NamespaceTerminatingError(RefusedError):
    """The namespace is being deleted and accepts no new objects."""


class NotServedError(NotFoundError):
    """The API server serves no such kind; says nothing about any object of it."""


class GoneError(UnavailableError):
    """The API server does not have the history that was asked for."""


class BusyError(UnavailableError):
    """The API server asks to wait; `retry_after_s` says how long, None when it did not."""

    retry_after_s: float | None = None


class Cause(msgspec.Struct, frozen=True):
    """One reason among several in a Status."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    """What a Status is about."""

    name: str = ""
    kind: str = ""
    causes: list[Cause] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct, frozen=True):
    """The API server's own words about a failure, or about the end of an exec."""

    kind: str = ""
    status: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: StatusDetails | None = None

    @property
    def causes(self) -> list[Cause]:
        """The single reasons, none when the server gave none."""
        return (self.details.causes if self.details else None) or []

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the server wants to be asked again, None when it does not say."""
        return float(self.details.retry_after_seconds) or None if self.details else None

    def has_cause(self, reason: str) -> bool:
        """Tell whether `reason` is among the single reasons."""
        return any(cause.reason == reason for cause in self.causes)


def status_of(body: bytes) -> Status:
    """Return the Status in `body`; a proxy's page or plain text becomes its message."""
    try:
        return msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:  # a ValidationError is one as well
        return Status(message=body[:300].decode(errors="replace").strip())


def status_of_object(obj: dict[str, Any]) -> Status:
    """Return the Status that an ERROR event of a watch carries."""
    try:
        return msgspec.convert(obj, Status)
    except msgspec.ValidationError:
        return Status(message="the watch ended with an error of unknown form")


def refusal(code: int, status: Status, doing: str, *, confidential: bool = False) -> AppShieldError:
    """Return the error for HTTP `code` while `doing` ("list pods in namespace shop").

    `confidential` keeps the server's text out, which may quote the values of a Secret.
    """
    why = _fields(status) if confidential else status.message.removesuffix(".")
    if status.has_cause("ResourceVersionTooLarge"):
        return _gone(status, doing, why)
    if code in _BY_CODE:
        return _BY_CODE[code](status, doing, why)
    if 400 <= code < 500:
        return InvalidInputError(f"the API server does not accept to {doing}", why=why)
    return UnavailableError(
        f"the API server could not {doing}",
        why=why or f"it answered with HTTP {code}",
        next_step="Try again; if it lasts, look at the API server's log.",
    )


def _fields(status: Status) -> str:
    named = [f"{cause.field}: {cause.reason}" for cause in status.causes if cause.field]
    return "; ".join(named) or status.reason


def _unauthorized(_status: Status, doing: str, _why: str) -> AppShieldError:
    return DeniedError(
        f"the API server does not know who wants to {doing}",
        why="it refuses the credentials",
        next_step="Check the token or certificate: it may have expired.",
    )


def _forbidden(status: Status, doing: str, why: str) -> AppShieldError:
    if status.has_cause("NamespaceTerminating"):
        return NamespaceTerminatingError(
            f"could not {doing}",
            why="the namespace is being deleted",
            next_step="Wait until it is gone, or choose another namespace.",
        )
    return DeniedError(
        f"not allowed to {doing}",
        why=why,
        next_step="Ask for the right (RBAC), or for the admission rule to be changed.",
    )


def _not_found(status: Status, doing: str, why: str) -> AppShieldError:
    if status.reason != "NotFound" or status.details is None or not status.details.name:
        return NotServedError(
            f"could not {doing}",
            why="the API server does not serve this kind",
            next_step="Install its CustomResourceDefinition, or check group, version and plural.",
        )
    return NotFoundError(f"could not {doing}", why=why)


def _conflict(status: Status, doing: str, why: str) -> AppShieldError:
    if status.reason == "AlreadyExists":
        return AlreadyExistsError(f"could not {doing}", why=why)
    return ConflictError(f"could not {doing}", why=why)


def _gone(_status: Status, doing: str, why: str) -> AppShieldError:
    return GoneError(f"could not {doing}", why=why or "its history is gone")


def _busy(status: Status, doing: str, why: str) -> AppShieldError:
    error = BusyError(
        f"the API server is too busy to {doing}", why=why, next_step="Try again in a minute."
    )
    error.retry_after_s = status.retry_after_s
    return error


_BY_CODE: dict[int, Callable[[Status, str, str], AppShieldError]] = {
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    410: _gone,
    429: _busy,
}
