"""A registry that lets nobody in without being told who asks: Debian's, over TLS, on loopback.

With tokens (https://distribution.github.io/distribution/spec/auth/) the server that gives them is
in this process: it knows one user, and its tokens are good for as long as the test says.
"""

import asyncio
import base64
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import jwt
import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appshield.local.cluster.building import ensure_packages
from appshield.local.embedded.process import free_port
from appshield.registry import RegistryCredentials, RegistryHost
from waiting import wait_until

PROGRAM = "docker-registry"
USER, PASSWORD = "ann", "a password"
_HTPASSWD = "ann:$2y$05$abcdefghijklmnopqrstuu2sM.EEHj4jPcCa5rwqJGg1PNBllkZXy\n"
"""User and password as bcrypt has them."""

Protection = Literal["token", "basic"]


class ProtectedRegistry:
    """See the module; `asked` holds the scopes that tokens were asked for."""

    def __init__(self, folder: Path, *, good_for_s: int = 60) -> None:
        self.folder = folder
        self.good_for_s = good_for_s
        self.asked: list[str] = []
        self.port = free_port()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)

    @property
    def host(self) -> RegistryHost:
        """Where it is, and whom to trust there."""
        return RegistryHost(f"https://127.0.0.1:{self.port}", (str(self.folder / "tls.crt"),))

    @property
    def credentials(self) -> RegistryCredentials:
        """Say who may."""
        return RegistryCredentials(USER, PASSWORD)

    async def give_token(self, request: web.Request) -> web.Response:
        """Give a token for what is asked for, to the one user."""
        if request.headers.get("Authorization") != self.credentials.header():
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        scope = request.query["scope"]
        self.asked.append(scope)
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": "tokens",
            "aud": request.query["service"],
            "sub": USER,
            "iat": now,
            "nbf": now - 1,
            "exp": now + self.good_for_s,
            "jti": str(len(self.asked)),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        headers = {"x5c": [base64.b64encode(der).decode()]}
        token = jwt.encode(claims, self._key, algorithm="ES256", headers=headers)
        return web.json_response({"token": token, "expires_in": self.good_for_s})

    @asynccontextmanager
    async def running(self, protection: Protection) -> AsyncIterator[None]:
        """Serve for the time of the block."""
        await ensure_packages({PROGRAM: PROGRAM}, print)
        application = web.Application()
        application.add_routes([web.get("/token", self.give_token)])
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._write(protection, f"http://127.0.0.1:{runner.addresses[0][1]}/token")
        with (self.folder / "log").open("wb") as log:
            serving = await asyncio.create_subprocess_exec(
                PROGRAM, "serve", str(self.folder / "config.json"), stdout=log, stderr=log
            )
        try:
            await wait_until(self._listens, deadline_s=20, what="the registry")
            yield
        finally:
            serving.terminate()
            await serving.wait()
            await runner.cleanup()

    def _write(self, protection: Protection, realm: str) -> None:
        files = {
            "tls.crt": self._certificate.public_bytes(serialization.Encoding.PEM),
            "tls.key": self._key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            "htpasswd": _HTPASSWD.encode(),
        }
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        token = {
            "realm": realm,
            "service": "registry",
            "issuer": "tokens",
            "rootcertbundle": str(self.folder / "tls.crt"),
        }
        basic = {"realm": "registry", "path": str(self.folder / "htpasswd")}
        tls = {"certificate": str(self.folder / "tls.crt"), "key": str(self.folder / "tls.key")}
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": f"127.0.0.1:{self.port}", "tls": tls, "secret": "one registry"},
            "auth": {"token": token} if protection == "token" else {"htpasswd": basic},
        }
        (self.folder / "config.json").write_bytes(msgspec.json.encode(config))

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return builder.sign(key, hashes.SHA256())
