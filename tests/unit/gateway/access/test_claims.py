"""From verified claims to a caller."""

import pytest

from appshield.gateway.access.claims import Claims, caller_of
from appshield.gateway.api.frame.callers import UnauthenticatedError

ANN = {"sub": "ann", "groups": ["sales", "ops"]}


def test_names_get_their_prefixes() -> None:
    """So that a provider makes nobody a user that the cluster knows otherwise."""
    caller = caller_of(ANN, Claims())
    assert (caller.name, caller.how) == ("oidc:ann", "oidc")
    assert caller.groups == ("oidc:sales", "oidc:ops", "system:authenticated")


def test_other_claims_can_hold_them() -> None:
    """As the provider has it."""
    claims = Claims(username="email", username_prefix="", groups="roles", groups_prefix="")
    caller = caller_of({"email": "ann@shop", "email_verified": True, "roles": "sales"}, claims)
    assert (caller.name, caller.groups) == ("ann@shop", ("sales", "system:authenticated"))


@pytest.mark.parametrize(
    "claims",
    [{}, {"sub": ""}, {"sub": 7}, {"sub": ["ann"]}, {"sub": "ann", "groups": {"sales": True}}],
)
def test_what_names_nobody_is_nobody(claims: dict[str, object]) -> None:
    """Whatever form it has."""
    with pytest.raises(UnauthenticatedError, match="not accepted"):
        caller_of(claims, Claims())


@pytest.mark.parametrize("verified", [False, "true", 1, None])
def test_an_address_that_was_not_verified_is_nobody(verified: object) -> None:
    """Anybody can write any address into an account."""
    with pytest.raises(UnauthenticatedError, match="verified"):
        caller_of({"email": "ann@shop", "email_verified": verified}, Claims(username="email"))


def test_nobody_becomes_a_part_of_the_cluster() -> None:
    """Neither by name nor by group, also without prefixes."""
    bare = Claims(username_prefix="", groups_prefix="")
    with pytest.raises(UnauthenticatedError, match="belong to the cluster"):
        caller_of({"sub": "system:admin"}, bare)
    found = caller_of({"sub": "ann", "groups": ["system:masters", "ops", 7, ""]}, bare)
    assert found.groups == ("ops", "system:authenticated")
