"""Asking an OpenID provider: where it is said to be, over TLS, and never anywhere else.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import base64
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
import msgspec

from appshield.errors import AppShieldError, InvalidInputError, UnavailableError

_TIMEOUT_S = 10.0
_BYTES_MAX = 1024 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Discovery(msgspec.Struct, frozen=True):
    """Where a provider has what; empty where it does not say."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""


class ProviderRequests:
    """Asks one provider."""

    def __init__(self, issuer: str, *, ca_file: str = "") -> None:
        ensure_safe(issuer)
        self.issuer = issuer
        self._tls = _trusting(ca_file)

    async def discovery(self) -> Discovery:
        """Read where the provider has what.

        Raises:
            UnavailableError: it cannot be read, or names addresses that are not safe.
        """
        status, body = await self.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        self.ensure_answered(status)
        try:
            found = msgspec.json.decode(body, type=Discovery)
            if found.issuer != self.issuer:
                raise self.unusable(f"it calls itself {found.issuer}")
            for url in (found.jwks_uri, found.authorization_endpoint, found.token_endpoint):
                if url:
                    ensure_safe(url)
        except (msgspec.MsgspecError, InvalidInputError) as error:
            raise self.unusable(str(error)) from error
        return found

    async def get(self, url: str) -> tuple[int, bytes]:
        """Read from an address: the status, and what it says.

        Raises:
            UnavailableError: it does not answer, or too much.
        """
        return await self._ask("GET", url)

    async def post(
        self, url: str, form: Mapping[str, str], *, user: str = "", password: str = ""
    ) -> tuple[int, bytes]:
        """Send a form, with a user and a password where there is one; else as `get`."""
        shown = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {shown}"} if user else {}
        return await self._ask("POST", url, form, headers)

    def ensure_answered(self, status: int) -> None:
        """Accept an answer that says what was asked for.

        Raises:
            UnavailableError: it says something else.
        """
        if status != 200:
            raise self.unusable(f"it answers with HTTP {status}")

    def unusable(self, why: str) -> AppShieldError:
        """Say that the provider is of no use at the moment."""
        return UnavailableError(
            f"the OpenID provider {self.issuer} cannot be used now",
            why=why,
            next_step="Try again; a token of the cluster works meanwhile.",
        )

    async def _ask(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    method, url, data=form, headers=headers, ssl=self._tls, allow_redirects=False
                ) as response,
            ):
                body = b""
                while not response.content.at_eof() and len(body) <= _BYTES_MAX:
                    body += await response.content.read(_BYTES_MAX + 1 - len(body))
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            why = f"{url} cannot be read ({type(error).__name__})"
            raise self.unusable(why) from error
        if len(body) > _BYTES_MAX:
            raise self.unusable(f"{url} says too much")
        return response.status, body


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
