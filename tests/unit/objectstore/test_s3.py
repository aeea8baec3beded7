"""What the S3 store sends, and what it makes of each kind of answer."""

import base64
import gc
import hashlib
import os
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appshield.errors import DeniedError, InvalidInputError, NotFoundError, UnavailableError
from appshield.objectstore import (
    ObjectExistsError,
    S3Credentials,
    S3Location,
    S3ObjectStore,
    S3Patience,
    StoreFullError,
)
from appshield.objectstore.bucket import ensure_bucket
from s3_impostor import Impostor, Reply, error_body, s3_impostor

SECRET = "a-secret-that-no-error-may-show"
CREDENTIALS = S3Credentials("AKIAEXAMPLE", SECRET)
REFUSED = Reply(412, error_body("PreconditionFailed"))
IMPATIENT = S3Patience(
    connect_timeout_s=2, answer_timeout_s=0.3, attempts=3, pause_min_s=0.001, pause_max_s=0.01
)


def store_at(
    impostor: Impostor, credentials: S3Credentials = CREDENTIALS, **more: Any
) -> S3ObjectStore:
    location = S3Location(impostor.endpoint, "a-bucket", "a/prefix", **more)
    return S3ObjectStore(location, credentials, patience=IMPATIENT)


def test_every_put_carries_the_checksum_of_its_bytes() -> None:
    """The SHA-256 is sent signed and as the checksum that services verify."""
    content = os.urandom(100_000)
    with s3_impostor() as impostor:
        store_at(impostor).put("data/ab/pack", content)
    (asked,) = impostor.asked
    digest = hashlib.sha256(content)
    assert (asked.method, asked.target) == ("PUT", "/a-bucket/a/prefix/data/ab/pack")
    assert asked.headers["x-amz-checksum-sha256"] == base64.b64encode(digest.digest()).decode()
    assert asked.headers["x-amz-content-sha256"] == digest.hexdigest()
    assert "x-amz-checksum-sha256" in asked.headers["authorization"]
    assert "if-none-match" not in asked.headers
    assert asked.body == content


def test_a_conditional_put_asks_the_service_for_the_condition() -> None:
    """`only_if_absent` is the signed header If-None-Match, and 412 is its no."""
    with (
        s3_impostor(REFUSED, REFUSED) as impostor,
        pytest.raises(ObjectExistsError, match="pack"),
    ):
        store_at(impostor).put("pack", b"", only_if_absent=True)
    probe, put = impostor.asked
    assert probe.target == "/a-bucket/a/prefix/.conditional"
    assert put.target == "/a-bucket/a/prefix/pack"
    for asked in impostor.asked:
        assert asked.headers["if-none-match"] == "*"
        assert "if-none-match" in asked.headers["authorization"]


def test_a_session_token_is_sent_and_signed() -> None:
    """Temporary credentials work."""
    with s3_impostor() as impostor:
        store_at(impostor, S3Credentials("AK", SECRET, "a-token")).put("x", b"")
    assert impostor.asked[0].headers["x-amz-security-token"] == "a-token"
    assert "x-amz-security-token" in impostor.asked[0].headers["authorization"]


def test_virtual_addressing_puts_the_bucket_into_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path then begins with the prefix."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more: resolve("127.0.0.1", *more))
    with s3_impostor() as impostor:
        endpoint = impostor.endpoint.replace("127.0.0.1", "localhost")
        location = S3Location(endpoint, "a-bucket", addressing="virtual")
        S3ObjectStore(location, CREDENTIALS, patience=IMPATIENT).put("x", b"")
    port = impostor.endpoint.rpartition(":")[2]
    assert impostor.asked[0].headers["host"] == f"a-bucket.localhost:{port}"
    assert impostor.asked[0].target == "/x"


def test_variables_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person has set for other tools does not redirect a Vault."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "foreign")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with s3_impostor() as impostor:
        store_at(impostor).put("x", b"")
    assert "x-amz-security-token" not in impostor.asked[0].headers


