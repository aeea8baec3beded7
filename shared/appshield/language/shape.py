"""Whether plain data has the shape of a type: every deviation, each with what would be right.

msgspec stops at the first deviation and knows no positions, so this walks its description of the
same types. Grammars and ranges come from the types too: `means` says in words what is wanted, and
`parse`, where a type has one, raises for a text that fits the pattern and still means nothing.
"""

import difflib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from appshield.errors import InvalidInputError
from appshield.language.problems import Path, Problem

_NAMES = {
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}
_WANTED: dict[type[inspect.Type], str] = {
    inspect.StrType: "a text",
    inspect.IntType: "a whole number",
    inspect.BoolType: "true or false",
    inspect.VarTupleType: "a list",
    inspect.DictType: "a mapping of names to texts",
    inspect.StructType: "a mapping of fields",
}
_PYTHON: dict[type[inspect.Type], type] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.BoolType: bool,
    inspect.VarTupleType: list,
    inspect.DictType: dict,
    inspect.StructType: dict,
}


def check_shape(value: object, wanted: type[msgspec.Struct], path: Path = ()) -> Iterator[Problem]:
    """Yield every place where the value is not what the type asks for."""
    return _check(value, _description(wanted), path, {})


@functools.cache
def _description(wanted: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(wanted)


def suggestion(name: str, known: list[str]) -> str:
    """Return a hint for a misspelt name: the nearest known one, or all of them."""
    near = difflib.get_close_matches(name[:80], known, n=1, cutoff=0.6)
    folded = [one for one in known if one.lower() == name.lower()]
    if folded or near:
        return f"did you mean {(folded or near)[0]}?"
    return f"write one of {', '.join(known)}" if known else "remove it"


def shown(value: object) -> str:
    """Return a short form of a value for a message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    if value is True or value is False:
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _NAMES.get(type(value), "this")


def _check(
    value: object, wanted: inspect.Type, path: Path, extra: dict[str, Any]
) -> Iterator[Problem]:
    while isinstance(wanted, inspect.Metadata | inspect.UnionType):
        if isinstance(wanted, inspect.Metadata):
            extra = extra | (wanted.extra or {})
            wanted = wanted.type
        else:
            wanted = next(one for one in wanted.types if not isinstance(one, inspect.NoneType))
    if isinstance(wanted, inspect.LiteralType):
        yield from _check_literal(value, wanted, path)
        return
    means = extra.get("means") or _WANTED[type(wanted)]
    if value is None:
        yield Problem(path, "has no value", f"write {means}, or remove the field")
    elif type(value) is not _PYTHON[type(wanted)]:
        quoted = _quoting(value, wanted) if "means" not in extra else ""
        yield Problem(path, _wrong_type(value), f"write {means}{quoted}")
    else:
        yield from _check_content(value, wanted, path, extra | {"means": means})


def _wrong_type(value: object) -> str:
    name = _NAMES.get(type(value), "something else")
    return f"is {name}" if isinstance(value, dict | list) else f"{shown(value)} is {name}"


def _quoting(value: object, wanted: inspect.Type) -> str:
    scalar = isinstance(value, bool | int | float)
    return ", in quotes" if scalar and isinstance(wanted, inspect.StrType) else ""


def _check_content(
    value: Any,  # noqa: ANN401 - its type was compared with the wanted one just before
    wanted: inspect.Type,
    path: Path,
    extra: dict[str, Any],
) -> Iterator[Problem]:
    match wanted:
        case inspect.StructType():
            yield from _check_struct(value, wanted, path)
        case inspect.VarTupleType():
            yield from _check_list(value, wanted, path)
        case inspect.DictType():
            yield from _check_mapping(value, wanted, path)
        case inspect.StrType():
            yield from _check_text(value, wanted, path, extra)
        case inspect.IntType(ge=low, le=high):
            outside = (low is not None and value < low) or (high is not None and value > high)
            if outside or not -(2**63) <= value < 2**63:
                yield Problem(path, f"{shown(value)[:40]} is out of range", _write(extra))
        case _:
            return


def _write(extra: dict[str, Any]) -> str:
    return f"write {extra['means']}"


def _check_literal(value: object, wanted: inspect.LiteralType, path: Path) -> Iterator[Problem]:
    values = [str(one) for one in wanted.values]
    if value is None:
        yield Problem(path, "has no value", suggestion("", values))
    elif not isinstance(value, str):
        yield Problem(path, _wrong_type(value), suggestion("", values))
    elif value not in values:
        yield Problem(path, f"{shown(value)} is not one of its values", suggestion(value, values))


_MERGED = "YAML 1.2 has no merge keys; write the fields themselves"


def _check_struct(
    value: dict[str, Any], wanted: inspect.StructType, path: Path
) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in wanted.fields}
    given = set(value)
    for name, content in value.items():
        if name in fields:
            yield from _check(content, fields[name].type, (*path, name), {})
        elif wanted.forbid_unknown_fields:
            absent = [one for one in fields if one not in given]
            right = _MERGED if name == "<<" else suggestion(name, absent)
            yield Problem((*path, name), "unknown field", right, at_key=True)
    for name, field in fields.items():
        if field.required and name not in given:
            yield Problem((*path, name), "is missing", f"add {_wanted_in_words(field.type)}")


def _wanted_in_words(wanted: inspect.Type) -> str:
    extra: dict[str, Any] = {}
    while isinstance(wanted, inspect.Metadata):
        extra = extra | (wanted.extra or {})
        wanted = wanted.type
    if isinstance(wanted, inspect.LiteralType):
        return " or ".join(str(value) for value in wanted.values)
    if isinstance(wanted, inspect.StructType):
        names = [field.encode_name for field in wanted.fields if field.required]
        return f"a mapping with {', '.join(names or [one.encode_name for one in wanted.fields])}"
    return str(extra.get("means") or _WANTED.get(type(wanted), "it"))


def _check_list(value: list[Any], wanted: inspect.VarTupleType, path: Path) -> Iterator[Problem]:
    if wanted.min_length is not None and len(value) < wanted.min_length:
        yield Problem(path, "is empty", f"list at least {wanted.min_length}")
    if wanted.max_length is not None and len(value) > wanted.max_length:
        yield Problem(path, f"has {len(value)} entries", f"list at most {wanted.max_length}")
        return
    for index, item in enumerate(value):
        yield from _check(item, wanted.item_type, (*path, index), {})


def _check_mapping(
    value: dict[str, Any], wanted: inspect.DictType, path: Path
) -> Iterator[Problem]:
    for name, item in value.items():
        if not is_clean(name):
            yield Problem((*path, name[:20]), "holds a character that no name has", "remove it")
        yield from _check(item, wanted.value_type, (*path, name), {})


def _check_text(
    value: str, wanted: inspect.StrType, path: Path, extra: dict[str, Any]
) -> Iterator[Problem]:
    if not is_clean(value):
        yield Problem(path, "holds a NUL or half of a character", "remove it")
    elif wanted.min_length and len(value) < wanted.min_length:
        yield Problem(path, "is empty", _write(extra))
    elif wanted.max_length is not None and len(value) > wanted.max_length:
        yield Problem(path, f"has {len(value)} characters", f"use at most {wanted.max_length}")
    elif wanted.pattern is not None and not re.search(wanted.pattern, value):
        yield Problem(path, f"{shown(value)} does not fit", _write(extra))
    elif wanted.pattern is not None and value.endswith("\n"):
        yield Problem(path, "ends with a line break", _write(extra))
    elif parse := extra.get("parse"):
        yield from _check_meaning(value, parse, path)


def _check_meaning(value: str, parse: Callable[[str], object], path: Path) -> Iterator[Problem]:
    try:
        parse(value)
    except InvalidInputError as error:
        step = error.next_step.rstrip(".")
        yield Problem(path, error.what, step[:1].lower() + step[1:])


def is_clean(text: str) -> bool:
    """Whether a text can be stored and sent: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
