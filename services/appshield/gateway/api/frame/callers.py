"""Who asks: found once for each request, before anything else is looked at."""

from typing import Literal, Protocol

import msgspec

from appshield.errors import AppShieldError
from appshield.kubernetes import Actor

OWN_HEADER = "X-AppShield"
"""The header that our own pages send, and that pages of others cannot."""


class UnauthenticatedError(AppShieldError):
    """Nobody is known by what came with the request."""


class TooManyRequestsError(AppShieldError):
    """The caller, or the address, has asked too often; `retry_after_s` says when to ask again."""

    def __init__(self, what: str, *, retry_after_s: int) -> None:
        super().__init__(what, next_step=f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class Caller(Actor, frozen=True, kw_only=True):
    """Whoever asks, as the cluster knows them.

    `how` they were recognized: by a token of the cluster, by one of an OpenID provider, or by a
    session of a browser. `address` is where the request came from, for the audit.
    """

    how: Literal["cluster", "oidc", "session"] = "cluster"
    address: str = ""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a request that could say who asks; never shown and never logged.

    `changes`: the request is one that changes something; `own_header`: it carries a header that
    pages of others cannot set.
    """

    bearer: str = ""
    session: str = ""
    address: str = ""
    changes: bool = False
    own_header: bool = False

    def __repr__(self) -> str:
        return f"Credentials(address={self.address!r})"


class Authenticator(Protocol):
    """Recognizes callers."""

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is.

        Raises:
            UnauthenticatedError: nobody who is known.
            DeniedError: with a session, a page of somebody else may have made the request.
            TooManyRequestsError: too often, or too often wrongly.
            UnavailableError: it cannot be found out now.
        """
