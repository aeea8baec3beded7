"""Who cannot connect learns why, by name and with the next step."""

import asyncio
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from appshield.bus import BusAccess, connect_bus
from appshield.bus.jetstream import JetStreamBus
from appshield.bus.keys import new_seed, public_key
from appshield.contracts.permissions import PLANNER
from appshield.errors import DeniedError, InvalidInputError, UnavailableError
from appshield.local.embedded.bus_configuration import server_configuration
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import OwnedProcess, free_port, port_is_free, program
from embedded_bus import put, running_bus, scratch_stream
from nats_greeting import greeting
from waiting import wait_until

DEADLINE_S = 15.0
ANSWERS_UNTIL_CLOSED = 3
"""One when the connection is opened, two when it is closed: see `Connection.close`."""


async def connect(access: BusAccess) -> None:
    async with connect_bus(access, name="test", deadline_s=3):
        raise AssertionError("connected")


@pytest.mark.parametrize("version", ["2.11.9", "2.9.15", "1.4.1"])
async def test_an_old_server_is_refused(version: str) -> None:
    """Before anything is asked of it, with both versions and what to do."""
    async with greeting(version) as url:
        with pytest.raises(InvalidInputError) as caught:
            await connect(BusAccess(url=url, user="planner"))
    assert str(caught.value) == (
        f"AppShield needs NATS 2.12 or later, {url} runs {version}. Upgrade the server"
    )


async def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    """A URL is shown in logs and errors, so no secret may be in it."""
    with pytest.raises(InvalidInputError, match="holds a user or a password") as caught:
        await connect(BusAccess(url="nats://me:planted-hunter2@127.0.0.1:4222", user="planner"))
    assert "hunter2" not in str(caught.value)


async def test_the_oldest_server_allowed_is_accepted() -> None:
    """2.12.0 is enough to connect."""
    async with (
        greeting("2.12.0") as url,
        connect_bus(BusAccess(url=url, user="planner"), name="test") as bus,
    ):
        assert await bus.health() == ""


async def test_one_refusal_may_be_the_moment_in_which_a_server_reads_its_configuration() -> None:
    """NATS drops who is connecting then, with the words for a wrong key; so it is asked again."""
    async with (
        greeting("2.12.0", refusals=1) as url,
        connect_bus(BusAccess(url=url, user="planner"), name="test") as bus,
    ):
        assert await bus.health() == ""
    async with greeting("2.12.0", refusals=2) as url:
        with pytest.raises(DeniedError, match="does not know the key of user planner"):
            await connect(BusAccess(url=url, user="planner"))


async def test_who_is_put_out_while_leaving_has_left() -> None:
    """At whatever moment: it ends as leaving does, and nothing of it stays behind."""
    others = asyncio.all_tasks()
    access = BusAccess(url="", user="planner")
    async with greeting("2.12.0", answers_max=ANSWERS_UNTIL_CLOSED) as url:
        for _ in range(100):
            async with connect_bus(replace(access, url=url), name="test") as bus:
                assert isinstance(bus, JetStreamBus)
            assert bus._connection.is_closed
        assert [one for one in asyncio.all_tasks() - others if "nats/aio" in repr(one)] == []


async def test_nobody_at_the_url_is_told_with_the_url() -> None:
    """The error names the URL and the system's reason, within the deadline."""
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        await connect(BusAccess(url=url, user="planner"))
    assert url in str(caught.value)
    assert "Connect call failed" in caught.value.why


async def test_something_else_at_the_url_is_told() -> None:
    """A server that does not greet like NATS is no message bus."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UnavailableError, match=r"does not answer: .*INFO"):
            await connect(BusAccess(url=url, user="planner"))


async def test_a_wrong_key_is_denied(embedded_bus: EmbeddedBus, tmp_path: Path) -> None:
    """The server knows no such key: an error at once, not after the deadline."""
    file = tmp_path / "wrong.nk"
    file.write_text(new_seed())
    with pytest.raises(DeniedError, match="does not know the key of user planner"):
        await connect(BusAccess(url=embedded_bus.url, user="planner", seed_file=str(file)))


async def test_no_key_is_denied(embedded_bus: EmbeddedBus) -> None:
    """A server with users lets nobody in without a key."""
    with pytest.raises(DeniedError, match=r"none is set"):
        await connect(BusAccess(url=embedded_bus.url, user="planner"))


async def test_a_key_file_that_is_missing_or_no_key_is_named(
    embedded_bus: EmbeddedBus, tmp_path: Path
) -> None:
    """The path is in the message, the content is not."""
    missing = tmp_path / "missing.nk"
    with pytest.raises(InvalidInputError, match=str(missing)):
        await connect(BusAccess(url=embedded_bus.url, user="planner", seed_file=str(missing)))
    garbage = tmp_path / "garbage.nk"
    garbage.write_text("SECRETWORD")
    with pytest.raises(InvalidInputError, match=str(garbage)) as caught:
        await connect(BusAccess(url=embedded_bus.url, user="planner", seed_file=str(garbage)))
    assert "SECRETWORD" not in str(caught.value)


async def test_health_follows_the_server(tmp_path: Path) -> None:
    """Health names the trouble while the server is away, and is well again afterwards."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("planner"), name="test") as bus,
    ):
        assert await bus.health() == ""
        await server.stop()
        assert server.url in await bus.health()
        await server.start()

        async def well() -> bool:
            return await bus.health() == ""

        await wait_until(well, deadline_s=DEADLINE_S, what="well again")


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for loopback that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bus")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "bus.crt", folder / "bus.key"
    certificate_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


