"""Archive an image: its documents and layers from the registry, each verified by its digest.

    images/sha256-<digest>/oci-layout, index.json, blobs/sha256/...

That is an OCI image layout, which other tools read. An image never changes, so one that the newest
version holds is not read again. Layers stay compressed as they are.
"""

from collections.abc import Callable, Iterator
from io import BytesIO

from appshield.capture import CapturedApplication
from appshield.contracts.sources import ImageSource, StoredSource
from appshield.custody import HeldRepository
from appshield.errors import (
    AppShieldError,
    DeniedError,
    NotFoundError,
    RunFailedError,
    UnavailableError,
)
from appshield.registry import (
    INDEX_FILE,
    LAYOUT_FILE,
    Descriptor,
    ImageDocument,
    ImageReference,
    Registry,
    RegistryHosts,
    blob_file,
    blobs_of,
    credentials_in,
    index_document,
    layout_document,
    manifest_for,
)
from appshield.repository import Reader, Writer
from appshield.repository.files import store_streams
from appshield.repository.nodes import Node
from appshield.uploader.parents import tree_of_latest

Read = Callable[[int], bytes]
Advance = Callable[[int, int], None]
_DIRECTORY_MODE = 0o700
_PIECE_BYTES = 256 << 10


def store_image(
    held: HeldRepository,
    source: ImageSource,
    captured: CapturedApplication,
    hosts: RegistryHosts,
    advance: Advance,
) -> StoredSource:
    """Store an image, from the first place of its registry that has it.

    `advance` is told how many bytes were read and stored so far; it may raise to stop.

    Raises:
        RunFailedError: no place gives it; says of each why.
        UnavailableError: none can be reached now.
    """
    reader = Reader(held.repository)
    if (known := tree_of_latest(held.repository, reader, source.name)) is not None:
        with Writer(held.repository, held.lock) as writer:
            return _stored(source, writer, known, 0, 0)
    reference = ImageReference.of(source.image)
    credentials = credentials_in(captured.objects).get(reference.host)
    problems: list[AppShieldError] = []
    for host in hosts.of(reference.host, "pull"):
        try:
            registry = Registry(host, credentials)
            return _archive(held, source, reference, registry, advance)
        except (NotFoundError, DeniedError, UnavailableError) as error:
            problems.append(error)
    why = "; ".join(map(str, problems))
    kind = UnavailableError if isinstance(problems[-1], UnavailableError) else RunFailedError
    raise kind(
        f"image {source.image} cannot be archived",
        why=f"the uploader could not pull it: {why}",
        next_step="Let this machine reach the registry, or say `images: pin` in the document.",
    )


def _archive(
    held: HeldRepository,
    source: ImageSource,
    reference: ImageReference,
    registry: Registry,
    advance: Advance,
) -> StoredSource:
    with Writer(held.repository, held.lock) as writer:
        pulled = _Pulled(
            registry, reference, source, lambda read: advance(read, writer.bytes_stored)
        )
        tree = store_streams(pulled.files, writer, mtime_ns=0)
        return _stored(source, writer, tree, pulled.bytes_read, len(pulled.files))


def _stored(
    source: ImageSource, writer: Writer, tree: bytes, bytes_read: int, files: int
) -> StoredSource:
    """Put the layout into the folder of its name."""
    folder = Node(
        name=source.name.rpartition("/")[2].encode(),
        kind="dir",
        mode=_DIRECTORY_MODE,
        mtime_ns=0,
        atime_ns=0,
        ctime_ns=0,
        uid=0,
        gid=0,
        subtree=tree,
    )
    stored = writer.add_tree([folder])
    return StoredSource(
        name=source.name,
        kind="image",
        tree=stored.hex(),
        bytes_read=bytes_read,
        bytes_stored=writer.bytes_stored,
        files=files,
    )


class _Pulled:
    """An image as files of a layout; a layer is pulled when its file is read."""

    def __init__(
        self,
        registry: Registry,
        reference: ImageReference,
        source: ImageSource,
        advance: Callable[[int], None],
    ) -> None:
        self._registry = registry
        self._repository = reference.repository
        self._advance = advance
        self.bytes_read = 0
        top = registry.document(self._repository, reference.digest)
        index = index_document(
            top.media_type, reference.digest, len(top.content), name=source.image
        )
        self.files: dict[str, Read] = {
            LAYOUT_FILE: BytesIO(layout_document()).read,
            INDEX_FILE: BytesIO(index).read,
            blob_file(reference.digest): BytesIO(top.content).read,
        }
        manifest = self._manifest(top, source.platform)
        for blob in blobs_of(manifest.content):
            self.files[blob_file(blob.digest)] = _reader(self._pieces(blob))

    def _manifest(self, top: ImageDocument, platform: str) -> ImageDocument:
        if not top.is_index:
            return top
        chosen = manifest_for(top.content, platform)
        manifest = self._registry.document(self._repository, chosen.digest)
        self.files[blob_file(chosen.digest)] = BytesIO(manifest.content).read
        return manifest

    def _pieces(self, blob: Descriptor) -> Iterator[bytes]:
        """Yield a blob; ends with an error if it was not the one of that digest."""
        with self._registry.blob(self._repository, blob.digest) as read:
            while piece := read(_PIECE_BYTES):
                self.bytes_read += len(piece)
                self._advance(self.bytes_read)
                yield piece


def _reader(pieces: Iterator[bytes]) -> Read:
    """Make pieces readable like a file; nothing is asked for before the first read."""
    rest = b""

    def read(size: int) -> bytes:
        nonlocal rest
        rest = rest or next(pieces, b"")
        taken, rest = rest[:size], rest[size:]
        return taken

    return read
