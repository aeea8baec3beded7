"""The gate's server over real TLS: what it answers to reviews and garbage, and how keys change."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from admission_reviews import rollout
from appshield.errors import InvalidInputError, UnavailableError
from appshield.gate import Authority, new_authority, new_serving
from appshield.gateway.admission import BODY_BYTES_MAX, GateServer, admission
from appshield.gateway.reviewing import AdmissionRequest, Answer

NOW = datetime.now(UTC)
AUTHORITY = new_authority(NOW)
HOST = "127.0.0.1"
JSON = {"Content-Type": "application/json"}

Answering = Callable[[AdmissionRequest], Awaitable[Answer]]


class Running:
    """A server and a client that trusts one authority."""

    def __init__(self, server: GateServer) -> None:
        self.server = server

    async def ask(
        self, body: bytes, trusting: Authority = AUTHORITY, *, showing: Path | None = None
    ) -> tuple[int, bytes]:
        """Send a review over a new connection; `showing` the certificate and key of a file."""
        context = ssl.create_default_context(cadata=trusting.trusted.decode())
        if showing is not None:
            context.load_cert_chain(showing)
        url = f"https://{HOST}:{self.server.port}/admission"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(body), headers=JSON, ssl=context) as response,
        ):
            return response.status, await response.read()


@asynccontextmanager
async def running(
    answering: Answering, *, within_s: float = 1.0, client_ca_file: str = ""
) -> AsyncIterator[Running]:
    """Serve for the time of the block."""
    application = admission(answering, unheard, within_s=within_s)
    server = GateServer(application, HOST, 0, client_ca_file=client_ca_file)
    server.use(new_serving(AUTHORITY, HOST, NOW))
    stopping = asyncio.Event()
    serving = asyncio.create_task(server.serve(stopping))
    try:
        yield Running(server)
    finally:
        stopping.set()
        await serving


async def unheard(_: AdmissionRequest) -> None:
    """Note nothing."""


async def not_yet(_: AdmissionRequest) -> Answer:
    """Refuse."""
    return Answer(allowed=False, why="not yet")


async def test_a_review_is_answered() -> None:
    """In the form that API servers read."""
    async with running(not_yet) as gate:
        status, body = await gate.ask(rollout())
    answer = json.loads(body)
    assert (status, answer["kind"]) == (200, "AdmissionReview")
    assert answer["response"]["status"]["message"] == "not yet"


@pytest.mark.parametrize("body", [b"", b"hello", b"{}", b"[" * 100_000, b"\xff\x00"])
async def test_garbage_is_refused_and_the_server_goes_on(body: bytes) -> None:
    """With a status that API servers take as a failure, so that the failure policy decides."""
    async with running(not_yet) as gate:
        status, text = await gate.ask(body)
        assert (status, b"no AdmissionReview" in text) == (400, True)
        assert (await gate.ask(rollout()))[0] == 200


async def test_a_body_beyond_the_limit_is_refused() -> None:
    """Nobody fills the gateway's memory."""
    async with running(not_yet) as gate:
        status, _ = await gate.ask(b" " * (BODY_BYTES_MAX + 1))
        assert status == 413
        assert (await gate.ask(rollout()))[0] == 200


async def test_what_cannot_be_decided_in_time_is_told() -> None:
    """Long before the API server would give up by itself."""

    async def never(_: AdmissionRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with running(never, within_s=0.05) as gate:
        assert await gate.ask(rollout()) == (503, b"it could not be decided in time")


async def test_a_body_that_does_not_come_holds_nobody_up() -> None:
    """Who begins to send and stops is answered, and others are answered meanwhile."""
    async with running(not_yet, within_s=0.2) as gate:
        context = ssl.create_default_context(cadata=AUTHORITY.trusted.decode())
        reader, writer = await asyncio.open_connection(HOST, gate.server.port, ssl=context)
        head = b"POST /admission HTTP/1.1\r\nHost: gate\r\nContent-Length: 100\r\n\r\n{"
        writer.write(head)
        await writer.drain()
        assert (await gate.ask(rollout()))[0] == 200
        assert b" 503 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [(UnavailableError("the bus is gone"), 503), (InvalidInputError("no such object"), 400)],
)
async def test_errors_are_told_as_failures(error: Exception, status: int) -> None:
    """They never let anything pass by themselves."""

    async def fails(_: AdmissionRequest) -> Answer:
        raise error

    async with running(fails) as gate:
        assert await gate.ask(rollout()) == (status, str(error).encode())


async def test_a_certificate_is_exchanged_while_it_serves() -> None:
    """Whoever connects from then on sees the new one; a bundle of both trusts either."""
    second = new_authority(NOW, before=AUTHORITY)
    async with running(not_yet) as gate:
        assert (await gate.ask(rollout(), second))[0] == 200
        gate.server.use(new_serving(second, HOST, NOW))
        assert (await gate.ask(rollout(), second))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await gate.ask(rollout(), AUTHORITY)


async def test_without_a_certificate_nobody_is_answered() -> None:
    """The first gated application makes one."""
    server = GateServer(admission(not_yet, unheard), HOST, 0)
    stopping = asyncio.Event()
    serving = asyncio.create_task(server.serve(stopping))
    with pytest.raises(aiohttp.ClientConnectorError):
        await Running(server).ask(rollout())
    stopping.set()
    await serving


def _client_certificate(authority: Authority) -> bytes:
    """Make a key and a certificate for clients, as PEM."""
    signer = serialization.load_pem_private_key(authority.key, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, issuer = ec.generate_private_key(ec.SECP256R1()), authority.certificate
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]))
        .issuer_name(x509.load_pem_x509_certificate(issuer).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return private + made.public_bytes(pem)


async def test_with_an_authority_for_api_servers_nobody_else_is_answered(tmp_path: Path) -> None:
    """Neither without a certificate nor with one of somebody else."""
    api_servers, others = new_authority(NOW), new_authority(NOW)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(api_servers.trusted)
    shown = {}
    for name, authority in (("api-server", api_servers), ("other", others)):
        shown[name] = tmp_path / f"{name}.pem"
        shown[name].write_bytes(_client_certificate(authority))
    async with running(not_yet, client_ca_file=str(trusted)) as gate:
        for stranger in (None, shown["other"]):
            with pytest.raises(aiohttp.ClientError):
                await gate.ask(rollout(), showing=stranger)
        assert (await gate.ask(rollout(), showing=shown["api-server"]))[0] == 200
