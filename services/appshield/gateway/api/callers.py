"""Who asks: found once for each request, before anything else is looked at."""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from appshield.errors import AppShieldError


class UnauthenticatedError(AppShieldError):
    """Nobody is known by what came with the request."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks, as the cluster knows them.

    `how` they were recognized: by a token of the cluster, by one of an OpenID provider, or by a
    session of a browser. `address` is where the request came from, for the audit.
    """

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = {}
    how: Literal["cluster", "oidc", "session"] = "cluster"
    address: str = ""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a request that could say who asks; never shown and never logged."""

    bearer: str = ""
    session: str = ""
    address: str = ""

    def __repr__(self) -> str:
        return f"Credentials(address={self.address!r})"


class Authenticator(Protocol):
    """Recognizes callers."""

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is.

        Raises:
            UnauthenticatedError: nobody who is known.
            UnavailableError: it cannot be found out now.
        """