@pytest.mark.parametrize(
    "failure",
    [
        Reply(500, error_body("InternalError")),
        Reply(503, error_body("SlowDown")),
        Reply(503),
        Reply(429),
        Reply(400, error_body("BadDigest")),
        Reply(409, error_body("ConditionalRequestConflict")),
        Reply(200, b"half", promised_bytes=8),
        Reply(None),
    ],
)
def test_a_failure_that_may_pass_is_tried_again(failure: Reply) -> None:
    """Errors of the service, cut answers and silence are followed by another attempt."""
    with s3_impostor(failure, failure, Reply(200, b"whole")) as impostor:
        assert store_at(impostor).get("x") == b"whole"
        assert len(impostor.asked) == 3


@pytest.mark.parametrize("failure", [Reply(503, error_body("SlowDown")), Reply(None)])
def test_attempts_are_bounded_and_the_endpoint_is_named(failure: Reply) -> None:
    """A service that never recovers is an error in the end."""
    with (
        s3_impostor(*[failure] * 10) as impostor,
        pytest.raises(UnavailableError, match=impostor.endpoint),
    ):
        store_at(impostor).put("x", b"content")
    assert len(impostor.asked) == IMPATIENT.attempts


def test_pauses_grow_and_are_bounded() -> None:
    """The waits between attempts double, with jitter, up to a limit."""
    patience = S3Patience(pause_min_s=1, pause_max_s=10)
    pauses = [patience.pause_s(attempt) for attempt in range(8)]
    limits = [1, 2, 4, 8, 10, 10, 10, 10]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))


def test_an_unreachable_endpoint_is_named() -> None:
    """Nobody listens there: the message says where, and what to do."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        store = S3ObjectStore(S3Location(endpoint, "a-bucket"), CREDENTIALS, patience=IMPATIENT)
        with pytest.raises(UnavailableError, match=f"{endpoint} cannot be reached: Connection ref"):
            store.get("x")


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"])
def test_a_denial_names_bucket_and_access_key_and_no_secret(code: str) -> None:
    """It is not tried again, and no message shows the secret."""
    with s3_impostor(Reply(403, error_body(code))) as impostor:
        with pytest.raises(DeniedError, match=r"a-bucket.*AKIAEXAMPLE") as raised:
            store_at(impostor).put("x", b"")
        assert len(impostor.asked) == 1
    assert code in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_wrong_clock_is_told_apart_from_a_wrong_key() -> None:
    """The message says that the clocks differ."""
    with (
        s3_impostor(Reply(403, error_body("RequestTimeTooSkewed"))) as impostor,
        pytest.raises(DeniedError, match="clock"),
    ):
        store_at(impostor).get("x")


@pytest.mark.parametrize(
    "answer",
    [
        Reply(507),
        Reply(403, error_body("QuotaExceeded")),
        Reply(500, error_body("XMinioStorageFull")),
    ],
)
def test_a_full_store_says_so_at_once(answer: Reply) -> None:
    """More attempts would not help."""
    with (
        s3_impostor(answer) as impostor,
        pytest.raises(StoreFullError, match="the store is full"),
    ):
        store_at(impostor).put("x", b"")
    assert len(impostor.asked) == 1


def test_a_missing_bucket_is_not_a_missing_object() -> None:
    """Each way of looking tells that the bucket is not there."""
    gone = Reply(404, error_body("NoSuchBucket"))
    for ask in (
        lambda s: s.get("x"),
        lambda s: s.size("x"),
        lambda s: list(s.list("x")),
        lambda s: s.put("x", b""),
        lambda s: s.delete("x"),
    ):
        with (
            s3_impostor(gone, gone) as impostor,
            pytest.raises(NotFoundError, match="bucket a-bucket does not exist"),
        ):
            ask(store_at(impostor))


def test_another_region_is_a_mistake_in_the_location() -> None:
    """The message names the region that was tried."""
    with (
        s3_impostor(Reply(301, error_body("PermanentRedirect"))) as impostor,
        pytest.raises(InvalidInputError, match="eu-north-1"),
    ):
        store_at(impostor, region="eu-north-1").get("x")


def test_a_service_that_ignores_ranges_costs_bytes_and_no_correctness() -> None:
    """The part is cut from the whole."""
    with s3_impostor(Reply(200, b"0123456789"), Reply(200, b"0123456789")) as impostor:
        store = store_at(impostor)
        assert store.get("x", offset=3, length=4) == b"3456"
        assert store.get("x", offset=8) == b"89"


def test_an_answer_that_is_no_listing_is_an_error() -> None:
    """A proxy's page in place of a listing is not an empty store."""
    for body in (b"<html><body>hello</body></html>", b"not xml", b""):
        with (
            s3_impostor(Reply(200, body)) as impostor,
            pytest.raises(UnavailableError, match="no listing"),
        ):
            list(store_at(impostor).list(""))


