"""Sessions of browsers: a name at random in a cookie, and who it stands for, in memory alone.

A session holds what somebody logged in with, not who they were then: the cluster is asked about it
again and again, so a token that ends or is revoked ends its session. A gateway that starts again
knows none.
"""

import hashlib
import secrets
import time
from collections.abc import Callable

import msgspec

LIVES_S = 12 * 3600.0
IDLE_S = 2 * 3600.0
"""A session ends when it was not used for so long."""
_NAME_BYTES = 32


class Session(msgspec.Struct, frozen=True):
    """What somebody logged in with: a token; empty for a login link, so for the local user."""

    bearer: str = ""

    def __repr__(self) -> str:
        return f"Session(local={not self.bearer})"


class Sessions:
    """The sessions of one gateway. Only digests of their names are kept."""

    def __init__(
        self,
        *,
        lives_s: float = LIVES_S,
        idle_s: float = IDLE_S,
        entries_max: int = 10_000,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lives_s = lives_s
        self._idle_s = idle_s
        self._entries_max = entries_max
        self._now_s = now_s
        self._open: dict[bytes, tuple[Session, float, float]] = {}

    def begin(self, session: Session) -> str:
        """Begin a session; return its name, for the cookie."""
        name, now_s = secrets.token_urlsafe(_NAME_BYTES), self._now_s()
        self._open[_digest(name)] = (session, now_s + self._lives_s, now_s + self._idle_s)
        if len(self._open) > self._entries_max:
            del self._open[next(iter(self._open))]
        return name

    def of(self, name: str) -> Session | None:
        """Return the session of that name, and note that it is used; None when it has ended."""
        digest, now_s = _digest(name), self._now_s()
        found = self._open.pop(digest, None)
        if found is None or now_s >= min(found[1], found[2]):
            return None
        self._open[digest] = (found[0], found[1], now_s + self._idle_s)  # used last: stands last
        return found[0]

    def end(self, name: str) -> None:
        """End a session."""
        self._open.pop(_digest(name), None)


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
