"""Certificates of the gate: trusted while they live, exchanged before they end."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from appshield.errors import DamagedError, InvalidInputError
from appshield.gate import (
    Authority,
    GateAddress,
    Serving,
    authority_of,
    authority_secret,
    is_worn,
    new_authority,
    new_serving,
)
from appshield.gate.authority import AUTHORITY_LIVES, SERVING_LIVES

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NAME = "gateway.appshield-system.svc"


def verify(serving: Serving, trusted: bytes, at: datetime, name: str = NAME) -> None:
    """Do as the API server does."""
    store = Store(x509.load_pem_x509_certificates(trusted))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(serving.certificate), [])


def test_what_an_authority_signs_is_trusted_for_its_name_and_its_time() -> None:
    """Not under another name, not by another authority, not when it has ended."""
    authority = new_authority(NOW)
    serving = new_serving(authority, NAME, NOW)
    verify(serving, authority.trusted, NOW)
    verify(serving, authority.trusted, NOW + SERVING_LIVES - timedelta(seconds=1))
    for wrong in (
        (authority.trusted, NOW + SERVING_LIVES + timedelta(seconds=1), NAME),
        (authority.trusted, NOW, "other.appshield-system.svc"),
        (new_authority(NOW).trusted, NOW, NAME),
    ):
        with pytest.raises(VerificationError):
            verify(serving, *wrong)


def test_a_new_authority_leaves_the_one_before_trusted_until_it_ends() -> None:
    """Gateways go on with what they have while others have the newer one."""
    first = new_authority(NOW)
    later = NOW + AUTHORITY_LIVES * 0.7
    assert not is_worn(first, NOW)
    assert is_worn(first, later)
    second = new_authority(later, before=first)
    assert not is_worn(second, later)
    verify(new_serving(first, NAME, later), second.trusted, later)
    verify(new_serving(second, NAME, later), second.trusted, later)
    third = new_authority(NOW + AUTHORITY_LIVES * 1.5, before=second)
    assert first.certificate not in third.trusted
    assert second.certificate in third.trusted


def test_nothing_outlives_its_authority_and_all_is_exchanged_in_time() -> None:
    """A third of its life is left when a certificate is made anew."""
    authority = new_authority(NOW)
    late = NOW + AUTHORITY_LIVES - timedelta(days=3)
    short = x509.load_pem_x509_certificate(new_serving(authority, NAME, late).certificate)
    assert short.not_valid_after_utc <= NOW + AUTHORITY_LIVES
    assert new_serving(authority, "10.99.0.1", NOW).worn_at == NOW + SERVING_LIVES * 2 / 3


def test_the_secret_holds_it_and_says_so_when_it_does_not() -> None:
    """Keys are shown by no text."""
    authority = new_authority(NOW)
    secret = authority_secret(authority)
    assert authority_of(secret) == authority
    assert "PRIVATE" not in repr(authority)
    nothing = base64.b64encode(b"nothing").decode()
    for data in ({}, None, {"tls.key": nothing, "tls.crt": nothing, "ca.crt": nothing}):
        with pytest.raises(DamagedError, match="Delete it"):
            authority_of({**secret, "data": data})


def test_an_address_is_a_url_or_a_service() -> None:
    """Each with the name that the certificate has to bear."""
    assert GateAddress.read("https://10.99.0.1:4711") == GateAddress("", "10.99.0.1", 4711)
    service = GateAddress.read("appshield-system/gateway:443")
    assert service == GateAddress("appshield-system", "gateway", 443)
    assert (service.server_name, GateAddress("", "h", 1).server_name) == (NAME, "h")
    for wrong in ("", "gateway", "gateway:443", "https://host", "a/b", "https://host:x", "a/b:x"):
        with pytest.raises(InvalidInputError, match="NAMESPACE/SERVICE:PORT"):
            GateAddress.read(wrong)


def test_only_an_authority_of_elliptic_curves_is_read() -> None:
    """Whatever else somebody put there is no authority."""
    authority = new_authority(NOW)
    odd = Authority(key=authority.certificate, certificate=authority.key, trusted=authority.trusted)
    with pytest.raises(DamagedError):
        authority_of(authority_secret(odd))
