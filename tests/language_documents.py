"""Right documents of every kind, generated from the types: any shape that the language allows.

The types give the shape; what only rules between fields say (exactly one trigger, a quiesce with
its resume) is put right afterwards, in one function for each such type.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from appshield.language.checking import ACTIONS
from appshield.language.checking_protection import BELONGS_TO, COUNTS, TRIGGERS
from appshield.language.kinds import API_VERSION, KINDS, NAMESPACED_KINDS
from appshield.language.values import duration

Fields = dict[str, Any]

_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_DURATIONS = st.integers(1, 40 * 366 * 86_400).map(duration)
_BY_MEANING: dict[str, st.SearchStrategy[Any]] = {
    "a duration such as 30s, 5m, 1h, 1h30m or 7d": _DURATIONS,
    "a rate such as 1/10m (once in ten minutes)": st.builds(
        "{}/{}".format, st.integers(1, 999), _DURATIONS
    ),
    'a schedule such as "30 2 * * *" or @daily': st.sampled_from(
        ["30 2 * * *", "@daily", "*/5 8-18 * * 1-5", "0 0 29 2 *", "0 5 * * 0"]
    ),
    "a time zone such as Europe/Berlin": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kabul"]),
    "an expression in CEL": st.just("true"),
}


def as_data(resolved: msgspec.Struct) -> Fields:
    """Return a resolved document as plain data, to be compared with what is expected."""
    data: Fields = msgspec.json.decode(msgspec.json.encode(resolved))
    return data


def documents(kind: str) -> st.SearchStrategy[Fields]:
    """Return right documents of one kind, as plain data."""
    spec = next(f.type for f in _struct(inspect.type_info(KINDS[kind])).fields if f.name == "spec")
    metadata = {"name": st.just("shop")}
    labels = st.dictionaries(st.text(_LETTERS, min_size=1, max_size=8), st.text(_LETTERS))
    optional: dict[str, st.SearchStrategy[Any]] = {"labels": labels, "annotations": labels}
    if kind in NAMESPACED_KINDS:
        optional["namespace"] = st.just("shop")
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just(API_VERSION),
            "kind": st.just(kind),
            "metadata": st.fixed_dictionaries(metadata, optional=optional),
            "spec": _values(spec, {}),
        }
    )


def _struct(wanted: inspect.Type) -> inspect.StructType:
    assert isinstance(wanted, inspect.StructType)
    return wanted


def _values(wanted: inspect.Type, extra: Fields) -> st.SearchStrategy[Any]:
    while isinstance(wanted, inspect.Metadata | inspect.UnionType):
        if isinstance(wanted, inspect.Metadata):
            extra = (wanted.extra or {}) | extra
            wanted = wanted.type
        else:
            wanted = next(one for one in wanted.types if not isinstance(one, inspect.NoneType))
    if (means := extra.get("means")) in _BY_MEANING:
        return _BY_MEANING[str(means)]
    return _BY_TYPE[type(wanted)](wanted)


def _lists(wanted: inspect.VarTupleType) -> st.SearchStrategy[Any]:
    items = _values(wanted.item_type, {})
    return st.lists(items, min_size=wanted.min_length or 0, max_size=2)


def _texts(wanted: inspect.StrType) -> st.SearchStrategy[str]:
    if wanted.pattern is None:
        return st.text(_LETTERS, min_size=wanted.min_length or 0, max_size=20)
    longest = wanted.max_length or 200
    return st.from_regex(wanted.pattern, fullmatch=True).filter(lambda text: len(text) <= longest)


def _fields(wanted: inspect.StructType) -> st.SearchStrategy[Fields]:
    required = {f.encode_name: _values(f.type, {}) for f in wanted.fields if f.required}
    optional = {f.encode_name: _values(f.type, {}) for f in wanted.fields if not f.required}
    made = st.fixed_dictionaries(required, optional=optional)
    return made.map(_PUT_RIGHT.get(wanted.cls.__name__, _as_it_is))


_BY_TYPE: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.StructType: _fields,
    inspect.VarTupleType: _lists,
    inspect.StrType: _texts,
    inspect.LiteralType: lambda wanted: st.sampled_from([str(one) for one in wanted.values]),
    inspect.IntType: lambda wanted: st.integers(wanted.ge, wanted.le),
    inspect.DictType: lambda wanted: st.dictionaries(
        st.text(_LETTERS, min_size=1, max_size=8), _values(wanted.value_type, {}), max_size=2
    ),
    inspect.BoolType: lambda _: st.booleans(),
}


def _as_it_is(fields: Fields) -> Fields:
    return fields


def _without(fields: Fields, names: tuple[str, ...]) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


def _one_of(fields: Fields, names: tuple[str, ...], otherwise: Fields) -> Fields:
    given = [name for name in names if name in fields]
    return _without(fields, tuple(given[1:])) if given else fields | otherwise


def _trigger(fields: Fields) -> Fields:
    made = _one_of(fields, TRIGGERS, {"manual": True})
    if "manual" in made:
        made["manual"] = True
    alone = tuple(field for field, owner in BELONGS_TO.items() if owner not in made)
    return _without(made, alone)


def _keep(fields: Fields) -> Fields:
    kept = "within" in fields or any(fields.get(count) for count in COUNTS)
    return fields if kept else fields | {"last": 1}


def _paired(fields: Fields) -> Fields:
    made = dict(fields)
    for first, second in (("quiesce", "resume"), ("dump", "load")):
        if first in made:
            made.setdefault(second, made[first])
    if made.get("strategy") == "dump" and "dump" not in made:
        del made["strategy"]
    return made


def _component(fields: Fields) -> Fields:
    made = _paired(fields)
    if made.get("volumes", {}).get("method") == "files":
        made["allowLive"] = True
    return made


def _application(fields: Fields) -> Fields:
    for index, component in enumerate(fields.get("components", [])):
        component["name"] = f"part-{index}"
        component["workload"]["name"] = f"work-{index}"
        if component.pop("dataOf", None) and index:
            component |= {"dataOf": "part-0", "strategy": "none"}
    return _protected(fields)


def _protected(fields: Fields) -> Fields:
    for index, rule in enumerate(fields.get("protect", [])):
        rule["name"] = f"rule-{index}"
    return _each_once(fields)


def _each_once(fields: Fields) -> Fields:
    if "targets" in fields:
        fields = fields | {"targets": list(dict.fromkeys(fields["targets"]))}
    return fields


def _rule(fields: Fields) -> Fields:
    keeps = list(fields.pop("keepIn", {}).values())
    made = _each_once(fields)
    return made | {"targets": ["offsite"], "keepIn": {"offsite": keeps[0]}} if keeps else made


def _requirement(fields: Fields) -> Fields:
    if fields["operator"] in ("In", "NotIn"):
        return fields | {"values": fields.get("values") or ["web"]}
    return _without(fields, ("values",))


def _policy(fields: Fields) -> Fields:
    made = fields | {"alerts": {"rpo": "1h"}}
    return _protected(made)


def _vault(fields: Fields) -> Fields:
    made = fields | {"endpoint": "https://s3.example.org", "prefix": "team/shop"}
    return made | {"readOnly": False}


_PUT_RIGHT: dict[str, Callable[[Fields], Fields]] = {
    "Trigger": _trigger,
    "Action": lambda fields: _one_of(fields, ACTIONS, {"backup": {}}),
    "NotifyAction": lambda fields: fields | {"signal": "late", "webhook": "https://example.org"},
    "HealthOfKind": lambda fields: fields | {"degraded": "object.status.phase == 'Failed'"},
    "Keep": _keep,
    "Component": _component,
    "ProfileSpec": _paired,
    "Requirement": _requirement,
    "ApplicationSpec": _application,
    "Protection": _rule,
    "PolicySpec": _policy,
    "BackupSpec": _each_once,
    "VaultSpec": _vault,
}
