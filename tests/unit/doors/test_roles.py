"""Roles are made of the table of actions, and of nothing else."""

from itertools import pairwise

import pytest

from appshield.doors.actions import ACTIONS, ROLES, Action, Role
from appshield.doors.roles import role_name, role_objects
from appshield.language.kinds import GROUP

OBJECTS = dict(zip(ROLES, role_objects(), strict=True))


def rights_of(role: Role) -> set[tuple[str, str]]:
    """Return every (verb, resource) of a role."""
    return {
        (verb, resource)
        for rule in OBJECTS[role]["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_is_allowed_from_its_role_on(action: Action) -> None:
    """And in none of those before it."""
    least = ROLES.index(action.role)
    allowed = [(action.verb, action.resource) in rights_of(role) for role in ROLES]
    assert allowed == [at >= least for at in range(len(ROLES))]


def test_each_role_may_what_those_before_it_may() -> None:
    """So that one is enough for anybody."""
    for less, more in pairwise(ROLES):
        assert rights_of(less) < rights_of(more)


def test_a_viewer_changes_nothing_and_reads_no_data() -> None:
    """Roles of monitoring are given away easily."""
    assert {verb for verb, _ in rights_of("viewer")} == {"get", "list", "watch"}
    assert not any(resource.startswith("versions/") for _, resource in rights_of("viewer"))


def test_who_has_a_namespace_needs_no_other_role_but_to_delete_versions() -> None:
    """Whoever takes over an account of a namespace does not get its backups, too."""
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    aggregated = {
        role: [label.removeprefix(prefix) for label in obj["metadata"]["labels"] if prefix in label]
        for role, obj in OBJECTS.items()
    }
    assert aggregated == {
        "viewer": ["view"],
        "operator": ["edit"],
        "restorer": ["admin"],
        "admin": [],
    }


def test_roles_are_about_nothing_else() -> None:
    """No rule has a wildcard, or a group that is not ours."""
    for role, obj in OBJECTS.items():
        assert obj["metadata"]["name"] == role_name(role) == f"appshield-{role}"
        assert {group for rule in obj["rules"] for group in rule["apiGroups"]} == {GROUP}
        assert not any("*" in one for rule in obj["rules"] for one in rule["resources"])
        assert not any("*" in rule["verbs"] for rule in obj["rules"])
