"""The annotations `appshield.io/*` of foreign documents: protection where nothing else fits.

`protect: "true"` alone asks for the defaults and the policies that match. The short ones cover what
most need; `spec` takes any part of `Application.spec` but the membership and hooks, as YAML.
"""

from collections.abc import Callable, Mapping
from typing import Any

from appshield.language.adapters.adapter import Object
from appshield.language.problems import DocumentError
from appshield.language.yaml_source import SIZE_MAX_BYTES, read_source

PREFIX = "appshield.io/"
PROTECT = f"{PREFIX}protect"
_SPEC = f"{PREFIX}spec"
_RULE = "annotations"
_HOOKS = frozenset({"quiesce", "resume", "dump", "load"})
_NO_HOOKS = (
    "who may write this need not have the right to run commands in pods; declare hooks in an "
    "Application, by a profile, or as annotations of the pods"
)


def is_protected(annotations: Mapping[str, str]) -> bool:
    """Whether a foreign document asks AppShield for protection; "false" takes that back."""
    if annotations.get(PROTECT) == "false":
        return False
    return annotations.get(PROTECT) == "true" or any(
        f"{PREFIX}{name}" in annotations for name in (*_TEXTS, *_RULES, "spec", "targets")
    )


def spec_of(annotations: Mapping[str, str]) -> Object:
    """Return the spec that the annotations ask for, without membership.

    Raises:
        DocumentError: an annotation does not mean anything.
    """
    problems: list[str] = []
    spec = _written(annotations, problems)
    for name in _TEXTS:
        if value := annotations.get(f"{PREFIX}{name}"):
            spec[name] = value
    if targets := annotations.get(f"{PREFIX}targets"):
        spec["targets"] = [one.strip() for one in targets.split(",")]
    if rule := _rule(annotations, problems):
        spec["protect"] = [*spec.get("protect", []), rule]
    if problems:
        raise DocumentError(problems)
    return spec


def _written(annotations: Mapping[str, str], problems: list[str]) -> Object:
    text = annotations.get(_SPEC, "")
    if not text:
        return {}
    if len(text) > SIZE_MAX_BYTES:
        problems.append(f"{_SPEC}: is longer than {SIZE_MAX_BYTES} bytes; shorten it")
        return {}
    documents, found = read_source(text)
    problems += [
        f"{_SPEC}:{one.position.line}:{one.position.column}: {one.wrong}; {one.right}"
        for one in found
    ]
    data = documents[0].data if documents else None
    if found:
        return {}
    if not isinstance(data, dict):
        problems.append(f"{_SPEC}: is no mapping of fields; write parts of an Application's spec")
        return {}
    if "resources" in data:
        problems.append(f"{_SPEC}: resources: is decided by the foreign document; remove it")
    if _has_hooks(data.get("components")):
        problems.append(f"{_SPEC}: components: {_NO_HOOKS}")
    return data


def _has_hooks(components: object) -> bool:
    parts = components if isinstance(components, list) else []
    return any(isinstance(part, dict) and _HOOKS & part.keys() for part in parts)


def _rule(annotations: Mapping[str, str], problems: list[str]) -> Object:
    """Make one rule of the short annotations about triggers and retention."""
    given = {
        name: annotations[f"{PREFIX}{name}"] for name in _RULES if PREFIX + name in annotations
    }
    if not given:
        return {}
    trigger: dict[str, Any] = {}
    rule: Object = {"name": _RULE, "on": trigger}
    for name, text in given.items():
        try:
            _RULES[name](rule, text)
        except ValueError as error:
            problems.append(f"{PREFIX}{name}: {error}")
    if not trigger.keys() & {"schedule", "rpo"}:
        problems.append(f"{PREFIX}keep: belongs to a rule; add {PREFIX}schedule or {PREFIX}rpo")
    return rule


def _schedule(rule: Object, text: str) -> None:
    rule["on"]["schedule"] = text


def _timezone(rule: Object, text: str) -> None:
    rule["on"]["timezone"] = text


def _rpo(rule: Object, text: str) -> None:
    rule["on"]["rpo"] = text


def _keep(rule: Object, text: str) -> None:
    """Read `last=7,daily=30,within=14d`."""
    keep: Object = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not value:
            raise ValueError(f"{part.strip()[:60]!r} is no part of it; write last=7,daily=30")
        keep[name] = int(value) if value.isdecimal() and len(value) < 10 else value
    rule["keep"] = keep


_TEXTS = ("type", "criticality", "images")
_RULES: Mapping[str, Callable[[Object, str], None]] = {
    "schedule": _schedule,
    "timezone": _timezone,
    "rpo": _rpo,
    "keep": _keep,
}
