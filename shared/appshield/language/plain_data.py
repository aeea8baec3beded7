"""Plain data that may have the wrong type, for rules that speak all the same.

What does not fit counts as absent here; `shape` reports it.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from appshield.language.problems import Path, Problem

Fields: TypeAlias = dict[str, Any]
Problems: TypeAlias = Iterator[Problem]


def fields_of(value: object, missing: Fields | None = None) -> Fields:
    """Return the fields of a mapping; anything else has none."""
    return value if isinstance(value, dict) else (missing or {})


def each_of(owner: Fields, field: str, path: Path) -> Iterator[tuple[Fields, Path]]:
    """Yield each mapping of a list together with its path."""
    listed = owner.get(field)
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(item, dict):
            yield item, (*path, field, index)


def exactly_one(given_fields: Fields, names: tuple[str, ...], what: str, path: Path) -> Problems:
    """Demand that one of these fields is there, and no second."""
    given = [name for name in names if name in given_fields]
    if not given:
        yield Problem(path, f"names no {what}", f"write one of {', '.join(names)}")
    for extra in given[1:]:
        yield Problem(
            (*path, extra), f"is a second {what} beside {given[0]}", "keep exactly one", at_key=True
        )


def unique(items: object, field: str, path: Path) -> Problems:
    """Demand that no two mappings of a list have the same text in a field."""
    seen: set[str] = set()
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = fields_of(item).get(field)
        if isinstance(name, str) and name in seen:
            yield Problem(
                (*path, index, field), f"{name[:63]!r} is used twice", "give each its own name"
            )
        elif isinstance(name, str):
            seen.add(name)
