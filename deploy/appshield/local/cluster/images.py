"""Container images without a container tool: one deterministic layer, pushed to a registry.

`build_image` makes an OCI image of a root file system (a folder, or a mapping of paths to
contents). The same input gives the same bytes and so the same digest: entries are sorted, times
are zero, owner names are left out. `push_image` uploads it by the distribution protocol and
returns the reference by digest under which containerd pulls it.

Source: OCI image specification 1.1 (config, manifest) and distribution specification 1.1 (push).
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import aiohttp

from appshield.errors import UnavailableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PUSH_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Symlink:
    """An entry of a mapping that is a symbolic link to `target` instead of a file."""

    target: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image in memory: its name in a registry and its three blobs."""

    name: str
    tag: str
    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The digest of the manifest: what `imageID` of a container shows after the `@`."""
        return _digest(self.manifest)


def build_image(
    rootfs: Path | Mapping[str, bytes | Symlink],
    *,
    name: str,
    tag: str,
    entrypoint: Sequence[str] = (),
    cmd: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    user: str = "",
    workdir: str = "/",
    exposed: Sequence[int] = (),
    architecture: str = "amd64",
) -> Image:
    """Make an image of a folder, or of a mapping from absolute or relative path to contents.

    Files of a mapping belong to root and may be read and executed by all. A folder keeps modes,
    owners (numbers) and links; sockets are left out. `exposed` are TCP ports. Compressing is work
    for the processor: call it through `asyncio.to_thread` where others wait.
    """
    raw, layer = _layer(rootfs)
    settings: dict[str, object] = {"WorkingDir": workdir, "User": user}
    settings["Env"] = [f"{key}={value}" for key, value in sorted((env or {}).items())]
    if entrypoint:
        settings["Entrypoint"] = list(entrypoint)
    if cmd:
        settings["Cmd"] = list(cmd)
    if exposed:
        settings["ExposedPorts"] = {f"{port}/tcp": {} for port in exposed}
    config = _json(
        {
            "created": "1970-01-01T00:00:00Z",
            "architecture": architecture,
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [raw]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, layer)],
        }
    )
    return Image(name=name, tag=tag, config=config, layer=layer, manifest=manifest)


async def push_image(image: Image, registry_url: str) -> str:
    """Upload what the registry does not have yet; return `host:port/name@sha256:...`.

    `registry_url` is `host:port` or `http://host:port`. Raises `UnavailableError` when the
    registry cannot be reached or refuses.
    """
    host = registry_url.removeprefix("http://").rstrip("/")
    base = f"http://{host}/v2/{image.name}/"
    timeout = aiohttp.ClientTimeout(total=_PUSH_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
            for blob in (image.layer, image.config):
                await _push_blob(session, base, blob)
            for reference in (image.digest, image.tag):
                url = urljoin(base, f"manifests/{reference}")
                headers = {"Content-Type": _MANIFEST}
                async with session.put(url, data=image.manifest, headers=headers):
                    pass
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UnavailableError(
            f"the image {image.name}:{image.tag} could not be pushed to {host}",
            why=str(error) or type(error).__name__,
            next_step="See `appshield cluster status`, then try again",
        ) from error
    return f"{host}/{image.name}@{image.digest}"


async def _push_blob(session: aiohttp.ClientSession, base: str, blob: bytes) -> None:
    digest = _digest(blob)
    url = urljoin(base, f"blobs/{digest}")
    async with session.head(url, raise_for_status=False) as found:
        if found.status == 200:
            return
    async with session.post(urljoin(base, "blobs/uploads/")) as started:
        location = urljoin(str(started.url), started.headers["Location"])
    join = "&" if "?" in location else "?"
    headers = {"Content-Type": "application/octet-stream"}
    target = f"{location}{join}digest={digest}"
    async with session.put(target, data=io.BytesIO(blob), headers=headers):
        pass


def _layer(rootfs: Path | Mapping[str, bytes | Symlink]) -> tuple[str, bytes]:
    """The digest of the tar, and the tar compressed."""
    compressed = io.BytesIO()
    with gzip.GzipFile(fileobj=compressed, mode="wb", compresslevel=6, mtime=0) as zipped:
        hashing = _HashingWriter(zipped)
        with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            if isinstance(rootfs, Path):
                _add_folder(tar, rootfs)
            else:
                _add_mapping(tar, rootfs)
    return f"sha256:{hashing.sha256.hexdigest()}", compressed.getvalue()


def _add_folder(tar: tarfile.TarFile, rootfs: Path) -> None:
    for path in _sorted_tree(rootfs):
        entry = tar.gettarinfo(path, arcname=str(path.relative_to(rootfs)))
        # tarfile answers None for a socket, whatever its stub says.
        if entry is None or not (entry.isreg() or entry.isdir() or entry.issym() or entry.islnk()):
            continue
        entry.mtime, entry.uname, entry.gname = 0, "", ""
        if entry.isreg():
            with path.open("rb") as source:
                tar.addfile(entry, source)
        else:
            tar.addfile(entry)


def _sorted_tree(folder: Path) -> Iterator[Path]:
    """Every path below `folder`, parents first; links to folders are not followed."""
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _sorted_tree(path)


def _add_mapping(tar: tarfile.TarFile, files: Mapping[str, bytes | Symlink]) -> None:
    contents = {path.strip("/"): content for path, content in files.items()}
    folders = {str(parent) for path in contents for parent in Path(path).parents} - {"."}
    for folder in sorted(folders):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    for path, content in sorted(contents.items()):
        entry = tarfile.TarInfo(path)
        if isinstance(content, Symlink):
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, content.target, 0o777
            tar.addfile(entry)
        else:
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))


class _HashingWriter(io.RawIOBase):
    """Passes bytes on and keeps their digest, so that the layer is written once."""

    def __init__(self, target: gzip.GzipFile) -> None:
        self.sha256 = hashlib.sha256()
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        self.sha256.update(data)
        return self._target.write(data)


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
