"""Sessions of browsers: a name at random in a cookie, and what somebody logged in with.

They are kept in a bucket, so a gateway that starts again knows them, and so does the one beside it.
The bucket holds digests of the names, and the rest sealed with a key that is made of the name: who
reads the bucket can neither use a session nor see a token.

A session holds a token, not who that was then: the cluster is asked about it again and again, so a
token that ends or is revoked ends its session. Only whom an OpenID provider sent here is known as
it said then, for some hours.
"""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appshield.bus import Bus, Entry, StaleRevisionError
from appshield.contracts.sessions import KeptSession
from appshield.contracts.streams import SESSIONS
from appshield.gateway.api.frame.logins import Session
from appshield.service import Clock

LIVES = timedelta(seconds=SESSIONS.live_s)
AS_TOLD_LIVES = timedelta(hours=8)
"""How long an OpenID provider is believed about whom it sent here."""
IDLE = timedelta(hours=2)
"""A session ends when it was not used for so long."""
_NOTED_EVERY = timedelta(minutes=1)
_NAME_BYTES = 32
_NONCE_BYTES = 12


class Sessions:
    """The sessions of every gateway on one bus."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._kept = bus.bucket(SESSIONS, KeptSession)
        self._clock = clock

    async def begin(self, session: Session) -> str:
        """Begin a session; return its name, for the cookie.

        Raises:
            UnavailableError: it cannot be kept now.
        """
        name, now = secrets.token_urlsafe(_NAME_BYTES), self._clock.now()
        kept = KeptSession(sealed=_sealed(name, session), began_at=now, used_at=now)
        await self._kept.create(_digest(name), kept)
        return name

    async def of(self, name: str) -> Session | None:
        """Return the session of that name, and note that it is used; None when it has ended.

        Raises:
            UnavailableError: it cannot be found out now.
        """
        entry = await self._kept.get(_digest(name)) if name else None
        if entry is None:
            return None
        session, now = _opened(name, entry.value), self._clock.now()
        if session is None or _is_over(entry.value, session, now):
            await self._kept.delete(_digest(name))
            return None
        if now - entry.value.used_at >= _NOTED_EVERY:
            await self._note(entry, now)
        return session

    async def end(self, name: str) -> None:
        """End a session.

        Raises:
            UnavailableError: that cannot be kept now.
        """
        await self._kept.delete(_digest(name))

    async def _note(self, entry: Entry[KeptSession], now: datetime) -> None:
        with suppress(StaleRevisionError):  # ended or noted meanwhile
            used = msgspec.structs.replace(entry.value, used_at=now)
            await self._kept.update(entry.key, used, entry.revision)


def _is_over(kept: KeptSession, session: Session, now: datetime) -> bool:
    lives = AS_TOLD_LIVES if session.as_told else LIVES
    return now >= min(kept.began_at + lives, kept.used_at + IDLE)


def _sealed(name: str, session: Session) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    content = msgspec.json.encode(session)
    return nonce + AESGCM(_key(name)).encrypt(nonce, content, _digest(name).encode())


def _opened(name: str, kept: KeptSession) -> Session | None:
    nonce, sealed = kept.sealed[:_NONCE_BYTES], kept.sealed[_NONCE_BYTES:]
    try:
        content = AESGCM(_key(name)).decrypt(nonce, sealed, _digest(name).encode())
        return msgspec.json.decode(content, type=Session)
    except (InvalidTag, ValueError, msgspec.MsgspecError):
        return None


def _key(name: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"appshield session")
    return derive.derive(name.encode())


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
