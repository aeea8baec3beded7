"""An OpenID provider in this process, as the specification has it: discovery, keys, signed tokens.

People log in without being asked anything, by the authorization code flow with PKCE.

Its keys can be changed at any moment, and it can lie about itself, as tests need it.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

CLIENT = "appshield"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey


class Key:
    """A key pair that signs with one algorithm."""

    def __init__(self, key_id: str, algorithm: str = "RS256") -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.private = _new_private(algorithm)

    def public(self) -> dict[str, Any]:
        """Return the public key as a JWK."""
        return {
            **_jwk(self.private),
            "kid": self.key_id,
            "use": "sig",
            "alg": self.algorithm,
        }


class OpenIdProvider:
    """A provider; `discovery` and `keys` are what it serves."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [Key("first")]
        self.others: list[dict[str, Any]] = []
        self.discovery: dict[str, Any] = {}
        self.away = False
        self.asked: list[str] = []
        self.secret = ""
        self.denies = ""
        self.claims: dict[str, Any] = {}
        self._codes: dict[str, Mapping[str, str]] = {}

    def token(
        self, key: Key | None = None, *, headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Sign a token of ann for us, good for a minute; claims and headers replace its own."""
        signing, now = key or self.keys[0], int(time.time())
        content = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "ann",
            "groups": ["sales"],
            "iat": now,
            "exp": now + 60,
        }
        content = {
            name: value for name, value in {**content, **claims}.items() if value is not None
        }
        return jwt.encode(
            content,
            signing.private,
            algorithm=signing.algorithm,
            headers={"kid": signing.key_id, **(headers or {})},
        )

    async def _discovery(self, request: web.Request) -> web.Response:
        return self._answer(request, self.discovery)

    async def _keys(self, request: web.Request) -> web.Response:
        return self._answer(request, {"keys": [*(key.public() for key in self.keys), *self.others]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """Let ann in, or deny her, and send the browser back."""
        asked = request.query
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        answer = {"state": asked["state"], "iss": self.issuer}
        if self.denies:
            answer["error"] = self.denies
        else:
            answer["code"] = secrets.token_urlsafe()
            self._codes[answer["code"]] = asked
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.Response:
        """Give a token for a code, once, to whoever knows the verifier and our secret."""
        self.asked.append(request.path)
        form = await request.post()
        asked = self._codes.pop(str(form.get("code")), None)
        verifier = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
            or not self._knows(request, str(form.get("client_id", "")))
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.token(**{"nonce": asked["nonce"], **self.claims})
        return web.json_response({"token_type": "Bearer", "access_token": "-", "id_token": token})

    def _knows(self, request: web.Request, client: str) -> bool:
        given = request.headers.get("Authorization", "")
        if not self.secret:
            return client == CLIENT and not given
        shown = f"{CLIENT}:{quote(self.secret, safe='')}".encode()
        return given == f"Basic {base64.b64encode(shown).decode()}"

    def _answer(self, request: web.Request, content: dict[str, Any]) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(content, status=503 if self.away else 200)


@asynccontextmanager
async def openid_provider() -> AsyncIterator[OpenIdProvider]:
    """Run a provider on loopback for the time of the block."""
    provider = OpenIdProvider()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", provider._discovery)
    application.router.add_get("/keys", provider._keys)
    application.router.add_get("/authorize", provider._authorize)
    application.router.add_post("/token", provider._token)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        provider.discovery = {
            "issuer": provider.issuer,
            "jwks_uri": f"{provider.issuer}/keys",
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
        }
        yield provider
    finally:
        await runner.cleanup()


def _new_private(algorithm: str) -> PrivateKey:
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _jwk(private: PrivateKey) -> dict[str, Any]:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return RSAAlgorithm.to_jwk(public, as_dict=True)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ECAlgorithm.to_jwk(public, as_dict=True)
    return OKPAlgorithm.to_jwk(public, as_dict=True)
