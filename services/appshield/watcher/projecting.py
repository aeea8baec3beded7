"""What is remembered of an object for the rules that wait for its change: what they name. Pure.

An expression is evaluated over what it names of the object before and after, in the same form: no
secret is in it, but a digest with a key, and so it is with long texts. A rule without an expression
counts every change but those of status and of what the API server notes down for itself.
"""

import functools
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from appshield.contracts.applications import Protection
from appshield.kubernetes import Object
from appshield.language.expression_tree import Read
from appshield.language.expressions import CHANGE, Condition

Projected: TypeAlias = dict[str, object]

LONG_CHARACTERS = 512
"""Texts that are longer are compared by digest."""
_CONDITIONS_MAX = 1024
_SIDES = ("old", "new")
_NOTED = ("resourceVersion", "managedFields", "generation", "uid", "creationTimestamp", "selfLink")
_COPIES = ("kubectl.kubernetes.io/last-applied-configuration",)
_SECRET_PARTS = ("data", "stringData")


def reads_of(rule: Protection) -> frozenset[Read]:
    """Return the paths within an object that a rule looks at; the empty path is all of it."""
    if not rule.when:
        return frozenset({()})
    return frozenset(read[1:] for read in condition_of(rule.when).reads if read[0] in _SIDES)


def project(obj: Object, reads: Iterable[Read], key: bytes) -> Projected:
    """Return what some paths lead to in an object, each at its place; nothing of what is not there.

    Args:
        obj: the object, whole.
        reads: paths within it.
        key: of the digests of what is secret or long.
    """
    hidden = _without_secrets(obj, key)
    found: Projected = {}
    for read in sorted(reads):
        if not read:
            return {name: _short(value, key) for name, value in _essence(hidden).items()}
        _put(found, hidden, read, key)
    return found


def matches(when: str, old: Projected | None, new: Projected | None) -> bool:
    """Say whether a rule waits for this change; None for an object that is new, or gone.

    Raises:
        UndecidedError: the expression has no answer, such as for what is not there.
    """
    if old == new:
        return False
    return condition_of(when).holds(CHANGE.values(old=old, new=new)) if when else True


def meaning(rule: Protection, belongs: object) -> str:
    """Return what a rule's memory depends on: of another meaning, it begins anew."""
    said = (rule.change_of, rule.when, msgspec.to_builtins(belongs))
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]


@functools.lru_cache(maxsize=_CONDITIONS_MAX)
def condition_of(when: str) -> Condition:
    """Compile an expression, once.

    Raises:
        ExpressionError: it is one of another version of the language.
    """
    return CHANGE.condition(when)


def _essence(obj: Mapping[str, object]) -> dict[str, object]:
    """Return an object without its status and what is noted down about it."""
    meta = obj.get("metadata")
    noted = {}
    if isinstance(meta, dict):
        noted = {name: value for name, value in meta.items() if name not in _NOTED}
    rest = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    return {**rest, "metadata": noted}


def _without_secrets(obj: Object, key: bytes) -> dict[str, object]:
    if obj.get("kind") != "Secret" or obj.get("apiVersion") != "v1":
        return obj
    hidden = dict(obj)
    for part in _SECRET_PARTS:
        if isinstance(values := obj.get(part), dict):
            hidden[part] = {name: _digest(str(value), key) for name, value in values.items()}
    meta = dict(obj["metadata"])
    notes = meta.get("annotations") or {}
    meta["annotations"] = {
        name: _digest(str(text), key) if name in _COPIES else text for name, text in notes.items()
    }
    return {**hidden, "metadata": meta}


def _put(found: Projected, obj: object, read: Read, key: bytes) -> None:
    """Put what a path leads to at its place; what is there already is at least as much."""
    *ways, last = read
    place: object = found
    for step in ways:
        if not isinstance(obj, dict) or step not in obj or not isinstance(place, dict):
            return
        obj, place = obj[step], place.setdefault(step, {})
    if isinstance(obj, dict) and last in obj and isinstance(place, dict):
        place.setdefault(last, _short(obj[last], key))


def _short(value: object, key: bytes) -> object:
    if isinstance(value, str):
        return _digest(value, key) if len(value) > LONG_CHARACTERS else value
    if isinstance(value, dict):
        return {name: _short(one, key) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one, key) for one in value]
    return value


def _digest(text: str, key: bytes) -> str:
    return "hmac-sha256:" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
