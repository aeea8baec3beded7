"""The certificates of a local cluster: who may say what, made once, private."""

from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from appshield.local.cluster.certificates import WEBHOOKS, ensure_certificates
from appshield.local.cluster.settings import ClusterSettings


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home must leave room for the names of sockets."""
    return tmp_path_factory.mktemp("c")


def made(home: Path) -> ClusterSettings:
    settings = ClusterSettings(home=home, cache=home)
    ensure_certificates(settings)
    return settings


def certificate(settings: ClusterSettings, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((settings.layout.pki / f"{name}.crt").read_bytes())


def test_the_api_server_is_known_by_its_address_and_its_service(short_path: Path) -> None:
    """Both the machine and the pods can verify it."""
    settings = made(short_path)
    names = certificate(settings, "apiserver").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    addresses = {str(found) for found in names.value.get_values_for_type(x509.IPAddress)}
    assert {settings.addresses.node, settings.addresses.kubernetes_service} <= addresses
    assert "kubernetes.default.svc" in names.value.get_values_for_type(x509.DNSName)


def test_the_kubelet_is_a_node_and_nothing_more(short_path: Path) -> None:
    """The node authorizer looks at exactly these names."""
    subject = certificate(made(short_path), "kubelet").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:appshield"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_everything_is_signed_by_the_one_authority(short_path: Path) -> None:
    """But what webhooks are shown, which nobody else can sign; keys are for the owner only."""
    settings = made(short_path)
    authority, webhooks = certificate(settings, "ca"), certificate(settings, WEBHOOKS)
    webhooks.verify_directly_issued_by(webhooks)
    for file in settings.layout.pki.glob("*.crt"):
        if file.stem != WEBHOOKS:
            certificate(settings, file.stem).verify_directly_issued_by(authority)
    private = [*settings.layout.pki.iterdir(), settings.layout.kubeconfig]
    assert {file.stat().st_mode & 0o777 for file in private} == {0o600}


def test_a_second_start_keeps_them_and_an_interrupted_first_one_leaves_none(
    short_path: Path,
) -> None:
    """All or nothing: a half-made folder is made again, a whole one is kept."""
    (short_path / "pki.new").mkdir()
    (short_path / "pki.new" / "ca.key").write_text("half")
    settings = made(short_path)
    before = (settings.layout.pki / "ca.crt").read_bytes()
    made(short_path)
    assert (settings.layout.pki / "ca.crt").read_bytes() == before
    assert not (short_path / "pki.new").exists()


def test_a_lost_kubeconfig_is_written_again(short_path: Path) -> None:
    """It holds everything itself, so it may be copied or deleted."""
    settings = made(short_path)
    settings.layout.kubeconfig.unlink()
    made(short_path)
    document = yaml.safe_load(settings.layout.kubeconfig.read_text())
    assert document["clusters"][0]["cluster"]["server"] == settings.addresses.api_url
    assert document["users"][0]["user"]["client-key-data"]
