"""The certificates of a local cluster: one authority, short EC keys, made once.

`ensure_certificates` writes them all or none: they are made in a folder beside the final one,
which is then renamed. Keys are readable by the owner only.
"""

import base64
import ipaddress
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appshield.local.cluster.settings import ClusterSettings

_LIFE = timedelta(days=3650)
_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate is for: file name, common name, groups and the names it serves."""

    file: str
    common_name: str
    groups: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()


def identities(settings: ClusterSettings) -> tuple[Identity, ...]:
    """Every identity of the cluster; those with `serves` may be servers."""
    addresses = settings.addresses
    api_names = (
        addresses.node,
        addresses.kubernetes_service,
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    return (
        Identity("apiserver", "kube-apiserver", serves=api_names),
        Identity("apiserver-kubelet", "kube-apiserver", ("system:masters",)),
        Identity("kubelet-serving", settings.label, serves=(addresses.node, settings.label)),
        Identity("kubelet", f"system:node:{settings.label}", ("system:nodes",)),
        Identity("controller-manager", "system:kube-controller-manager"),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("proxy", "system:kube-proxy"),
        Identity("storage", "appshield-storage", ("system:masters",)),
        Identity("admin", "appshield-admin", ("system:masters",)),
    )


WEBHOOKS = "webhooks"
"""What the API server shows the webhooks that it asks: a certificate that has signed itself, so
that whoever trusts it takes questions of this API server alone."""
_USERS = ("kubelet", "controller-manager", "scheduler", "proxy", "storage", "admin")


def ensure_certificates(settings: ClusterSettings) -> None:
    """Make authority, keys, certificates and kubeconfig files unless they are there."""
    layout = settings.layout
    if not layout.pki.is_dir():
        unfinished = layout.pki.with_name("pki.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        _make_all(settings, unfinished)
        unfinished.rename(layout.pki)
    if not (layout.pki / f"{WEBHOOKS}.crt").exists():
        _make_webhook_certificate(settings.label, layout.pki)
    admin = kubeconfig(settings, layout.pki, "admin")
    if not layout.kubeconfig.exists() or layout.kubeconfig.read_text() != admin:
        _write(layout.kubeconfig, admin.encode())


def kubeconfig(settings: ClusterSettings, pki: Path, user: str) -> str:
    """A kubeconfig with everything inside, so that it can be copied."""

    def embedded(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    name = settings.label
    cluster = {
        "server": settings.addresses.api_url,
        "certificate-authority-data": embedded("ca.crt"),
    }
    keys = {
        "client-certificate-data": embedded(f"{user}.crt"),
        "client-key-data": embedded(f"{user}.key"),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _make_all(settings: ClusterSettings, folder: Path) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(settings.label, authority_key)
    _write_pair(folder, "ca", authority_key, authority)
    for identity in identities(settings):
        key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(folder, identity.file, key, _signed(identity, key, authority, authority_key))
    tokens = ec.generate_private_key(ec.SECP256R1())
    _write(folder / "tokens.key", _pem(tokens))
    public = tokens.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(folder / "tokens.pub", public)
    for user in _USERS:
        _write(folder / f"{user}.kubeconfig", kubeconfig(settings, folder, user).encode())


def _make_webhook_certificate(name: str, folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{name} webhooks", ())
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(subject, subject, key).add_extension(purpose, critical=False)
    _write_pair(folder, WEBHOOKS, key, builder.sign(key, hashes.SHA256()))


def _authority(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = _subject(f"{name} local cluster", ())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _signed(
    identity: Identity,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    builder = _builder(
        _subject(identity.common_name, identity.groups), authority.subject, key
    ).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
        critical=False,
    )
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if identity.serves:
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
        names = x509.SubjectAlternativeName(_alternative_names(identity.serves))
        builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
    )


def _subject(common_name: str, groups: Sequence[str]) -> x509.Name:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_pair(
    folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    _write(folder / f"{name}.key", _pem(key))
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Write a private file: complete or not at all."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.rename(path)
