"""The certificates of the gate: one authority for an installation, short-lived serving ones below.

The API server trusts what `trusted` holds. A new authority comes with the certificates of those
before it, so that gateways which still serve by an older one stay trusted until that has ended.
"""

import base64
import ipaddress
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import DamagedError
from appshield.gate.names import AUTHORITY_SECRET

AUTHORITY_LIVES = timedelta(days=365)
SERVING_LIVES = timedelta(days=30)
_SKEW = timedelta(hours=1)
"""Clocks differ: a certificate is valid a little before it is made."""
_WORN_SHARE = 2 / 3
_FIELDS = ("tls.key", "tls.crt", "ca.crt")


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs for the gate, as PEM; `trusted` holds its certificate first, then older ones."""

    key: bytes = field(repr=False)
    certificate: bytes
    trusted: bytes


@dataclass(frozen=True, slots=True)
class Serving:
    """The key and the certificate of one gateway, as PEM; it is made anew after `worn_at`."""

    key: bytes = field(repr=False)
    certificate: bytes
    worn_at: datetime


def new_authority(now: datetime, *, before: Authority | None = None) -> Authority:
    """Make an authority that takes the place of the one `before` it."""
    key = ec.generate_private_key(ec.SECP256R1())
    # no two authorities have one name, or clients could take the wrong one of a bundle
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"gate {secrets.token_hex(8)}")])
    builder = _builder(name, key.public_key(), now, AUTHORITY_LIVES).issuer_name(name)
    signed = _signed(
        builder,
        key,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(signs=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    )
    certificate = signed.public_bytes(_PEM)
    older = [one for one in _certificates(before.trusted if before else b"") if _lives(one, now)]
    trusted = b"".join([certificate, *(one.public_bytes(_PEM) for one in older)])
    return Authority(key=_pem(key), certificate=certificate, trusted=trusted)


def is_worn(authority: Authority, now: datetime) -> bool:
    """Say whether it is time for another authority: two thirds of this one's life are over."""
    certificate = x509.load_pem_x509_certificate(authority.certificate)
    return now >= _worn_at(certificate)


def new_serving(authority: Authority, name: str, now: datetime) -> Serving:
    """Make the certificate of a gateway that is reached under `name`, a host or an IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "appshield gateway")])
    life = min(SERVING_LIVES, issuer.not_valid_after_utc - now)
    builder = _builder(subject, key.public_key(), now, life).issuer_name(issuer.subject)
    signer = _private(authority.key)
    signed = _signed(
        builder,
        signer,
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([_alternative(name)]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    )
    return Serving(key=_pem(key), certificate=signed.public_bytes(_PEM), worn_at=_worn_at(signed))


def authority_secret(authority: Authority) -> dict[str, object]:
    """Write an authority down as the Secret that watcher and gateway share."""
    values = (authority.key, authority.certificate, authority.trusted)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": AUTHORITY_SECRET,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "appshield"},
        },
        "type": "kubernetes.io/tls",
        "data": {
            name: base64.b64encode(value).decode()
            for name, value in zip(_FIELDS, values, strict=True)
        },
    }


def authority_of(secret: dict[str, object]) -> Authority:
    """Read an authority from its Secret.

    Raises:
        DamagedError: the Secret holds something else.
    """
    found = secret.get("data")
    data = found if isinstance(found, dict) else {}
    try:
        fields = [base64.b64decode(data[name]) for name in _FIELDS]
        read = Authority(*fields)
        _private(read.key)
        _certificates(read.trusted)
        x509.load_pem_x509_certificate(read.certificate)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"Secret {SYSTEM_NAMESPACE}/{AUTHORITY_SECRET} does not hold the gate's certificates",
            why=f"{type(error).__name__}: a part of it is missing or is no PEM",
            next_step="Delete it: the watcher makes another one at once.",
        ) from error
    return read


_PEM = serialization.Encoding.PEM


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    *extensions: tuple[x509.ExtensionType, bool],
) -> x509.Certificate:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _worn_at(certificate: x509.Certificate) -> datetime:
    begun = certificate.not_valid_before_utc + _SKEW
    return begun + (certificate.not_valid_after_utc - begun) * _WORN_SHARE


def _lives(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc > now


def _certificates(bundle: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle) if bundle else []


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key is of another kind")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
