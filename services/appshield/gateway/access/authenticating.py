"""Recognizing callers by whatever they show: a token, or the session of a browser.

Who shows bad tokens again and again is not listened to for a while, by address; a token that was
good a moment ago is, and one that can be verified without asking anybody. Each caller may ask only
so often. With a session, which a browser sends along whoever made the page, a request that changes
something must also carry a header that pages of others cannot set.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol

import msgspec

from appshield.errors import DeniedError, NotFoundError
from appshield.gateway.access.limits import Buckets
from appshield.gateway.access.login_links import redeem
from appshield.gateway.access.oidc_login import OidcLogin
from appshield.gateway.access.sessions import Sessions
from appshield.gateway.api.frame.callers import (
    OWN_HEADER,
    Caller,
    Credentials,
    TooManyRequestsError,
    UnauthenticatedError,
)
from appshield.gateway.api.frame.logins import LeftFor, LoginMethods, Session

FAILURES_BURST = 20
FAILURES_PER_S = 1 / 6


class Tokens(Protocol):
    """Recognizes tokens of one origin."""

    async def caller(self, token: str) -> Caller:
        """Say whose token that is.

        Raises:
            UnauthenticatedError: nobody's, or not any more.
            UnavailableError: it cannot be found out now.
        """


class TokensOfCluster(Tokens, Protocol):
    """Recognizes tokens of the cluster; asking about one that is not known costs the cluster."""

    def knows(self, token: str) -> bool:
        """Say whether the token was good a moment ago."""


class TokensOfProvider(Tokens, Protocol):
    """Recognizes tokens of an OpenID provider."""

    def concerned(self, token: str) -> bool:
        """Say whether a token says that it is of this provider."""


class Local(Protocol):
    """Knows the local user."""

    async def caller(self) -> Caller:
        """Say who that is.

        Raises:
            UnavailableError: it cannot be found out now.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often something may be done: by each caller, and wrongly from each address."""

    requests: Buckets
    failures: Buckets


class Authenticating:
    """Recognizes callers; begins and ends sessions.

    `oidc` is None without a provider, `provider` where nobody logs in there; without a
    `login_folder` there are no login links.
    """

    def __init__(
        self,
        *,
        cluster: TokensOfCluster,
        oidc: TokensOfProvider | None,
        local: Local,
        sessions: Sessions,
        limits: Limits,
        login_folder: Path | None,
        provider: OidcLogin | None = None,
    ) -> None:
        self._cluster = cluster
        self._oidc = oidc
        self._local = local
        self._sessions = sessions
        self._limits = limits
        self._login_folder = login_folder
        self._provider = provider

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is.

        Raises:
            UnauthenticatedError: nobody who is known.
            DeniedError: the request may have been made by a page of somebody else.
            TooManyRequestsError: too often, or too often wrongly.
            UnavailableError: it cannot be found out now.
        """
        if credentials.bearer:
            found = await self._by_token(credentials.bearer, credentials.address)
        elif credentials.session:
            found = await self._by_session(credentials)
        else:
            raise UnauthenticatedError(
                "nobody is logged in",
                next_step="Send a token as `Authorization: Bearer …`, or log in: `appshield web`.",
            )
        if wait_s := self._limits.requests.take(found.name):
            raise _too_many(f"{found.name} asks too often", wait_s)
        return msgspec.structs.replace(found, address=credentials.address)

    def methods(self) -> LoginMethods:
        """Say how one can log in."""
        name = self._provider.name if self._provider is not None else ""
        return LoginMethods(login_link=self._login_folder is not None, provider=name)

    async def recognize(self, *, code: str, bearer: str, address: str) -> Session:
        """Say who logs in, with the code of a login link or with a token; raises as `caller`."""
        if bearer:
            return Session(caller=await self._by_token(bearer, address), bearer=bearer)
        self._ensure_listening(address)
        folder = self._login_folder
        if folder is None or not await asyncio.to_thread(redeem, folder, code):
            self._limits.failures.take(address)
            raise UnauthenticatedError(
                "the login link is not accepted",
                why="it was used already, or is too old",
                next_step="`appshield web` makes a new one.",
            )
        return Session(caller=await self._local.caller())

    async def leave(self, *, back_to: str) -> LeftFor:
        """Send a browser to the OpenID provider; see `Logins.leave`."""
        return await self._at_provider().leave(back_to)

    async def arrive(
        self, answer: Mapping[str, str], *, secret: str, back_to: str, address: str
    ) -> Session:
        """Say whom the OpenID provider sent back; see `Logins.arrive`."""
        self._ensure_listening(address)
        try:
            caller = await self._at_provider().arrive(answer, secret=secret, back_to=back_to)
        except UnauthenticatedError:
            self._limits.failures.take(address)
            raise
        return Session(caller=caller, as_told=True)

    async def begin(self, session: Session) -> str:
        """Begin a session; return its name."""
        return await self._sessions.begin(session)

    async def end(self, name: str) -> Session | None:
        """End a session; return what it was."""
        found = await self._sessions.of(name)
        await self._sessions.end(name)
        return found

    def _at_provider(self) -> OidcLogin:
        if self._provider is None:
            raise NotFoundError(
                "nobody logs in at an OpenID provider here",
                next_step="Set APPSHIELD_GATEWAY_OIDC_LOGIN_NAME, or log in another way.",
            )
        return self._provider

    async def _by_token(self, token: str, address: str) -> Caller:
        provider = self._oidc if self._oidc is not None and self._oidc.concerned(token) else None
        if provider is None and not self._cluster.knows(token):
            self._ensure_listening(address)
        try:
            return await (provider or self._cluster).caller(token)
        except UnauthenticatedError:
            self._ensure_listening(address)
            self._limits.failures.take(address)
            raise

    async def _by_session(self, credentials: Credentials) -> Caller:
        session = await self._sessions.of(credentials.session)
        if session is None:
            raise UnauthenticatedError(
                "the session has ended",
                next_step="Log in again: `appshield web` makes a link, or use a token.",
            )
        if credentials.changes and not credentials.own_header:
            raise DeniedError(
                "the request is not accepted with a session",
                why=f"it lacks the header {OWN_HEADER}: a page of somebody else may have made it",
                next_step=f"Send `{OWN_HEADER}: 1`, or a token instead of the session.",
            )
        try:
            found = await self._who(session, credentials.address)
        except UnauthenticatedError:
            await self._sessions.end(credentials.session)
            raise
        return msgspec.structs.replace(found, how="session")

    async def _who(self, session: Session, address: str) -> Caller:
        if session.bearer:
            return await self._by_token(session.bearer, address)
        return session.caller if session.as_told else await self._local.caller()

    def _ensure_listening(self, address: str) -> None:
        if wait_s := self._limits.failures.wait_s(address):
            raise _too_many(f"too many failed logins from {address}", wait_s)


def _too_many(what: str, wait_s: float) -> TooManyRequestsError:
    return TooManyRequestsError(what, retry_after_s=ceil(wait_s))
