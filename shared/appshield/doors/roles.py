"""The roles of a cluster's people: ClusterRoles made from the table of actions.

Each may what those before it may. Three of them are part of the cluster's own `view`, `edit` and
`admin`, so that a team that has these in its namespace needs nothing else. The fourth deletes
versions: it is given by name only, so that whoever takes over a namespace cannot take its backups,
too.
"""

from typing import Any

from appshield.doors.actions import ACTIONS, ROLES, Action, Role
from appshield.language.kinds import GROUP

Object = dict[str, Any]

AGGREGATED_TO: dict[Role, str] = {"viewer": "view", "operator": "edit", "restorer": "admin"}
"""The cluster's own role that each is part of."""

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "patch", "update")
_WITH_OBJECTS = frozenset({"applications", "backups", "policies", "profiles", "restores", "vaults"})
"""What kubectl can write, too: whoever may create it may correct it and take it away."""
_OBJECTS_OF_RUNS = ("backups", "restores")
"""Whoever may see runs may see the objects that ask for them."""


def role_name(role: Role) -> str:
    """Return the name of the ClusterRole."""
    return f"appshield-{role}"


def role_objects() -> tuple[Object, ...]:
    """Return every role, from the one that may least."""
    return tuple(_role(role) for role in ROLES)


def _role(role: Role) -> Object:
    labels = {"app.kubernetes.io/part-of": "appshield"}
    if role in AGGREGATED_TO:
        labels[f"rbac.authorization.k8s.io/aggregate-to-{AGGREGATED_TO[role]}"] = "true"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": role_name(role), "labels": labels},
        "rules": _rules(role),
    }


def _rules(role: Role) -> list[Object]:
    """Write the rights of a role: one rule for all resources with the same verbs."""
    verbs_of: dict[str, set[str]] = {}
    for action in ACTIONS:
        if ROLES.index(action.role) <= ROLES.index(role):
            for resource in _resources(action):
                verbs_of.setdefault(resource, set()).update(_verbs(action))
    rules: dict[tuple[str, ...], list[str]] = {}
    for resource, verbs in sorted(verbs_of.items()):
        rules.setdefault(tuple(sorted(verbs)), []).append(resource)
    return [
        {"apiGroups": [GROUP], "resources": resources, "verbs": list(verbs)}
        for verbs, resources in rules.items()
    ]


def _resources(action: Action) -> tuple[str, ...]:
    seen_with = _OBJECTS_OF_RUNS if action.verb == "list" and action.resource == "runs" else ()
    return (action.resource, *seen_with)


def _verbs(action: Action) -> tuple[str, ...]:
    if action.verb == "list":
        return _READ
    return _WRITE if action.resource in _WITH_OBJECTS else (action.verb,)