def test_one_connection_serves_many_requests_and_survives_being_closed() -> None:
    """A connection that the server closed while idle costs one more attempt, no error."""
    with s3_impostor(Reply(200, headers={"connection": "keep-alive"})) as impostor:
        store = store_at(impostor)
        store.put("a", b"")
        idle = store._requests.connections._idle
        first = idle[0][1].sock
        store.put("b", b"")
        assert idle[0][1].sock is first
        first.shutdown(socket.SHUT_RDWR)
        store.put("c", b"")
        assert [asked.target[-1] for asked in impostor.asked] == ["a", "b", "c"]


def test_a_forked_process_uses_connections_of_its_own() -> None:
    """A store made and used before a fork works in the child, without touching the parent's."""
    with s3_impostor() as impostor:
        store = store_at(impostor)
        store.put("parent", b"")
        child = os.fork()
        if child == 0:
            try:
                store.put("child", b"")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        store.put("parent-again", b"")
        assert {asked.target.rpartition("/")[2] for asked in impostor.asked} == {
            "parent",
            "child",
            "parent-again",
        }


def test_a_store_that_is_dropped_leaves_no_connection_open() -> None:
    """Nobody has to close a store; an open socket would fail this suite as a warning."""
    with s3_impostor() as impostor:
        store = store_at(impostor)
        store.put("x", b"")
        connection = store._requests.connections._idle[0][1]
        del store
        gc.collect()
        assert connection.sock is None


def test_no_representation_shows_a_secret() -> None:
    """Neither of credentials nor of a store, on no path that prints."""
    credentials = S3Credentials("AK", SECRET, "secret-token-too")
    store = S3ObjectStore(S3Location("http://127.0.0.1:1", "a-bucket"), credentials)
    texts = (repr(credentials), str(credentials), repr(credentials.__rich_repr__()), repr(store))
    assert not [text for text in texts if SECRET in text or "secret-token-too" in text]


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    authority = folder / "authority.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + authority.read_bytes())
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(pem)
    return authority, trust


def test_an_own_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    """TLS works with a custom CA, and without it says whose certificate is not trusted."""
    authority, trust = _certificate(tmp_path)
    with s3_impostor(trust=trust) as impostor:
        store_at(impostor, ca_file=str(authority)).put("x", b"content")
        assert impostor.asked[0].body == b"content"
        store_at(impostor, ca_pem=authority.read_text()).put("x", b"content")
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match=r"certificate of https://localhost.* trusted"):
            store_at(impostor).put("x", b"content")
        assert time.monotonic() - begun < 5
    with pytest.raises(InvalidInputError, match="no-such-file"):
        store_at(impostor, ca_file="no-such-file.pem")
    with pytest.raises(InvalidInputError, match="CA of the Vault cannot be used"):
        store_at(impostor, ca_pem="not a certificate")


async def test_the_control_plane_trusts_the_same_authority(tmp_path: Path) -> None:
    """Its certificates as text, as a Vault's Secret has them."""
    authority, trust = _certificate(tmp_path)
    with s3_impostor(trust=trust) as impostor:
        location = S3Location(impostor.endpoint, "a-bucket", ca_pem=authority.read_text())
        assert not await ensure_bucket(location, CREDENTIALS)
        with pytest.raises(UnavailableError, match="localhost"):
            await ensure_bucket(S3Location(impostor.endpoint, "a-bucket"), CREDENTIALS)
