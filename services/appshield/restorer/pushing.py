"""Bring archived images back: what a registry lacks is pushed to it, by digest, layers first.

A registry may refuse an index of which it does not have every platform. Then objects name the
platform that is archived by its own digest.
"""

from collections.abc import Callable, Iterator
from functools import partial

import msgspec
from msgspec.structs import replace

from appshield.capture.layout import image_source
from appshield.contracts.message import StepCommand
from appshield.contracts.restores import ImagesPushed, PushImages
from appshield.contracts.sources import ImagePlacement
from appshield.custody import Custody, HeldRepository
from appshield.errors import (
    AppShieldError,
    DamagedError,
    NotFoundError,
    RunFailedError,
    UnavailableError,
)
from appshield.registry import (
    INDEX_FILE,
    Descriptor,
    ImageDocument,
    ImageReference,
    Registry,
    RegistryCredentials,
    RegistryHosts,
    RegistryRefusedError,
    blob_file,
    blobs_of,
    credentials_in,
    manifests_of,
)
from appshield.repository import Reader
from appshield.repository.nodes import Node
from appshield.restorer.reading import read_version
from appshield.service import Cancelled, run_blocking
from appshield.service.steps import StepContext, order_of, outcome


class Pushing:
    """Pushes archived images."""

    def __init__(self, *, custody: Custody, hosts: RegistryHosts) -> None:
        self._custody = custody
        self._hosts = hosts

    async def push(self, command: StepCommand, context: StepContext) -> ImagesPushed:
        """Make sure that every image of the order can be pulled.

        Raises:
            RunFailedError: a registry does not take one.
            UnavailableError: it cannot be reached now.
        """
        order = order_of(command, PushImages)
        async with self._custody.held(order.vault, order.app_id) as held:
            content = await read_version(held, order)
            await context.ensure_wanted()
            credentials = credentials_in(content.objects)
            pushed = []
            for image in order.images:
                archive = _Archive(held, content.root, image)
                host = order.registry or archive.reference.host
                work = partial(self._push, archive, host, credentials.get(host), context)
                pushed.append(await run_blocking(work))
        return outcome(
            ImagesPushed,
            order,
            placements=tuple(
                ImagePlacement(image=image, placed=one.placed)
                for image, one in zip(order.images, pushed, strict=True)
                if one.placed
            ),
            pushed=sum(one.was_missing for one in pushed),
            bytes_pushed=sum(one.bytes_pushed for one in pushed),
        )

    def _push(
        self,
        archive: "_Archive",
        host: str,
        credentials: RegistryCredentials | None,
        context: StepContext,
        cancelled: Cancelled,
    ) -> "_Pushed":
        """Push one image to a registry."""

        def advance(done: int) -> None:
            if cancelled():
                raise RunFailedError("pushing the image was stopped")
            context.progress(done)

        reference = archive.reference
        try:
            to = Registry(self._hosts.of(host, "push")[-1], credentials)
            pushed = archive.push(to, advance)
        except (DamagedError, RunFailedError):
            raise
        except AppShieldError as error:
            kind = UnavailableError if isinstance(error, UnavailableError) else RunFailedError
            raise kind(
                f"image {archive.image} cannot be brought back to registry {host}",
                why=str(error),
                next_step="Let this machine reach it, or name another one with --registry.",
            ) from error
        is_same = host == reference.host and pushed.digest == reference.digest
        return replace(pushed, placed="" if is_same else reference.at(host, pushed.digest))


class _Pushed(msgspec.Struct, frozen=True):
    """By which digest an image can be pulled, under which other name if so, what that took."""

    digest: str
    was_missing: bool
    bytes_pushed: int
    placed: str = ""


class _Archive:
    """An archived image in its version."""

    def __init__(self, held: HeldRepository, root: bytes, image: str) -> None:
        self.image = image
        self.reference = ImageReference.of(image)
        self._reader = Reader(held.repository)
        self._root = root

    def push(self, to: Registry, advance: Callable[[int], None]) -> _Pushed:
        """Push what a registry lacks; `advance` is told the bytes so far, and may raise."""
        pushing = _Push(self, to, advance)
        return _Pushed(pushing.run(), pushing.was_missing, pushing.bytes_pushed)

    def top(self) -> tuple[str, ImageDocument]:
        """Return what the image's digest names, an index or a manifest."""
        [entry] = manifests_of(self._content(self.file(INDEX_FILE)))
        return entry.digest, self.document(entry)

    def platform_of(self, index: ImageDocument) -> Descriptor:
        """Return that manifest of an index which is archived."""
        for one in manifests_of(index.content):
            try:
                self.file(blob_file(one.digest))
            except NotFoundError:
                continue
            return one
        raise DamagedError(f"of image {self.image} no platform is archived")

    def document(self, entry: Descriptor) -> ImageDocument:
        """Read an index or a manifest."""
        return ImageDocument(entry.media_type, self._content(self.file(blob_file(entry.digest))))

    def pieces(self, digest: str) -> Iterator[bytes]:
        """Yield a blob."""
        return self._reader.iter_file(self.file(blob_file(digest)))

    def file(self, name: str) -> Node:
        """Find a file of the layout; NotFoundError if it is not there."""
        return self._reader.find(self._root, f"{image_source(self.reference.digest)}/{name}")

    def _content(self, node: Node) -> bytes:
        return b"".join(self._reader.iter_file(node))


class _Push:
    """One image on its way into a registry."""

    def __init__(self, archive: _Archive, to: Registry, advance: Callable[[int], None]) -> None:
        self._archive = archive
        self._repository = archive.reference.repository
        self._to = to
        self._advance = advance
        self.was_missing = False
        self.bytes_pushed = 0

    def run(self) -> str:
        """Push what is missing; return the digest by which the image can be pulled now."""
        digest, top = self._archive.top()
        if not top.is_index:
            self._push_manifest(digest, top)
            return digest
        chosen = self._archive.platform_of(top)
        self._push_manifest(chosen.digest, self._archive.document(chosen))
        if self._to.has(self._repository, "manifests", digest):
            return digest
        try:
            self._to.put_document(self._repository, digest, top)
        except (NotFoundError, RegistryRefusedError):  # of another platform something is missing
            return chosen.digest
        return digest

    def _push_manifest(self, digest: str, manifest: ImageDocument) -> None:
        """Push configuration, layers and then the manifest, each only if it is not there."""
        for blob in blobs_of(manifest.content):
            if not self._to.has(self._repository, "blobs", blob.digest):
                pieces = self._counted(self._archive.pieces(blob.digest))
                self._to.put_blob(self._repository, blob.digest, blob.size, pieces)
                self.was_missing = True
        if not self._to.has(self._repository, "manifests", digest):
            self._to.put_document(self._repository, digest, manifest)
            self.was_missing = True

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.bytes_pushed += len(piece)
            self._advance(self.bytes_pushed)
            yield piece
