"""Registries that ask who wants an image, over TLS: a real one, with tokens and with passwords."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.registry import ImageDocument, Registry, RegistryCredentials, RegistryHost
from protected_registry import PASSWORD, USER, ProtectedRegistry, Protection

T = TypeVar("T")
REPOSITORY = "shop/web"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PIECES = [b"layer" * 1000, b"more" * 1000]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest() -> ImageDocument:
    """Write the manifest of an image of one layer."""

    def named(content: bytes, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": named(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [named(b"".join(PIECES), "application/vnd.oci.image.layer.v1.tar")],
    }
    return ImageDocument(MANIFEST, msgspec.json.encode(document))


def push(registry: Registry) -> str:
    """Push the image; the layer piece by piece, as a stream that is read once."""
    layer = b"".join(PIECES)
    registry.put_blob(REPOSITORY, digest_of(b"{}"), 2, iter([b"{}"]))
    registry.put_blob(REPOSITORY, digest_of(layer), len(layer), iter(PIECES))
    document = manifest()
    registry.put_document(REPOSITORY, digest_of(document.content), document)
    return digest_of(document.content)


def pull(registry: Registry, digest: str) -> bytes:
    """Read the manifest and the layer."""
    assert registry.document(REPOSITORY, digest).content == manifest().content
    with registry.blob(REPOSITORY, digest_of(b"".join(PIECES))) as read:
        content = bytearray()
        while data := read(4096):
            content += data
    return bytes(content)


async def blocking(work: Callable[..., T], *arguments: object) -> T:
    return await asyncio.to_thread(work, *arguments)


@pytest.mark.parametrize("protection", ["token", "basic"])
async def test_an_image_goes_in_and_comes_back_for_who_may(
    protection: Protection, tmp_path: Path
) -> None:
    """Reading asks for reading only; the registry itself verifies what it is given."""
    registry = ProtectedRegistry(tmp_path)
    async with registry.running(protection):
        digest = await blocking(push, Registry(registry.host, registry.credentials))
        reading = Registry(registry.host, registry.credentials)
        assert await blocking(pull, reading, digest) == b"".join(PIECES)
    if protection == "token":
        asked = [f"repository:{REPOSITORY}:pull,push", f"repository:{REPOSITORY}:pull"]
        assert registry.asked == asked


@pytest.mark.parametrize("protection", ["token", "basic"])
@pytest.mark.parametrize(
    "credentials", [None, RegistryCredentials(USER, "wrong"), RegistryCredentials("eve", PASSWORD)]
)
async def test_others_are_refused_and_told_what_is_missing(
    protection: Protection, credentials: RegistryCredentials | None, tmp_path: Path
) -> None:
    """Without the password in the words."""
    registry = ProtectedRegistry(tmp_path)
    async with registry.running(protection):
        with pytest.raises(DeniedError, match="image pull Secret") as refused:
            await blocking(push, Registry(registry.host, credentials))
    assert PASSWORD not in str(refused.value)


async def test_a_token_that_ends_in_the_middle_is_asked_for_anew(tmp_path: Path) -> None:
    """Before a piece by piece upload begins, since that cannot be sent twice."""
    registry = ProtectedRegistry(tmp_path, good_for_s=2)
    async with registry.running("token"):
        writing = Registry(registry.host, registry.credentials)
        digest = await blocking(push, writing)
        assert await blocking(pull, writing, digest) == b"".join(PIECES)
    assert len(registry.asked) > 5  # such a short one is used once


async def test_a_registry_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Credentials are never sent to it."""
    registry = ProtectedRegistry(tmp_path)
    stranger = RegistryHost(registry.host.url)
    async with registry.running("token"):
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            await blocking(push, Registry(stranger, registry.credentials))
    assert registry.asked == []
