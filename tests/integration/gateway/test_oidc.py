"""Tokens of an OpenID provider that follows the specification: who is let in, and who is not."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appshield.errors import InvalidInputError, UnavailableError
from appshield.gateway.access.oidc import OidcTokens, Provider
from appshield.gateway.access.provider_requests import ProviderRequests, ensure_safe
from appshield.gateway.access.signing_keys import SigningKeys
from appshield.gateway.api.frame.callers import UnauthenticatedError
from moving_time import MovingTime
from openid_provider import CLIENT, Key, OpenIdProvider, openid_provider


class Door:
    """What recognizes tokens of a provider, and its clock."""

    def __init__(self, provider: OpenIdProvider) -> None:
        self.time = MovingTime(1000)
        keys = SigningKeys(ProviderRequests(provider.issuer), now_s=self.time)
        self.tokens = OidcTokens(Provider(issuer=provider.issuer, audience=CLIENT), keys)

    async def name(self, token: str) -> str:
        """Return who that is."""
        assert self.tokens.concerned(token)
        return (await self.tokens.caller(token)).name

    async def refuses(self, token: str, why: str) -> None:
        """Make sure that it is nobody's, for this reason."""
        with pytest.raises(UnauthenticatedError, match=why):
            await self.tokens.caller(token)


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with openid_provider() as running:
        yield running


@pytest.fixture
def door(provider: OpenIdProvider) -> Door:
    return Door(provider)


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "EdDSA"])
async def test_a_token_of_the_provider_is_accepted(
    provider: OpenIdProvider, door: Door, algorithm: str
) -> None:
    """However it signs; asked once, its keys serve for many tokens."""
    provider.keys = [Key("other"), Key("k", algorithm)]
    for _ in range(3):
        assert await door.name(provider.token(provider.keys[1])) == "oidc:ann"
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_token_may_be_for_several_among_them_us(
    provider: OpenIdProvider, door: Door
) -> None:
    """The claim is a text or a list."""
    assert await door.name(provider.token(aud=["other", CLIENT]))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": int(time.time()) + 3600}, "not yet valid"),
        ({"iat": int(time.time()) + 3600}, "not yet valid"),
        ({"aud": "somebody-else"}, "[Aa]udience"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"iss": "https://evil.example.org"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"exp": "soon"}, "exp|Expiration"),
    ],
)
async def test_a_token_out_of_its_time_or_for_others_is_refused(
    provider: OpenIdProvider, door: Door, claims: dict[str, Any], why: str
) -> None:
    """Every claim that has to be there is looked at."""
    await door.refuses(provider.token(**claims), why)


async def test_what_somebody_else_signed_is_refused(provider: OpenIdProvider, door: Door) -> None:
    """With the key's own name, with a made-up one and with none."""
    forger = Key("first")
    await door.refuses(provider.token(forger), "no key of the provider")
    await door.refuses(provider.token(forger, headers={"kid": "made-up"}), "no key of the provider")
    await door.refuses(provider.token(forger, headers={"kid": ""}), "no key of the provider")
    good = provider.token()
    head, _, signature = good.split(".")
    changed = _part({"iss": provider.issuer, "aud": CLIENT, "sub": "eve", "exp": 2**40})
    await door.refuses(f"{head}.{changed}.{signature}", "no key of the provider")


async def test_what_claims_to_need_no_signature_is_refused(
    provider: OpenIdProvider, door: Door
) -> None:
    """`alg: none`, in any spelling, with a signature or without."""
    content = provider.token().split(".")[1]
    for algorithm in ("none", "None", "NONE", ""):
        head = _part({"alg": algorithm, "typ": "JWT", "kid": "first"})
        await door.refuses(f"{head}.{content}.", ".")
        await door.refuses(f"{head}.{content}.{_part({})}", ".")


async def test_a_public_key_is_no_secret(provider: OpenIdProvider, door: Door) -> None:
    """Whoever signs by HMAC with what everybody can read is refused."""
    public = provider.keys[0].private.public_key()
    content = provider.token().split(".")[1]
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(provider.keys[0].public()).encode()
    for secret in (pem, pem.strip(), der, jwk):
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{content}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        await door.refuses(f"{signed}.{_text(mac)}", "alg")


