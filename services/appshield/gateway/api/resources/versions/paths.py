"""Where in a version something is, as requests say it: any bytes; and where a list goes on."""

import base64
import binascii
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote_from_bytes

import msgspec
from litestar.params import QueryParameter

from appshield.doors.contents import Named, Opened
from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.parameters import sorting
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.resources.applications.histories import record_to_read
from appshield.gateway.api.resources.versions.versions import version_at

TAGS = ["Contents of versions"]
VERSION_PATH = "/applications/{namespace:str}/{name:str}/versions/{number:int}"
T = TypeVar("T")

AtPath: TypeAlias = Annotated[
    str,
    QueryParameter(
        max_length=65536,
        description="Where in the version; bytes that are no UTF-8 are percent-encoded, too.",
    ),
]


ByPath: TypeAlias = Annotated[Literal["path"], sorting("path", only_upwards=True)]


class Part(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list that nobody has counted: `next` is the cursor of the part behind it."""

    items: list[T]
    next: str | None = None


async def opened_versions(
    backend: Backend, namespace: str, name: str, numbers: tuple[int, ...], history: str
) -> Opened:
    """Open versions of the history that a path means.

    Raises:
        NotFoundError: there are none of these numbers, or they cannot be read any more.
        InvalidInputError: there are several histories.
    """
    record = await record_to_read(backend, namespace, name, history)
    found = [await version_at(backend, namespace, name, number, history) for number in numbers]
    return await backend.contents.of(Named(record, tuple(found)))


def raw_path(request: AnyRequest, declared: str) -> bytes:
    """Read `path` byte for byte; the framework gives only what is text of it.

    Raises:
        InvalidInputError: no entry can be called so.
    """
    query = request.scope["query_string"].decode("ascii", "surrogateescape")
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    texts = [value for name, value in pairs if name == "path"] or [declared]
    path = texts[-1].encode("utf-8", "surrogateescape").strip(b"/")
    if b"\0" in path:
        raise InvalidInputError("the path holds a zero byte", why="no file can be called so")
    return path


def exact(path: bytes) -> str:
    """Write a path so that `raw_path` reads these very bytes."""
    return quote_from_bytes(path)


def shown(path: bytes) -> str:
    """Write a path for people."""
    return path.decode("utf-8", "backslashreplace")


def cursor_of(place: bytes) -> str:
    """Write where a list goes on."""
    return base64.urlsafe_b64encode(place).rstrip(b"=").decode()


def after(cursor: str, path: bytes) -> bytes:
    """Read where a list of what is below a path goes on; from the start without a cursor."""
    after = _read(cursor)
    elsewhere = after and path and not after.startswith(path + b"/")
    if elsewhere or b"\0" in after:
        raise _no_cursor()
    return after


def count(cursor: str) -> int:
    """Read how many items came before; 0 without a cursor."""
    text = _read(cursor) or b"0"
    if not text.isdigit():
        raise _no_cursor()
    return int(text)


def _read(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_cursor() from error


def _no_cursor() -> InvalidInputError:
    return InvalidInputError(
        "the cursor is none of this list", next_step="Begin again without a cursor."
    )
