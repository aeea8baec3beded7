"""Tokens of an OpenID provider: verified here, by the provider's own keys.

A token is accepted that this provider signed, for us, and that is in its time. The algorithm is
chosen by the kind of the key and never by the token alone: what claims to be unsigned, or signed
with a public key as if that were a secret, is nobody's.

Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, RFC 8725
"""

import jwt
import msgspec
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from appshield.gateway.access.claims import Claims, caller_of
from appshield.gateway.access.signing_keys import SigningKeys
from appshield.gateway.access.tokens import claims_of
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError

_ALGORITHMS = {
    "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "EC": ["ES256", "ES384", "ES512"],
    "OKP": ["EdDSA"],
}
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""What a token may say of its own form; a provider signs other things with the same keys."""
_LEEWAY_S = 30
_REQUIRED = ["iss", "aud", "exp", "sub"]


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenID provider, and for whom its tokens have to be (`audience`: our client id there)."""

    issuer: str
    audience: str
    claims: Claims = Claims()


class OidcTokens:
    """Recognizes tokens of one provider."""

    def __init__(self, provider: Provider, keys: SigningKeys) -> None:
        self._provider = provider
        self._keys = keys

    def concerned(self, token: str) -> bool:
        """Say whether a token says that it is of this provider."""
        return claims_of(token).get("iss") == self._provider.issuer

    async def caller(self, token: str) -> Caller:
        """Say whose token that is.

        Raises:
            UnauthenticatedError: nobody's: forged, over, or for somebody else.
            UnavailableError: the provider's keys cannot be read.
        """
        key_id = _key_id_of(token)
        for key in await self._keys.named(key_id):
            try:
                found = self._verified(token, key)
            except jwt.InvalidSignatureError:
                continue  # a token that names no key may be of the next one
            except PyJWTError as error:
                raise _refused(str(error)) from error
            return caller_of(found, self._provider.claims)
        raise _refused("no key of the provider has signed it")

    def _verified(self, token: str, key: PyJWK) -> dict[str, object]:
        return jwt.decode(
            token,
            key.key,
            algorithms=_ALGORITHMS.get(key.key_type or "", []),
            audience=self._provider.audience,
            issuer=self._provider.issuer,
            leeway=_LEEWAY_S,
            options={"require": _REQUIRED},
        )


def _key_id_of(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except PyJWTError as error:
        raise _refused(str(error)) from error
    if str(header.get("typ") or "JWT").lower() not in _TYPES:
        raise _refused(f"it is a {header['typ']}")
    return str(header.get("kid") or "")


def _refused(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        "the token is not accepted", why=why, next_step="Log in at the OpenID provider again."
    )
