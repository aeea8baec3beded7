"""Names, addresses, credentials and documents of images: what is read out of each."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appshield.errors import DamagedError, InvalidInputError, NotFoundError
from appshield.registry import (
    ImageReference,
    RegistryCredentials,
    RegistryHost,
    RegistryHosts,
    blob_file,
    blobs_of,
    credentials_in,
    index_document,
    manifest_for,
    manifests_of,
)

DIGEST = "sha256:" + "0f" * 32
OTHER = "sha256:" + "1e" * 32


@pytest.mark.parametrize(
    ("image", "host", "repository", "tag"),
    [
        ("nginx", "docker.io", "library/nginx", ""),
        ("nginx:1.27", "docker.io", "library/nginx", "1.27"),
        ("grafana/grafana:11", "docker.io", "grafana/grafana", "11"),
        ("10.99.0.2:5000/busybox:1", "10.99.0.2:5000", "busybox", "1"),
        ("localhost/a/b", "localhost", "a/b", ""),
        ("registry.example.org/shop/web:v1", "registry.example.org", "shop/web", "v1"),
    ],
)
def test_a_name_is_taken_apart_as_containerd_does(
    image: str, host: str, repository: str, tag: str
) -> None:
    """And written again, there or elsewhere."""
    found = ImageReference.of(f"{image}@{DIGEST}")
    assert found == ImageReference(host, repository, tag, DIGEST)
    written = f":{tag}" if tag else ""
    assert found.at("mirror:5000") == f"mirror:5000/{repository}{written}@{DIGEST}"
    assert found.at(host, OTHER).endswith(f"@{OTHER}")


@pytest.mark.parametrize("image", ["nginx:1", f"@{DIGEST}", "a@sha256:12", f"../x@{DIGEST}"])
def test_what_names_no_image_by_digest_is_refused(image: str) -> None:
    """A tag means another image tomorrow."""
    with pytest.raises(InvalidInputError, match="names no image by its digest"):
        ImageReference.of(image)


def test_a_registry_is_at_its_name_or_where_hosts_toml_says(tmp_path: Path) -> None:
    """Mirrors are asked first, for what they can; the registry itself comes last."""
    hosts = RegistryHosts(tmp_path)
    assert hosts.of("r.example.org", "pull") == (RegistryHost("https://r.example.org"),)
    assert hosts.of("127.0.0.1:5000", "push") == (RegistryHost("http://127.0.0.1:5000"),)
    assert hosts.of("docker.io", "pull") == (RegistryHost("https://registry-1.docker.io"),)
    (tmp_path / "r.example.org").mkdir()
    (tmp_path / "r.example.org" / "hosts.toml").write_text(
        """
server = "https://r.example.org"
[host."http://mirror:5000"]
  capabilities = ["pull", "resolve"]
  skip_verify = true
  ca = "mirror.pem"
"""
    )
    mirror = RegistryHost(
        "http://mirror:5000", (str(tmp_path / "r.example.org" / "mirror.pem"),), verifies=False
    )
    itself = RegistryHost("https://r.example.org")
    assert hosts.of("r.example.org", "pull") == (mirror, itself)
    assert hosts.of("r.example.org", "push") == (itself,)


def test_a_hosts_toml_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Not silently passed over: the node would pull from elsewhere."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "hosts.toml").write_text("server = [")
    with pytest.raises(InvalidInputError, match=r"r/hosts\.toml cannot be read"):
        RegistryHosts(tmp_path).of("r", "pull")


@pytest.mark.parametrize("host", ["..", "a/b", "http://r", "", "r:port"])
def test_what_is_no_name_of_a_registry_is_looked_up_nowhere(tmp_path: Path, host: str) -> None:
    """It would leave the folder, or be another address than it seems."""
    with pytest.raises(InvalidInputError, match="names no registry"):
        RegistryHosts(tmp_path / "below").of(host, "push")


def secret(kind: str, key: str, document: dict[str, Any]) -> dict[str, Any]:
    content = base64.b64encode(msgspec.json.encode(document)).decode()
    return {"kind": "Secret", "type": f"kubernetes.io/{kind}", "data": {key: content}}


def test_credentials_come_from_secrets_for_registries_and_are_never_shown() -> None:
    """Both forms, old and new; what cannot be read says nothing."""
    pair = base64.b64encode(b"me:a:b").decode()
    found = credentials_in(
        [
            secret(
                "dockerconfigjson",
                ".dockerconfigjson",
                {"auths": {"https://index.docker.io/v1/": {"auth": pair}}},
            ),
            secret("dockercfg", ".dockercfg", {"r:5000": {"username": "u", "password": "planted"}}),
            secret("dockerconfigjson", ".dockerconfigjson", {"auths": {"x": {"auth": "?"}}}),
            {"kind": "Secret", "type": "Opaque", "data": {".dockercfg": "e30="}},
            {"kind": "ConfigMap", "data": {}},
        ]
    )
    assert found == {
        "docker.io": RegistryCredentials("me", "a:b"),
        "r:5000": RegistryCredentials("u", "planted"),
    }
    assert "planted" not in repr(found)


def test_of_an_index_the_platform_that_ran_is_chosen() -> None:
    """Where there is none, the error says which there are."""

    def entry(digest: str, architecture: str) -> dict[str, Any]:
        platform = {"os": "linux", "architecture": architecture}
        return {"mediaType": "m", "digest": digest, "size": 7, "platform": platform}

    index = msgspec.json.encode({"manifests": [entry(DIGEST, "arm64"), entry(OTHER, "amd64")]})
    assert manifest_for(index, "linux/amd64").digest == OTHER
    with pytest.raises(NotFoundError, match="it is for linux/amd64, linux/arm64"):
        manifest_for(index, "linux/s390x")
    with pytest.raises(DamagedError):
        manifest_for(b"{", "linux/amd64")


def test_an_image_is_its_configuration_and_each_layer_once() -> None:
    """Layers that registries do not keep are not asked for."""
    config = {"mediaType": "c", "digest": DIGEST, "size": 1}
    layer = {"mediaType": "l", "digest": OTHER, "size": 2}
    foreign = {**layer, "digest": "sha256:x", "urls": ["https://elsewhere"]}
    manifest = msgspec.json.encode({"config": config, "layers": [layer, layer, foreign]})
    assert [one.digest for one in blobs_of(manifest)] == [DIGEST, OTHER]
    with pytest.raises(DamagedError, match="no configuration"):
        blobs_of(b"{}")


def test_a_layout_names_its_image() -> None:
    """By type, digest and size, as other tools look for it."""
    [entry] = manifests_of(index_document("a/type", DIGEST, 12, name="shop:1"))
    assert (entry.media_type, entry.digest, entry.size) == ("a/type", DIGEST, 12)
    assert blob_file(DIGEST) == f"blobs/sha256/{'0f' * 32}"
