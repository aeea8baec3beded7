"""Who is who and may what, as the real API server says it: tokens, roles, rights."""

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest

from appshield.doors.actions import ACTIONS, ROLES, Action
from appshield.doors.roles import AGGREGATED_TO, role_name
from appshield.errors import UnavailableError
from appshield.gateway.access.local_user import LocalUser
from appshield.gateway.access.tokens import ClusterTokens
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.kubernetes import Cluster, ClusterAccess, Object, kinds
from appshield.local.cluster import ClusterFacts
from appshield.rights.access import Access
from appshield.rights.reviews import Reviews
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in
from rights import account_in, give, kubeconfig, token_of
from waiting import wait_until

OWN_AUDIENCE = "appshield"


class Place:
    """A namespace of the real cluster, with accounts and roles in it."""

    def __init__(self, admin: Cluster, namespace: str) -> None:
        self.admin = admin
        self.namespace = namespace

    async def token(self, account: str, *audiences: str) -> str:
        """Ask for a token of an account."""
        return await token_of(self.admin, self.namespace, account, *audiences)

    async def someone_with(self, role: str) -> Caller:
        """Name a person who has a cluster role in this namespace and nothing else."""
        name = f"{role}-{secrets.token_hex(4)}"
        subject: Object = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}
        await give(self.admin, self.namespace, role, subject)
        return Caller(name=name, groups=("system:authenticated",))


@pytest.fixture
async def place(local_cluster: ClusterFacts) -> AsyncIterator[Place]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as admin:
        await install_kinds(admin)
        async with namespace_in(admin) as namespace:
            yield Place(admin, namespace)


async def test_a_token_is_its_account(place: Place) -> None:
    """With the groups by which rights are given; the second time nobody is asked."""
    await account_in(place.admin, place.namespace, "ann")
    tokens, token = ClusterTokens(place.admin.requests.send), await place.token("ann")
    assert not tokens.knows(token)
    caller = await tokens.caller(token)
    assert caller.name == f"system:serviceaccount:{place.namespace}:ann"
    assert f"system:serviceaccounts:{place.namespace}" in caller.groups
    assert caller.uid
    assert tokens.knows(token)
    assert await tokens.caller(token) == caller


async def test_a_token_that_is_over_is_nobody(place: Place, local_cluster: ClusterFacts) -> None:
    """Whether its time is, or its account."""
    await account_in(place.admin, place.namespace, "ann")
    token = await place.token("ann")
    over = await _signed_again(token, local_cluster, exp=int(time.time()) - 60)
    with pytest.raises(UnauthenticatedError, match="not accepted"):
        await ClusterTokens(place.admin.requests.send).caller(over)
    later = await _signed_again(token, local_cluster, exp=int(time.time()) + 60)
    assert await ClusterTokens(place.admin.requests.send).caller(later)
    await place.admin.delete(kinds.SERVICE_ACCOUNT, "ann", namespace=place.namespace)

    async def refused() -> bool:
        try:
            await ClusterTokens(place.admin.requests.send).caller(token)
        except UnauthenticatedError:
            return True
        return False

    await wait_until(refused, deadline_s=60, what="the token of a deleted account is nobody's")


async def test_a_forged_token_is_nobody(place: Place) -> None:
    """So is garbage, of any length."""
    await account_in(place.admin, place.namespace, "ann")
    head, content, _ = (await place.token("ann")).split(".")
    tokens = ClusterTokens(place.admin.requests.send)
    for forged in (f"{head}.{content}.AAAA", f"{head}.{content}.", "garbage", "é", "x" * 30_000):
        with pytest.raises(UnauthenticatedError):
            await tokens.caller(forged)
        assert not tokens.knows(forged)


