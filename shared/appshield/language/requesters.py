"""Who wrote a `Backup` or `Restore`: two annotations whose truth the API server sees to. Pure.

A webhook of the gate writes name and groups of the writer there. It may be away, and whoever finds
its port may ask it: so it is taken at no word. A policy of the API server itself refuses what is
not the writer's own name and groups, and every later change. What stands there is true, whoever
wrote it; where nothing stands, nobody knows.
"""

from typing import Any
from urllib.parse import unquote

import msgspec

Object = dict[str, Any]

REQUESTED_BY = "appshield.io/requested-by"
REQUESTED_GROUPS = "appshield.io/requested-by-groups"
"""Separated by commas; a comma in a name is written `%2C`, and `%` is written `%25`."""
RUN_ANYWAY = "appshield.io/run-anyway"
"""Annotation of a wish that is older than the installation and is meant to be done all the same.

A cluster that is set up from a repository of documents gets old wishes with new objects around.
Whoever writes it asks for what the object says, as if they had made it.
"""
UNKNOWN = "unknown (written while AppShield was away)"
"""Who wrote an object that does not say so."""

_BEFORE = "oldObject == null ? '' : oldObject.metadata"
_OWN_GROUPS = (
    "(has(request.userInfo.groups) ? request.userInfo.groups : [])"
    ".map(one, one.replace('%', '%25').replace(',', '%2C')).join(',')"
)


class Requester(msgspec.Struct, frozen=True):
    """Who wrote an object, as the API server knows them."""

    name: str
    groups: tuple[str, ...] = ()


def requester_of(annotations: dict[str, str]) -> Requester | None:
    """Return who wrote an object; None where it does not say."""
    name = annotations.get(REQUESTED_BY, "")
    groups = annotations.get(REQUESTED_GROUPS, "")
    if not name:
        return None
    return Requester(name, tuple(map(unquote, groups.split(","))) if groups else ())


def annotations_for(requester: Requester) -> dict[str, str]:
    """Write down who wrote an object."""
    groups = (group.replace("%", "%25").replace(",", "%2C") for group in requester.groups)
    return {REQUESTED_BY: requester.name, REQUESTED_GROUPS: ",".join(groups)}


def variables() -> dict[str, str]:
    """Give what the policy and the webhook look at, as CEL: written, written before, own."""
    texts = {"anyway": RUN_ANYWAY, "by": REQUESTED_BY, "groups": REQUESTED_GROUPS}
    now = {name: f"object.metadata.{_annotation(key)}" for name, key in texts.items()}
    before = {f"{name}_before": f"{_BEFORE}.{_annotation(key)}" for name, key in texts.items()}
    return now | before | {"own_groups": _OWN_GROUPS}


def truth() -> Object:
    """Give the one demand of the policy."""
    return {
        "expression": "oldObject == null || variables.anyway != variables.anyway_before ? "
        "(variables.by == '' && variables.groups == '') || "
        "(variables.by == request.userInfo.username && variables.groups == variables.own_groups) "
        ": variables.by == variables.by_before && variables.groups == variables.groups_before",
        "messageExpression": "request.userInfo.username + ' may not write what is not so: the "
        f"annotations {REQUESTED_BY} and {REQUESTED_GROUPS} say who did ask for this, and stay as "
        "they are; leave them out when you make it, and as they are afterwards'",
    }


def asks_anew() -> str:
    """Give the condition under which the webhook is asked: a new wish, or another writer."""
    differs = (
        f"object.metadata.{_annotation(key)} != oldObject.metadata.{_annotation(key)}"
        for key in (RUN_ANYWAY, REQUESTED_BY, REQUESTED_GROUPS)
    )
    return f"oldObject == null || {' || '.join(differs)}"


def _annotation(key: str) -> str:
    return f"?annotations[?'{key}'].orValue('')"
