"""Logging in at an OpenID provider: the authorization code flow with PKCE, state and nonce.

    browser ─► here ─► provider: who are you? ─► back here with a code ─► a token for the code

All that has to be remembered on the way is one secret, in a cookie of the browser that leaves:
state, nonce and PKCE verifier are made of it. So only that browser can come back, a code that was
stolen on the way is of no use, nor is a token that was made for another login. No gateway keeps
anything meanwhile: another one, or the same after a restart, can receive who comes back.

Source: RFC 6749, RFC 7636, RFC 9207, https://openid.net/specs/openid-connect-core-1_0.html
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec

from appshield.errors import UnavailableError
from appshield.gateway.access.oidc import OidcTokens
from appshield.gateway.access.provider_requests import Discovery, ProviderRequests
from appshield.gateway.access.tokens import claims_of
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.logins import LeftFor, LoginFailedError
from appshield.gateway.recent import Recent

_SECRET_BYTES = 32
_DISCOVERED_FOR_S = 300.0


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What AppShield is to the provider: its client id, its secret if it has one, its wishes.

    `name` is what people call the provider.
    """

    name: str
    client_id: str
    secret_file: str = ""
    scopes: tuple[str, ...] = ("openid",)


class _Answer(msgspec.Struct, frozen=True):
    id_token: str = ""


class OidcLogin:
    """Sends browsers to one provider, and receives them."""

    def __init__(self, client: Client, requests: ProviderRequests, tokens: OidcTokens) -> None:
        self.name = client.name
        self._client = client
        self._requests = requests
        self._tokens = tokens
        self._discovered: Recent[Discovery] = Recent(_DISCOVERED_FOR_S)

    async def leave(self, back_to: str) -> LeftFor:
        """Send a browser to the provider; see `Logins.leave`."""
        discovery = await self._discovery()
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        challenge = hashlib.sha256(_made(secret, "verifier").encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": back_to,
            "scope": " ".join(self._client.scopes),
            "state": _made(secret, "state"),
            "nonce": _made(secret, "nonce"),
            "code_challenge": _text(challenge),
            "code_challenge_method": "S256",
        }
        sign = "&" if "?" in discovery.authorization_endpoint else "?"
        url = f"{discovery.authorization_endpoint}{sign}{urlencode(query)}"
        return LeftFor(url=url, secret=secret)

    async def arrive(self, answer: Mapping[str, str], *, secret: str, back_to: str) -> Caller:
        """Say whom the provider sent back; see `Logins.arrive`."""
        if not secret or not _same(answer.get("state", ""), _made(secret, "state")):
            raise LoginFailedError(
                "expired",
                "this login was not begun in this browser, or too long ago",
                next_step="Begin it again.",
            )
        if answer.get("iss", self._requests.issuer) != self._requests.issuer:
            raise _not_accepted("another provider has answered")
        if error := answer.get("error", ""):
            raise LoginFailedError("refused", "the provider lets nobody in", why=error[:100])
        token = await self._exchanged(answer.get("code", ""), secret, back_to)
        caller = await self._tokens.caller(token)
        claims = claims_of(token)
        if not _same(str(claims.get("nonce", "")), _made(secret, "nonce")):
            raise _not_accepted("its token was made for another login")
        if claims.get("azp", self._client.client_id) != self._client.client_id:
            raise _not_accepted("its token was made for somebody else")
        return caller

    async def _exchanged(self, code: str, secret: str, back_to: str) -> str:
        """Give a code for a token that says who somebody is."""
        discovery, client = await self._discovery(), self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back_to,
            "code_verifier": _made(secret, "verifier"),
        }
        if client.secret_file:
            status, body = await self._requests.post(
                discovery.token_endpoint,
                form,
                user=quote(client.client_id, safe=""),
                password=quote(_read(client.secret_file), safe=""),
            )
        else:
            form["client_id"] = client.client_id
            status, body = await self._requests.post(discovery.token_endpoint, form)
        if status in {400, 401}:
            raise _not_accepted("it does not take its own code back")
        self._requests.ensure_answered(status)
        try:
            token = msgspec.json.decode(body, type=_Answer).id_token
        except msgspec.MsgspecError as error:
            raise self._requests.unusable(str(error)) from error
        if not token:
            raise self._requests.unusable("it gives no ID token")
        return token

    async def _discovery(self) -> Discovery:
        found = await self._discovered.get("", self._requests.discovery)
        if not found.authorization_endpoint or not found.token_endpoint:
            raise self._requests.unusable("it names no address for logins")
        return found


def _made(secret: str, what: str) -> str:
    """Make something of the secret from which nobody can tell the secret."""
    return _text(hmac.digest(secret.encode(), what.encode(), "sha256"))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _read(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            "nobody can log in at the OpenID provider now",
            why=f"{file} with AppShield's secret there cannot be read",
            next_step="Correct APPSHIELD_GATEWAY_OIDC_CLIENT_SECRET_FILE.",
        ) from error


def _not_accepted(why: str) -> LoginFailedError:
    return LoginFailedError(
        "not-accepted",
        "the answer of the OpenID provider is not accepted",
        why=why,
        next_step="Begin the login again.",
    )