async def test_a_token_for_somebody_else_is_nobody(place: Place) -> None:
    """One that was made for us cannot be used on the cluster, and the other way round."""
    await account_in(place.admin, place.namespace, "ann")
    ours, theirs = await place.token("ann", OWN_AUDIENCE), await place.token("ann")
    for_us = ClusterTokens(place.admin.requests.send, [OWN_AUDIENCE])
    assert (await for_us.caller(ours)).name.endswith(":ann")
    with pytest.raises(UnauthenticatedError):
        await for_us.caller(theirs)
    with pytest.raises(UnauthenticatedError):
        await ClusterTokens(place.admin.requests.send).caller(ours)


async def test_roles_allow_what_the_table_of_actions_says(place: Place) -> None:
    """Every role × every action on the real API server, ours and the cluster's own alike."""
    await _until_aggregated(place)
    roles = {role_name(role): role for role in ROLES}
    roles |= {of_cluster: role for role, of_cluster in AGGREGATED_TO.items()}
    people = {name: await place.someone_with(name) for name in roles}
    access = Access(Reviews(place.admin.requests.send))
    found: dict[tuple[str, str], bool] = {}
    for name, person in people.items():
        for action in ACTIONS:
            found[name, action.name] = await access.may(person, action, place.namespace)
    assert found == {
        (name, action.name): ROLES.index(action.role) <= ROLES.index(role)
        for name, role in roles.items()
        for action in ACTIONS
    }


async def test_a_role_ends_at_its_namespace(place: Place) -> None:
    """Lists show what is in it and nothing else; who has no role sees nothing."""
    await _until_aggregated(place)
    access, see = Access(Reviews(place.admin.requests.send)), ACTIONS[0]
    viewer = await place.someone_with("view")
    everywhere = [place.namespace, "default", "kube-system", "no-such"]
    assert await access.visible(viewer, see, everywhere) == {place.namespace}
    assert not await access.may(viewer, see, "")
    nobody = Caller(name="nobody", groups=("system:authenticated",))
    assert await access.visible(nobody, see, everywhere) == frozenset()
    admin = await LocalUser(place.admin).caller()
    assert await access.visible(admin, see, everywhere) == set(everywhere)
    assert all([await access.may(admin, action, "") for action in ACTIONS])


async def test_who_may_not_ask_for_others_cannot_let_anybody_in(
    place: Place, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """An AppShield without that right says so, and takes nobody for anybody."""
    await account_in(place.admin, place.namespace, "poor")
    token = await place.token("poor")
    access = ClusterAccess(
        kubeconfig=str(kubeconfig(local_cluster.kubeconfig, tmp_path / "poor", token=token))
    )
    async with Cluster.connect(access) as poor:
        with pytest.raises(UnavailableError, match="system:auth-delegator"):
            await ClusterTokens(poor.requests.send).caller(token)
        with pytest.raises(UnavailableError, match="system:auth-delegator"):
            await Access(Reviews(poor.requests.send)).may(Caller(name="ann"), ACTIONS[0], "default")


async def _until_aggregated(place: Place) -> None:
    """The cluster's controller adds our rights to its own roles a moment after they are stored."""
    wanted = {AGGREGATED_TO[action.role]: action for action in ACTIONS if action.role != "admin"}

    async def aggregated() -> bool:
        roles = [await place.admin.get(kinds.CLUSTER_ROLE, name) for name in wanted]
        return all(
            role is not None and _has(role, action)
            for role, action in zip(roles, wanted.values(), strict=True)
        )

    await wait_until(aggregated, deadline_s=60, what="roles are aggregated")


def _has(role: Mapping[str, Any], action: Action) -> bool:
    return any(
        action.resource in rule.get("resources", []) and action.verb in rule["verbs"]
        for rule in role["rules"] or []
    )


async def _signed_again(token: str, facts: ClusterFacts, **claims: int) -> str:
    """Sign a token with other claims, as the API server itself would: with the cluster's key."""
    key = (facts.kubeconfig.parent / "pki" / "tokens.key").read_bytes()
    content = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    return jwt.encode(
        {**content, **claims}, key, algorithm=header["alg"], headers={"kid": header["kid"]}
    )
