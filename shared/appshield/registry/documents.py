"""What an image consists of: an index of platforms, a manifest, a configuration, layers. Pure.

The layout of an image in a folder is that of the OCI image layout 1.0: `oci-layout`, `index.json`
and one file for each blob, named by its digest.
"""

from typing import Final

import msgspec

from appshield.errors import DamagedError, NotFoundError

INDEXES: Final = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
MANIFESTS: Final = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
LAYOUT_FILE: Final = "oci-layout"
INDEX_FILE: Final = "index.json"
_NAME = "org.opencontainers.image.ref.name"


class Platform(msgspec.Struct, frozen=True):
    """What a machine must be to run an image."""

    os: str = ""
    architecture: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A blob by type, digest and size; layers with `urls` are not kept by registries."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    urls: tuple[str, ...] = ()


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    manifests: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()


def manifest_for(index: bytes, platform: str) -> Descriptor:
    """Choose the manifest for a platform, written like `linux/amd64`, from an index.

    Raises:
        NotFoundError: it is for others only.
        DamagedError: that is no index.
    """
    listed = _decode(index).manifests
    for one in listed:
        if one.platform and f"{one.platform.os}/{one.platform.architecture}" == platform:
            return one
    others = sorted({f"{p.os}/{p.architecture}" for one in listed if (p := one.platform)})
    raise NotFoundError(
        f"the image has no manifest for {platform}", why=f"it is for {', '.join(others) or 'none'}"
    )


def manifests_of(index: bytes) -> tuple[Descriptor, ...]:
    """List the manifests that an index, or a layout, names.

    Raises:
        DamagedError: that is no index.
    """
    return _decode(index).manifests


def blobs_of(manifest: bytes) -> tuple[Descriptor, ...]:
    """List the configuration and the layers of an image, each once.

    Raises:
        DamagedError: that is no manifest.
    """
    document = _decode(manifest)
    if document.config is None:
        raise DamagedError("the manifest of an image cannot be read", why="it has no configuration")
    found = {one.digest: one for one in (document.config, *document.layers) if not one.urls}
    return tuple(found.values())


def layout_document() -> bytes:
    """Write what marks a folder as an image layout."""
    return b'{"imageLayoutVersion":"1.0.0"}'


def index_document(media_type: str, digest: str, size: int, *, name: str) -> bytes:
    """Write which image a layout holds."""
    entry = {
        "mediaType": media_type,
        "digest": digest,
        "size": size,
        "annotations": {_NAME: name},
    }
    return msgspec.json.encode({"schemaVersion": 2, "manifests": [entry]})


def blob_file(digest: str) -> str:
    """Name the file of a blob in a layout."""
    algorithm, _, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded}"


def _decode(content: bytes) -> _Document:
    try:
        return msgspec.json.decode(content, type=_Document)
    except msgspec.MsgspecError as error:
        raise DamagedError("a document of an image cannot be read", why=str(error)) from error
