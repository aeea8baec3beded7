"""Tokens of the cluster: the API server says whose they are (TokenReview).

What it said about a good token is used for some seconds, and never after the token's own end. The
API server's texts are not passed on.
"""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Sequence

import msgspec

from appshield.errors import DeniedError, UnavailableError
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.kubernetes import Kind
from appshield.kubernetes.identity import UserInfo
from appshield.kubernetes.kinds import Object
from appshield.kubernetes.requests import Call, Send
from appshield.rights.brief import Answer, Brief

USED_FOR_S = 10.0
_ENTRIES_MAX = 10_000
_TOKEN_REVIEW = Kind("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)


class _Status(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: UserInfo = UserInfo()
    audiences: tuple[str, ...] = ()


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class ClusterTokens:
    """Recognizes tokens that the cluster accepts.

    With `audiences`, only tokens that were made for one of them; without, those that are for the
    API server itself.
    """

    def __init__(
        self,
        send: Send,
        audiences: Sequence[str] = (),
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._audiences = list(audiences)
        self._now_s = now_s
        self._known: Brief[bytes, Caller] = Brief(entries_max=_ENTRIES_MAX)

    def knows(self, token: str) -> bool:
        """Say whether the token was good a moment ago."""
        return self._known.known(_digest(token)) is not None

    async def caller(self, token: str) -> Caller:
        """Say whose token that is.

        Raises:
            UnauthenticatedError: nobody's, or it is over, or for somebody else to read.
            UnavailableError: the cluster cannot be asked now.
        """
        return await self._known.get(_digest(token), lambda: self._ask(token))

    async def _ask(self, token: str) -> Answer[Caller]:
        spec: Object = {"token": token}
        if self._audiences:
            spec["audiences"] = self._audiences
        call = Call(
            method="POST",
            path=_TOKEN_REVIEW.path(),
            body={"apiVersion": _TOKEN_REVIEW.api_version, "kind": "TokenReview", "spec": spec},
            doing="ask whose a token is",
            confidential=True,
        )
        try:
            answer = await self._send(call)
        except DeniedError as error:
            raise UnavailableError(
                "AppShield cannot ask the cluster who callers are",
                why="its own account lacks the right to",
                next_step="Bind the cluster role system:auth-delegator to it.",
            ) from error
        status = msgspec.convert(answer, _Review).status
        fits = not self._audiences or bool(set(self._audiences) & set(status.audiences))
        if not status.authenticated or not status.user.username or not fits:
            raise UnauthenticatedError(
                "the token is not accepted",
                why="the cluster does not know it, it is over, or it was made for something else",
                next_step="Use a fresh one, as `kubectl create token` makes.",
            )
        user = status.user
        caller = Caller(
            name=user.username, groups=user.groups, uid=user.uid, extra=user.extra, how="cluster"
        )
        ends_at_s = ends_at(token)
        left_s = ends_at_s - self._now_s() if ends_at_s is not None else USED_FOR_S
        return Answer(caller, min(USED_FOR_S, left_s))


def claims_of(token: str) -> dict[str, object]:
    """Read what a token says of itself, whoever made it; empty when it says nothing."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(raw, type=dict[str, object])
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return {}


def ends_at(token: str) -> float | None:
    """Read when a token ends, in seconds since 1970; None when it does not say."""
    end = claims_of(token).get("exp")
    return float(end) if isinstance(end, int | float) else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
