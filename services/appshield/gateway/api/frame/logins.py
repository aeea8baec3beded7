"""How browsers log in: what sessions hold, and the ports that begin and end them."""

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError

LoginProblem = Literal["refused", "expired", "unavailable", "too-often", "not-accepted"]
"""Why a browser comes back from an OpenID provider without a session; each has a text there."""


class LoginFailedError(UnauthenticatedError):
    """A login at an OpenID provider came to nothing; `code` says why, for the page to tell."""

    def __init__(
        self, code: LoginProblem, what: str, *, why: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what, why=why, next_step=next_step)
        self.code = code


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody logged in with, and who that was then.

    With a `bearer` token it is that token's as long as it is good; `as_told` by an OpenID provider
    it is the `caller`'s; else the local user's.
    """

    caller: Caller
    bearer: str = ""
    as_told: bool = False

    def __repr__(self) -> str:
        return f"Session({self.caller.name})"


class LoginMethods(msgspec.Struct, frozen=True, kw_only=True):
    """How one can log in here, beside a token: by login links, at the provider of that name."""

    login_link: bool
    provider: str = ""


class LeftFor(msgspec.Struct, frozen=True, kw_only=True):
    """A browser on its way to the OpenID provider: where to, and the secret it comes back with."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return "LeftFor()"


class Logins(Protocol):
    """Begins and ends sessions of browsers."""

    def methods(self) -> LoginMethods:
        """Say how one can log in."""

    async def recognize(self, *, code: str, bearer: str, address: str) -> Session:
        """Say who logs in, with the code of a login link or else with a token.

        Raises:
            UnauthenticatedError: the code or the token is not accepted.
            TooManyRequestsError: too often wrongly.
            UnavailableError: it cannot be found out now.
        """

    async def leave(self, *, back_to: str) -> LeftFor:
        """Send a browser to the OpenID provider, which sends it `back_to` this address.

        Raises:
            NotFoundError: no login at a provider is set up.
            UnavailableError: the provider cannot be reached.
        """

    async def arrive(
        self, answer: Mapping[str, str], *, secret: str, back_to: str, address: str
    ) -> Session:
        """Say whom the provider sent back, by the `answer` in the address and the cookie.

        Raises:
            UnauthenticatedError: nobody, or not by way of this browser.
            TooManyRequestsError: too often wrongly.
            UnavailableError: the provider cannot be reached.
        """

    async def begin(self, session: Session) -> str:
        """Begin a session; return its name.

        Raises:
            UnavailableError: it cannot be kept now.
        """

    async def end(self, name: str) -> Session | None:
        """End a session; return what it was, None where there is none.

        Raises:
            UnavailableError: it cannot be ended now.
        """
