"""The certificate of the API, from files that somebody else renews."""

import asyncio
import os
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from litestar import Litestar, get

from appshield.errors import InvalidInputError
from appshield.gate import Authority, new_authority, new_serving
from appshield.gateway.certificates import CertificateFiles
from appshield.gateway.serving import Server

HOST = "127.0.0.1"
NOW = datetime.now(UTC)
FIRST, SECOND = new_authority(NOW), new_authority(NOW)


class Files:
    """A certificate and its key, as a tool that renews them leaves them."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self._written = 0

    def write(self, authority: Authority) -> None:
        """Renew both."""
        serving = new_serving(authority, HOST, NOW)
        self.put(serving.certificate, serving.key)

    def put(self, certificate: bytes, key: bytes) -> None:
        """Write both, later than before."""
        self._written += 1
        for file, content in ((self.certificate, certificate), (self.key, key)):
            file.write_bytes(content)
            os.utime(file, (self._written, self._written))


@get("/")
async def ping() -> str:
    """Answer."""
    return "pong"


@asynccontextmanager
async def serving(certificate: CertificateFiles) -> AsyncIterator[int]:
    """Serve for the time of the block."""
    application = Litestar([ping], openapi_config=None, logging_config=None)
    server = Server(application, socket.create_server((HOST, 0)), tls=certificate.context)
    stopping = asyncio.Event()
    running = asyncio.create_task(server.serve_until(stopping))
    try:
        yield server.port
    finally:
        stopping.set()
        await running


async def trusted(port: int, authority: Authority) -> bool:
    """Say whether the server shows a certificate of this authority."""
    context = ssl.create_default_context(cadata=authority.trusted.decode())
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://{HOST}:{port}/", ssl=context) as answer,
        ):
            return answer.status == 200
    except aiohttp.ClientConnectorCertificateError:
        return False


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write(FIRST)
    return made


async def test_a_renewed_certificate_is_shown_to_whoever_connects_then(files: Files) -> None:
    """Nobody has to start anything again."""
    certificate = CertificateFiles(files.certificate, files.key)
    async with serving(certificate) as port:
        assert await trusted(port, FIRST)
        files.write(SECOND)
        certificate.look()
        assert await trusted(port, SECOND)
        assert not await trusted(port, FIRST)


async def test_half_a_renewal_changes_nothing(files: Files) -> None:
    """A new certificate with the old key, rubbish, or no file; the whole one is taken then."""
    certificate = CertificateFiles(files.certificate, files.key)
    key = files.key.read_bytes()
    async with serving(certificate) as port:
        files.put(new_serving(SECOND, HOST, NOW).certificate, key)
        certificate.look()
        assert await trusted(port, FIRST)
        files.put(b"rubbish", key)
        certificate.look()
        assert await trusted(port, FIRST)
        files.key.unlink()
        certificate.look()
        assert await trusted(port, FIRST)
        files.write(SECOND)
        certificate.look()
        assert await trusted(port, SECOND)


async def test_old_versions_of_tls_are_not_spoken(files: Files) -> None:
    """The least is 1.2."""
    async with serving(CertificateFiles(files.certificate, files.key)) as port:
        context = ssl.create_default_context(cadata=FIRST.trusted.decode())
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(HOST, port, ssl=context)


def test_files_that_are_none_are_refused_with_the_next_step(tmp_path: Path, files: Files) -> None:
    """Before anything listens."""
    for certificate in (tmp_path / "none", files.key):
        with pytest.raises(InvalidInputError, match="cannot be used") as refused:
            CertificateFiles(certificate, files.key)
        assert "TLS_CERTIFICATE_FILE" in refused.value.next_step


async def _agreed(port: int, client: ssl.SSLContext) -> tuple[str, str]:
    """Connect; return the version and the cipher that both take."""
    _, writer = await asyncio.open_connection(HOST, port, ssl=client)
    try:
        shown = writer.get_extra_info("ssl_object")
        return str(shown.version()), str(shown.cipher()[0])
    finally:
        writer.close()


def _client(
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, ciphers: str = "ALL:@SECLEVEL=0"
) -> ssl.SSLContext:
    """Make a client that takes one version and these ciphers, and any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is tried
        context.minimum_version = context.maximum_version = version
    return context


async def test_only_modern_tls_is_spoken(files: Files) -> None:
    """TLS 1.2 with forward secrecy and authenticated ciphers, or 1.3."""
    files.write(FIRST)
    async with serving(CertificateFiles(files.certificate, files.key)) as port:
        for version, name in (
            (ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
            (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ):
            spoken, cipher = await _agreed(port, _client(version))
            assert spoken == name
            assert any(mode in cipher for mode in ("GCM", "CHACHA20"))
        old = [_client(ssl.TLSVersion.TLSv1), _client(ssl.TLSVersion.TLSv1_1)]
        weak = [
            _client(ciphers=f"{one}:@SECLEVEL=0")
            for one in ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "AES256-GCM-SHA384")
        ]
        for refused in (*old, *weak):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await _agreed(port, refused)
