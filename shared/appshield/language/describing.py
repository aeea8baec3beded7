"""What policies may know of an application, and why one of them matches it or does not. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import fields

from appshield.errors import AppShieldError
from appshield.language.effective import PolicyMatch
from appshield.language.expression_errors import ExpressionError, UndecidedError
from appshield.language.expression_tree import Read
from appshield.language.expression_values import AppFacts, ComponentFacts, VolumeFacts
from appshield.language.expressions import MATCH, REACTION, SIGNAL, Condition, Values
from appshield.language.resolved import (
    ResolvedApplication,
    ResolvedPolicy,
    ResolvedProtection,
    SignalTrigger,
)

ANNOTATION_MAX_CHARACTERS: Final = 1024
"""Longer annotations are content of tools; policies do not see them."""
_ANNOTATIONS: Final = ("app", "annotations")
_SHOWN_CHARACTERS: Final = 80
_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"""|(?P<comment>//[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<and>&&)|(?P<other>\|\||\?)""",
    re.DOTALL,
)
_FIELDS: Final = {field.encode_name: field.name for field in fields(AppFacts)}


def facts_of(
    application: ResolvedApplication,
    *,
    namespace_labels: Mapping[str, str],
    volumes: Sequence[VolumeFacts] = (),
) -> AppFacts:
    """Return what the expressions of policies see of an application."""
    return AppFacts(
        name=application.name,
        namespace=application.namespace,
        namespace_labels=dict(namespace_labels),
        type=application.type,
        criticality=application.criticality,
        labels=application.labels,
        annotations=visible_annotations(application.annotations),
        components=tuple(
            ComponentFacts(
                name=component.name,
                profile=component.profile,
                strategy=component.strategy,
                workload_kind=component.workload.kind,
                workload_name=component.workload.name,
            )
            for component in application.components
        ),
        volumes=tuple(volumes),
    )


def visible_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that policies see."""
    return {
        name: value
        for name, value in annotations.items()
        if len(value) <= ANNOTATION_MAX_CHARACTERS
    }


def asked_annotations(document: ResolvedApplication | ResolvedPolicy) -> frozenset[Read]:
    """Return what the expressions of a document in force read of an application's annotations."""
    conditions = [*_conditions(document.protect)]
    if isinstance(document, ResolvedPolicy):
        conditions.append(MATCH.condition(document.match))
        conditions += [REACTION.condition(reaction.when) for reaction in document.react]
    reads = frozenset[Read]().union(*(condition.reads for condition in conditions))
    return frozenset(read for read in reads if read[:2] == _ANNOTATIONS[: len(read)])


def chosen_annotations(annotations: Mapping[str, str], reads: Iterable[Read]) -> dict[str, str]:
    """Return the annotations that some expressions read; all, if one goes through all of them."""
    visible = visible_annotations(annotations)
    if any(read == _ANNOTATIONS[: len(read)] for read in reads):
        return visible
    names = {read[2] for read in reads if read[:2] == _ANNOTATIONS}
    return {name: text for name, text in visible.items() if name in names}


def read_value(app: AppFacts, read: Read) -> object:
    """Return what one path of an expression leads to; None for a key that is not there."""
    if len(read) < 2:
        return tuple(_comparable(getattr(app, name)) for name in _FIELDS.values())
    value = getattr(app, _FIELDS[read[1]])
    if isinstance(value, dict):
        return value.get(read[2]) if len(read) > 2 else _comparable(value)
    return value


def decide(policy: str, match: str, app: AppFacts) -> PolicyMatch:
    """Say whether a policy is for an application, and why."""
    values = MATCH.values(app=app)
    try:
        condition = MATCH.condition(match)
        if condition.holds(values):
            return PolicyMatch(policy=policy, outcome="matches", why=_read(condition, app))
        return PolicyMatch(policy=policy, outcome="differs", why=_why_not(condition, app, values))
    except (UndecidedError, ExpressionError) as error:
        return undecided(policy, error)


def undecided(policy: str, error: AppShieldError) -> PolicyMatch:
    """Say that a policy has no answer for an application."""
    return PolicyMatch(policy=policy, outcome="undecided", why=str(error))


def _conditions(rules: Iterable[ResolvedProtection]) -> Iterator[Condition]:
    for rule in rules:
        if isinstance(rule.trigger, SignalTrigger) and rule.trigger.when:
            yield SIGNAL.condition(rule.trigger.when)


def _why_not(condition: Condition, app: AppFacts, values: Values) -> str:
    for part in _conjuncts(condition.text):
        try:
            alone = MATCH.condition(part)
            holds = alone.holds(values)
        except (UndecidedError, ExpressionError):
            continue
        if not holds:
            return f"{part} does not hold: {_read(alone, app)}"
    return _read(condition, app)


def _read(condition: Condition, app: AppFacts) -> str:
    """Name the values that an expression read."""
    told = [f"{_written(read)} is {_shown(app, read)}" for read in sorted(condition.reads)]
    return ", ".join(told) or "it reads nothing of the application"


def _written(read: Read) -> str:
    plain = ".".join(read[:2])
    return f"{plain}[{read[2]!r}]" if len(read) > 2 else plain


def _shown(app: AppFacts, read: Read) -> str:
    value = read_value(app, read)
    if value is None:
        return "not there"
    if not isinstance(value, tuple):
        return repr(value)[:_SHOWN_CHARACTERS]
    return f"a list of {len(value)}" if value else "empty"


def _conjuncts(text: str) -> list[str]:
    """Split `a && b` into its parts; what is joined otherwise is one part."""
    depth, starts = 0, [0]
    ends: list[int] = []
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth == 0 and token.lastgroup == "other":
            return [text]
        if depth == 0 and token.lastgroup == "and":
            ends.append(token.start())
            starts.append(token.end())
    parts = zip(starts, [*ends, len(text)], strict=True)
    return [text[start:end].strip() for start, end in parts]


def _comparable(value: object) -> object:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
