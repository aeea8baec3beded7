"""What differs between two cleaned objects.

Differences are JSON pointers with a word on each. Texts are never repeated: they may be secrets,
and the report ends in logs; images are, as they are what one looks for.
"""

from collections.abc import Iterator

from appshield.manifests.objects import Object, pointer

_SHOWN_FIELDS = frozenset({"image", "kind", "apiVersion"})


def same(first: Object, second: Object) -> bool:
    """Whether two cleaned objects say the same."""
    return not differences(first, second)


def differences(first: Object, second: Object) -> list[str]:
    """Return what differs, as `/json/pointer: what`, in the order of the pointers."""
    return list(_compare(first, second, ()))


def _compare(first: object, second: object, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for field in sorted(first.keys() | second.keys(), key=str):
            inner = (*path, field)
            if field not in second:
                yield f"{pointer(*inner)}: is only in the first"
            elif field not in first:
                yield f"{pointer(*inner)}: is only in the second"
            else:
                yield from _compare(first[field], second[field], inner)
    elif isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            yield f"{pointer(*path)}: has {len(first)} entries and {len(second)}"
        for index, (one, other) in enumerate(zip(first, second, strict=False)):
            yield from _compare(one, other, (*path, index))
    elif first != second or type(first) is not type(second):
        yield f"{pointer(*path) or '/'}: {_in_words(first, second, path)}"


def _in_words(first: object, second: object, path: tuple[str | int, ...]) -> str:
    harmless = all(isinstance(one, bool | int | float | None) for one in (first, second))
    if harmless or (path and path[-1] in _SHOWN_FIELDS):
        return f"{first} and {second}"
    return "two different values"