async def test_keys_for_other_things_are_not_used(provider: OpenIdProvider, door: Door) -> None:
    """A secret among the keys, and one for encryption, sign nothing."""
    secret = b"a secret that the provider shares with somebody"
    shared = {"kty": "oct", "kid": "shared", "k": _text(secret), "alg": "HS256"}
    encrypting = Key("encrypting")
    provider.others = [shared, {**encrypting.public(), "use": "enc"}]
    claims = {"iss": provider.issuer, "aud": CLIENT, "sub": "eve", "exp": time.time() + 60}
    forged = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "shared"})
    await door.refuses(forged, "alg")
    await door.refuses(provider.token(encrypting), "no key of the provider")


async def test_what_is_signed_for_another_purpose_is_no_token(
    provider: OpenIdProvider, door: Door
) -> None:
    """Providers sign logouts and events by the same keys."""
    await door.refuses(provider.token(headers={"typ": "logout+jwt"}), "logout")
    assert await door.name(provider.token(headers={"typ": "at+jwt"}))


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "é.é.é", "W10.W10.W10"])
async def test_garbage_is_nobody(door: Door, token: str) -> None:
    """Without asking the provider for anything."""
    assert not door.tokens.concerned(token)
    await door.refuses(token, "not accepted")


async def test_a_provider_may_change_its_keys(provider: OpenIdProvider, door: Door) -> None:
    """A new key is found at once, an old one is of no use a few minutes later."""
    old = provider.keys[0]
    assert await door.name(provider.token(old))
    door.time.now_s += 60
    provider.keys = [Key("second")]
    assert await door.name(provider.token())
    await door.refuses(provider.token(old), "no key of the provider")


async def test_a_key_that_was_taken_away_is_of_no_use_after_minutes(
    provider: OpenIdProvider, door: Door
) -> None:
    """Without any token that names another one."""
    old = provider.keys[0]
    assert await door.name(provider.token(old))
    provider.keys = [Key("second")]
    door.time.now_s += 301
    await door.refuses(provider.token(old), "no key of the provider")


async def test_made_up_keys_make_us_ask_seldom(provider: OpenIdProvider, door: Door) -> None:
    """Nobody uses us to flood the provider."""
    assert await door.name(provider.token())
    for number in range(50):
        await door.refuses(provider.token(headers={"kid": f"made-up-{number}"}), "no key")
    assert len(provider.asked) == 2


async def test_while_the_provider_is_away_its_known_keys_serve(
    provider: OpenIdProvider, door: Door
) -> None:
    """Who logs in goes on; what is not known cannot be found out, which is no refusal."""
    assert await door.name(provider.token())
    provider.away = True
    door.time.now_s += 3600
    assert await door.name(provider.token())
    door.time.now_s += 60
    with pytest.raises(UnavailableError, match="OpenID provider"):
        await door.name(provider.token(Key("second")))


async def test_while_nothing_is_known_of_the_provider_nobody_is_refused(
    provider: OpenIdProvider, door: Door
) -> None:
    """Of several at a moment one asks, and what it learns goes for all."""
    provider.away = True
    shown = [door.name(provider.token()) for _ in range(3)]
    found = await asyncio.gather(*shown, return_exceptions=True)
    assert [type(one) for one in found] == [UnavailableError] * 3


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example.org"},
        {"jwks_uri": "http://evil.example.org/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
async def test_a_provider_that_is_another_one_is_not_used(
    provider: OpenIdProvider, door: Door, discovery: dict[str, Any]
) -> None:
    """Its discovery document must name itself, and keys at a safe place."""
    provider.discovery |= discovery
    with pytest.raises(UnavailableError, match="cannot be used now"):
        await door.name(provider.token())


@pytest.mark.parametrize("url", ["http://id.example.org", "ftp://id.example.org", "id"])
def test_an_unsafe_address_is_refused_at_once(url: str) -> None:
    """Before the first token comes."""
    with pytest.raises(InvalidInputError, match="https"):
        ensure_safe(url)
    with pytest.raises(InvalidInputError, match="https"):
        ProviderRequests(url)


def _part(content: dict[str, Any]) -> str:
    return _text(json.dumps(content).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
