"""How lists are cut: pages that stay right while the list changes under the reader. Pure.

A cursor names the last item of a page by its sort key and its own unique name, so that what was
added or removed meanwhile neither repeats nor hides another item. Cursors are opaque, and refused
for another order than their own.
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

import msgspec

from appshield.errors import InvalidInputError

LIMIT_DEFAULT = 100
LIMIT_MAX = 500

T = TypeVar("T")
Sortable = str | float | datetime | None
SortKey = Callable[[T], Sortable]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list: `next` is the cursor of the part behind it, None at the end.

    `total` counts what the filters let through, of which this is a part.
    """

    items: list[T]
    total: int
    next: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list, in which order: `sort` is a field, with `-` before it downwards."""

    sort: str
    limit: int = LIMIT_DEFAULT
    cursor: str = ""


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    sort: str
    key: tuple[int, str | float]
    name: str


Placed: TypeAlias = list[tuple[tuple[int, str | float], str, T]]
"""A list in an order: of each item its key and its name, and itself."""


def page_of(
    items: Iterable[T],
    wanted: Wanted,
    *,
    keys: Mapping[str, SortKey[T]],
    name: Callable[[T], str],
) -> Page[T]:
    """Cut the wanted part out of a list; `keys` are the fields by which it can be sorted.

    Raises:
        InvalidInputError: the sort field is unknown, or the cursor is none of this order.
    """
    return cut(arranged(items, wanted.sort, keys=keys, name=name), wanted)


def arranged(
    items: Iterable[T],
    sort: str,
    *,
    keys: Mapping[str, SortKey[T]],
    name: Callable[[T], str],
) -> Placed[T]:
    """Put a list in order.

    Raises:
        InvalidInputError: the sort field is unknown.
    """
    downwards, field = sort.startswith("-"), sort.removeprefix("-")
    if field not in keys:
        raise InvalidInputError(
            f"the list cannot be sorted by {field!r}", why=f"it can be by {', '.join(keys)}"
        )
    key = keys[field]
    placed = sorted(((_rank(key(item)), name(item), item) for item in items), key=_place)
    if downwards:
        placed.reverse()
    return placed


def cut(placed: Placed[T], wanted: Wanted) -> Page[T]:
    """Cut the wanted part out of a list that is in its order.

    Raises:
        InvalidInputError: the cursor is none of this order.
    """
    downwards = wanted.sort.startswith("-")
    start = _start(placed, wanted, downwards=downwards) if wanted.cursor else 0
    part = placed[start : start + wanted.limit]
    more = start + wanted.limit < len(placed)
    following = _written(_Cursor(wanted.sort, *_place(part[-1]))) if part and more else None
    return Page(items=[item for _, _, item in part], total=len(placed), next=following)


def _place(
    placed: tuple[tuple[int, str | float], str, object],
) -> tuple[tuple[int, str | float], str]:
    return placed[0], placed[1]


def _rank(value: Sortable) -> tuple[int, str | float]:
    """Give a key by which anything of one field can be compared; what is not there comes first."""
    if value is None:
        return 0, ""
    return 1, value.timestamp() if isinstance(value, datetime) else value


def _start(
    placed: list[tuple[tuple[int, str | float], str, T]], wanted: Wanted, *, downwards: bool
) -> int:
    after = _read(wanted)
    try:
        if downwards:
            return len(placed) - bisect_left(placed[::-1], after, key=_place)
        return bisect_right(placed, after, key=_place)
    except TypeError as error:  # a text among numbers: the field says which of them it holds
        raise _no_cursor() from error


def _read(wanted: Wanted) -> tuple[tuple[int, str | float], str]:
    try:
        raw = base64.urlsafe_b64decode(wanted.cursor + "=" * (-len(wanted.cursor) % 4))
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise _no_cursor() from error
    if cursor.sort != wanted.sort:
        raise InvalidInputError(
            f"the cursor belongs to the order {cursor.sort}, not to {wanted.sort}",
            next_step="Keep the order while paging, or begin again without a cursor.",
        )
    return cursor.key, cursor.name


def _written(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def _no_cursor() -> InvalidInputError:
    return InvalidInputError(
        "the cursor is none of this list", next_step="Begin again without a cursor."
    )