async def test_tls_trusts_the_given_certificates_only(tmp_path: Path) -> None:
    """With the right authority the bus is reached, with none it is not."""
    certificate_file, key_file = certificate(tmp_path)
    port = free_port()
    server = OwnedProcess(
        "a server with TLS",
        [
            str(program("nats-server")),
            "--addr=127.0.0.1",
            f"--port={port}",
            "--tls",
            f"--tlscert={certificate_file}",
            f"--tlskey={key_file}",
        ],
        log_file=tmp_path / "log",
    )
    await server.start()
    try:

        async def listening() -> bool:
            return not port_is_free(port)

        await server.wait_ready(listening, 10)
        access = BusAccess(
            url=f"tls://127.0.0.1:{port}", user="planner", ca_file=str(certificate_file)
        )
        async with connect_bus(access, name="test") as bus:
            assert await bus.health() == ""
        with pytest.raises(UnavailableError, match="does not answer"):
            await connect(BusAccess(url=f"tls://127.0.0.1:{port}", user="planner"))
        with pytest.raises(InvalidInputError, match="certificates"):
            await connect(
                BusAccess(url=f"tls://127.0.0.1:{port}", user="planner", ca_file="/nowhere")
            )
    finally:
        await server.stop(5)


async def test_a_stranger_cannot_connect_where_there_is_tls(tmp_path: Path) -> None:
    """Neither without a key nor with another one; and no key is shown to a server not trusted."""
    certificate_file, key_file = certificate(tmp_path)
    port, seeds = free_port(), {name: tmp_path / name for name in ("planner", "stranger")}
    for seed in seeds.values():
        seed.write_text(new_seed())
    users = [(PLANNER, public_key(seeds["planner"].read_text()))]
    plain = server_configuration(name="tls", port=port, store=tmp_path / "data", users=users)
    tls = {"cert_file": str(certificate_file), "key_file": str(key_file), "timeout": 10}
    (tmp_path / "server.conf").write_bytes(msgspec.json.encode({**plain, "tls": tls}))
    server = OwnedProcess(
        "a server with TLS and users",
        [str(program("nats-server")), "--config", str(tmp_path / "server.conf")],
        log_file=tmp_path / "log",
    )
    await server.start()
    try:

        async def listening() -> bool:
            return not port_is_free(port)

        await server.wait_ready(listening, 10)
        known = BusAccess(
            url=f"tls://127.0.0.1:{port}",
            user="planner",
            seed_file=str(seeds["planner"]),
            ca_file=str(certificate_file),
        )
        async with connect_bus(known, name="test") as bus:
            assert await bus.health() == ""
        for seed_file in ("", str(seeds["stranger"])):
            with pytest.raises(DeniedError, match="does not know the key of user planner"):
                await connect(replace(known, seed_file=seed_file))
        with pytest.raises(UnavailableError, match="does not answer"):
            await connect(replace(known, ca_file=""))
    finally:
        await server.stop(5)


async def test_who_leaves_waits_no_more_for_a_server_that_is_away(tmp_path: Path) -> None:
    """A call that would have waited an hour for it fails, and so does every later one."""
    leaving, patient_s = asyncio.Event(), 3600.0
    async with (
        running_bus(tmp_path / "bus") as server,
        connect_bus(
            server.access("tester"), name="test", publish_budget_s=patient_s, leaving=leaving
        ) as bus,
    ):
        stream = scratch_stream()
        await bus.ensure_stream(stream)
        leaving.set()
        await put(bus, stream, "while the server is there")
        leaving.clear()
        await server.stop()
        waiting = asyncio.create_task(put(bus, stream, "begun before"))
        await asyncio.sleep(0)  # it has begun
        leaving.set()
        for late in (waiting, put(bus, stream, "begun afterwards")):
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(UnavailableError, match=r"cannot be reached|was lost"):
                    await late
