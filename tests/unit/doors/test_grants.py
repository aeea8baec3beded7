"""A grant gives what it says and no subject more."""

import itertools

import pytest
from msgspec.structs import replace

from appshield.contracts import subjects
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Request
from appshield.contracts.permissions import USERS
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCatalog,
    RequestForget,
    RequestRestore,
)
from appshield.doors.actions import ROLES, Role
from appshield.doors.grants import Grant, checked, refusal, user_of
from appshield.doors.wanting import WANTED, needs
from appshield.errors import InvalidInputError

APP = AppRef(cluster="c", namespace="shop", name="web")
GRANT = Grant(name="deploy", role="operator", cluster="c", namespaces=("shop", "my.team"))
BACKUP = RequestBackup(app=APP, request_id="b", actor="deploy", door="bus")
RESTORE = RequestRestore(app=APP, request_id="r", actor="deploy", door="bus", version=1)


def test_a_user_asks_in_its_own_name_and_namespaces_for_what_its_role_may() -> None:
    """Each subject is as narrow as the server can make it."""
    may = user_of(GRANT).publishes
    assert BACKUP.subject() == "appshield.v1.cmd.backup.request.c.shop.web.bus.deploy"
    assert _passes(may, BACKUP.subject())
    elsewhere = AppRef(cluster="c", namespace="other", name="web")
    far_away = AppRef(cluster="d", namespace="shop", name="web")
    for forged in (
        replace(BACKUP, actor="somebody"),
        replace(BACKUP, door="local"),
        replace(BACKUP, door="rest"),
        replace(BACKUP, app=elsewhere),
        replace(BACKUP, app=far_away),
        RESTORE,
    ):
        assert not _passes(may, forged.subject()), forged.subject()


@pytest.mark.parametrize(("role", "request_kind"), list(itertools.product(ROLES, WANTED)))
def test_the_server_lets_pass_what_the_planner_lets_pass(
    role: Role, request_kind: type[Request]
) -> None:
    """Role by role and kind by kind, both come from the one table."""
    grant = replace(GRANT, role=role)
    subject = subjects.request(request_kind.noun, APP, door="bus", actor="deploy")
    roles = [ROLES.index(action.role) for action in WANTED[request_kind]]
    expected = max(roles) <= ROLES.index(role) and request_kind is not RequestCatalog
    assert _passes(user_of(grant).publishes, subject) == expected


def test_a_user_reads_no_bucket_and_no_stream() -> None:
    """Their pages and keys hold all applications; facts can be told apart by their subjects."""
    user = user_of(GRANT)
    assert (user.reads, user.looks_at, user.keeps, user.consumes) == ((), (), (), ())
    assert not user.administers
    for pattern in (*user.listens, *user.latest):
        assert ".c.shop." in pattern or ".c.my_team." in pattern
        assert pattern.startswith(("appshield.v1.evt.", "appshield.v1.live."))


def test_a_signal_is_sent_by_those_only_who_may() -> None:
    """It belongs to no namespace, so that no role gives it."""
    assert not _passes(user_of(replace(GRANT, role="admin")).publishes, subjects.signal("done"))
    assert _passes(user_of(replace(GRANT, signals=("done",))).publishes, subjects.signal("done"))


def test_a_refusal_names_the_right_that_is_missing() -> None:
    """Where it is missing, what the user may, and what to do."""
    assert refusal(BACKUP, GRANT) is None
    said = str(refusal(RESTORE, GRANT))
    assert said == (
        "deploy may not read what versions hold in namespace shop: that needs `get versions/data "
        "in namespace shop`, and it is operator in shop, my.team. `appshield bus-user add` gives "
        "it another role, or another namespace."
    )
    restorer = replace(GRANT, role="restorer")
    assert refusal(RESTORE, restorer) is None
    away = replace(RESTORE, target_namespace="other")
    assert "create restores in namespace other" in str(refusal(away, restorer))
    assert refusal(replace(RESTORE, target_namespace="my.team"), restorer) is None
    forget = RequestForget(
        app=APP, request_id="f", actor="deploy", door="bus", app_id="a-1", versions=(1,)
    )
    assert "delete versions in namespace shop" in str(refusal(forget, restorer))
    assert refusal(forget, replace(GRANT, role="admin")) is None
    assert refusal(RequestApprove(app=APP, request_id="a", run="r-1"), GRANT) is not None


def test_nobody_without_a_grant_may_anything() -> None:
    """Nor with one for another cluster, nor for what belongs to the whole cluster."""
    assert "deploy may ask for nothing in cluster c" in str(refusal(BACKUP, None))
    assert refusal(BACKUP, replace(GRANT, cluster="d")) is not None
    catalog = RequestCatalog(app=APP, request_id="c", actor="deploy", door="bus", vault="v")
    assert "in the whole cluster" in str(refusal(catalog, replace(GRANT, role="admin")))
    assert not any(map(replace(GRANT, role="admin").allows, needs(catalog)))


@pytest.mark.parametrize("name", ["", "a.b", "*", ">", "A", "a b", "-a", "a" * 64, "a_b", "ä"])
def test_a_name_that_could_widen_a_subject_is_refused(name: str) -> None:
    """As a user, a namespace's part or a signal."""
    with pytest.raises(InvalidInputError, match="no name for a user of the bus"):
        checked(replace(GRANT, name=name))
    with pytest.raises(InvalidInputError, match="no name for a signal"):
        checked(replace(GRANT, signals=(name,)))


@pytest.mark.parametrize("namespace", ["", "*", ">", "a b", "A"])
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    """A wildcard would be every namespace."""
    with pytest.raises(InvalidInputError, match="is no namespace"):
        checked(replace(GRANT, namespaces=(namespace,)))


@pytest.mark.parametrize("name", [user.name for user in USERS])
def test_no_user_takes_the_name_of_a_service(name: str) -> None:
    """Its answers would arrive in that service's inbox."""
    with pytest.raises(InvalidInputError, match="is a user of AppShield itself"):
        checked(replace(GRANT, name=name))


def _passes(patterns: tuple[str, ...], subject: str) -> bool:
    return any(subjects.matches(subject, pattern) for pattern in patterns)
