"""Label selectors, with the meaning that Kubernetes gives them.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from appshield.language.resolved import ResolvedSelector
from appshield.language.resources import Requirement


def label_selector(written: dict[str, Any]) -> ResolvedSelector | None:
    """Return the selector that stands in an object; None for one that says nothing."""
    labels, requirements = written.get("matchLabels"), written.get("matchExpressions")
    try:
        selector = ResolvedSelector(
            match_labels=msgspec.convert(labels or {}, dict[str, str]),
            match_expressions=msgspec.convert(requirements or (), tuple[Requirement, ...]),
        )
    except msgspec.ValidationError:
        return None  # a custom resource of another shape
    return selector if selector.match_labels or selector.match_expressions else None


def matches_labels(selector: ResolvedSelector, labels: Mapping[str, str]) -> bool:
    """Whether every condition of the selector holds; an empty selector holds for all."""
    wanted = selector.match_labels.items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def described(selector: ResolvedSelector) -> str:
    """Return the selector as people write it: `tier=web,env in (a, b)`."""
    parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    for one in selector.match_expressions:
        match one.operator:
            case "Exists":
                parts.append(one.key)
            case "DoesNotExist":
                parts.append(f"!{one.key}")
            case _:
                word = "in" if one.operator == "In" else "notin"
                parts.append(f"{one.key} {word} ({', '.join(one.values)})")
    return ",".join(parts) or "everything"


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
