"""From the claims of a verified token to a caller. Pure.

Names of people and groups get a prefix, as the API server's own OpenID settings give one, so that a
provider cannot make anybody a user that the cluster knows otherwise. Names that belong to the
cluster itself (`system:…`) are nobody's.
"""

from collections.abc import Mapping

import msgspec

from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError

EVERYBODY = "system:authenticated"
"""The group that the API server itself adds to everybody who is known."""
_OF_THE_CLUSTER = "system:"


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Which claim holds the name and which the groups, and what is written before either."""

    username: str = "sub"
    username_prefix: str = "oidc:"
    groups: str = "groups"
    groups_prefix: str = "oidc:"


def caller_of(found: Mapping[str, object], claims: Claims) -> Caller:
    """Say who a token stands for.

    Raises:
        UnauthenticatedError: it names nobody, or somebody of the cluster's own.
    """
    name = found.get(claims.username)
    if not isinstance(name, str) or not name:
        raise _refused(f"it has no claim {claims.username} with a name")
    if claims.username == "email" and found.get("email_verified", True) is not True:
        raise _refused("its e-mail address was not verified by the provider")
    name = claims.username_prefix + name
    if name.startswith(_OF_THE_CLUSTER):
        raise _refused(f"names that begin with {_OF_THE_CLUSTER} belong to the cluster")
    return Caller(name=name, groups=(*_groups(found, claims), EVERYBODY), how="oidc")


def _groups(found: Mapping[str, object], claims: Claims) -> list[str]:
    given = found.get(claims.groups, [])
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list):
        raise _refused(f"its claim {claims.groups} is no list of names")
    names = [claims.groups_prefix + one for one in listed if isinstance(one, str) and one]
    return [name for name in names if not name.startswith(_OF_THE_CLUSTER)]


def _refused(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        "the token is not accepted", why=why, next_step="Ask whoever runs the OpenID provider."
    )
