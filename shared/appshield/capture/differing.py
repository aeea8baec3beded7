"""What differs between two manifests of an application, for the eyes of a person. Pure.

Values are shown, but none that the application holds as a secret: those of its Secrets appear as
digests under a key of their own for each comparison, so that equal ones can be told from different
ones and nobody can guess them afterwards; where a secret occurs in another object it is hidden.
"""

import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

from appshield.capture.captured import Object
from appshield.capture.discretion import Discretion
from appshield.manifests.objects import pointer

_SECRET_FIELDS = frozenset({"data", "stringData"})
_DIGEST_DIGITS = 12
_SHOWN_MAX = 200

Path = tuple[str | int, ...]


def object_differences(
    before: Object, after: Object, *, discretion: Discretion, key: bytes
) -> list[str]:
    """Return what differs, a line each: `/json/pointer: old -> new`, by pointer.

    `discretion` knows the secrets of both sides; `key` is made for this comparison.
    """
    secret = "Secret" in (before.get("kind"), after.get("kind"))

    def told(value: object, path: Path) -> str:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if secret and path and path[0] in _SECRET_FIELDS:
            digest = hmac.new(key, text.encode(), "sha256").hexdigest()
            return f"(digest {digest[:_DIGEST_DIGITS]})"
        shown = discretion.told(text)
        return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}..."

    return [
        f"{pointer(*path) or '/'}: {_words(old, new, path, told)}"
        for path, old, new in _compare(before, after, ())
    ]


class _Absent:
    """Stands for a field that is not there."""


def _words(old: object, new: object, path: Path, told: Callable[[object, Path], str]) -> str:
    if isinstance(old, _Absent):
        return f"added {told(new, path)}"
    if isinstance(new, _Absent):
        return f"removed {told(old, path)}"
    return f"{told(old, path)} -> {told(new, path)}"


def _compare(old: object, new: object, path: Path) -> Iterator[tuple[Path, object, object]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for field in sorted(old.keys() | new.keys(), key=str):
            one, other = old.get(field, _Absent()), new.get(field, _Absent())
            yield from _compare(one, other, (*path, field))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            one = old[index] if index < len(old) else _Absent()
            other = new[index] if index < len(new) else _Absent()
            yield from _compare(one, other, (*path, index))
    elif isinstance(old, dict | list) and isinstance(new, _Absent) and old:
        yield from _leaves(old, path, removed=True)
    elif isinstance(new, dict | list) and isinstance(old, _Absent) and new:
        yield from _leaves(new, path, removed=False)
    elif old != new or type(old) is not type(new):
        yield path, old, new


def _leaves(
    value: dict[str, Any] | list[Any], path: Path, *, removed: bool
) -> Iterator[tuple[Path, object, object]]:
    """Tell of a part that is there on one side only value by value, so that each is judged."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for field, inner in items:
        old, new = (inner, _Absent()) if removed else (_Absent(), inner)
        yield from _compare(old, new, (*path, field))
