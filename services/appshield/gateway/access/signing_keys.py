"""The keys by which an OpenID provider signs: found by its discovery document, read anew in time.

A key that is not known yet is looked for at once, so that a provider may change keys at any moment;
tokens that name made-up keys make us ask no more often than every few seconds. While the provider
is away its keys of before are used.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from appshield.errors import AppShieldError, InvalidInputError, UnavailableError

_FRESH_FOR_S = 300.0
_ASKED_AGAIN_AFTER_S = 5.0
_TIMEOUT_S = 10.0
_BYTES_MAX = 1024 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


class SigningKeys:
    """The public keys of one provider."""

    def __init__(
        self, issuer: str, *, ca_file: str = "", now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._tls = _trusting(ca_file)
        self._now_s = now_s
        self._keys: list[PyJWK] = []
        self._read_at_s = float("-inf")
        self._asked_at_s = float("-inf")
        self._problem = ""
        self._asking = asyncio.Lock()
        ensure_safe(issuer)

    async def named(self, key_id: str) -> list[PyJWK]:
        """Return the keys of that id; every key for a token that names none.

        Raises:
            UnavailableError: there is none among those that were read, and the provider cannot be
                asked now.
        """
        if self._now_s() - self._read_at_s > _FRESH_FOR_S or not self._of(key_id):
            await self._read_again(key_id)
        return self._of(key_id)

    def _of(self, key_id: str) -> list[PyJWK]:
        signing = [key for key in self._keys if key.public_key_use in {None, "sig"}]
        return [key for key in signing if key.key_id == key_id] if key_id else signing

    async def _read_again(self, key_id: str) -> None:
        begun_s = self._now_s()
        async with self._asking:
            by_another = self._asked_at_s >= begun_s  # while we waited
            lately = self._now_s() - self._asked_at_s < _ASKED_AGAIN_AFTER_S and self._keys
            if not by_another and not lately:
                await self._ask()
        if self._problem and not self._of(key_id):
            raise _unusable(self._issuer, self._problem)

    async def _ask(self) -> None:
        self._asked_at_s = self._now_s()
        try:
            self._keys = await self._read()
        except UnavailableError as error:
            self._problem = error.why
            if self._keys:
                structlog.get_logger().warning("the keys of before are used", problem=str(error))
        else:
            self._problem, self._read_at_s = "", self._now_s()

    async def _read(self) -> list[PyJWK]:
        found = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            discovery = msgspec.json.decode(found, type=_Discovery)
            if discovery.issuer != self._issuer:
                raise _unusable(self._issuer, f"it calls itself {discovery.issuer}")
            ensure_safe(discovery.jwks_uri)
            keys = msgspec.json.decode(await self._get(discovery.jwks_uri), type=dict[str, object])
            return list(PyJWKSet.from_dict(keys).keys)
        except (msgspec.MsgspecError, PyJWTError, InvalidInputError) as error:
            raise _unusable(self._issuer, str(error)) from error

    async def _get(self, url: str) -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, ssl=self._tls, allow_redirects=False) as response,
            ):
                body = await response.content.read(_BYTES_MAX + 1)
                while not response.content.at_eof() and len(body) <= _BYTES_MAX:
                    body += await response.content.read(_BYTES_MAX + 1 - len(body))
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            why = f"{url} cannot be read ({type(error).__name__})"
            raise _unusable(self._issuer, why) from error
        if response.status != 200 or len(body) > _BYTES_MAX:
            raise _unusable(self._issuer, f"{url} answers with HTTP {response.status}")
        return body


def ensure_safe(url: str) -> None:
    """Accept addresses to which nobody can stand in between.

    Raises:
        InvalidInputError: it is neither https, nor on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise InvalidInputError(
            f"{url} cannot be an address of an OpenID provider",
            why="it does not begin with https",
            next_step="Correct APPSHIELD_GATEWAY_OIDC_ISSUER.",
        )


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # an SSLError is one as well
        raise InvalidInputError(
            f"the certificates in {ca_file} cannot be used",
            why=error.strerror or "they are no certificates",
            next_step="Correct APPSHIELD_GATEWAY_OIDC_CA_FILE.",
        ) from error


def _unusable(issuer: str, why: str) -> AppShieldError:
    return UnavailableError(
        f"the OpenID provider {issuer} cannot be used now",
        why=why,
        next_step="Try again; a token of the cluster works meanwhile.",
    )
