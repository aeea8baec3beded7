"""Reading: blobs, directories and files back out of packs, each verified before it is believed."""

from collections.abc import Iterator

from appshield.errors import DamagedError, InvalidInputError, NotFoundError
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.index import BlobPlace, Index
from appshield.repository.nodes import Node
from appshield.repository.ranges import PackRanges
from appshield.repository.repository import Repository
from appshield.repository.trees import decode_tree


class Reader:
    """Reads what snapshots refer to; a `BlobSource`, thread-safe."""

    def __init__(self, repository: Repository, *, index: Index | None = None) -> None:
        self._index = index or repository.index
        self._codec = BlobCodec(repository.key)
        self._ranges = PackRanges(repository.store)

    def read_blob(self, blob_id: bytes) -> bytes:
        """See BlobSource.read_blob."""
        return self._read("data", blob_id)

    def blob_size(self, blob_id: bytes) -> int:
        """See BlobSource.blob_size; DamagedError when no index names the blob."""
        return self._place("data", blob_id).entry.plain_bytes

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        """See BlobSource.read_tree."""
        stored = self._read("tree", tree_id)
        try:
            return decode_tree(stored)
        except DamagedError as error:
            raise DamagedError(f"tree {tree_id.hex()} is wrong", why=str(error)) from error

    def iter_file(self, node: Node) -> Iterator[bytes]:
        """Yield the content of a file, chunk by chunk."""
        if node.content is None:
            raise InvalidInputError(f"{node.kind} {node.name!r} has no content, it is not a file")
        for blob_id in node.content:
            yield self.read_blob(blob_id)

    def find(self, tree_id: bytes, path: str | bytes) -> Node:
        """Return the entry at `path` below a directory; parts are separated by `/`.

        Raises:
            NotFoundError: there is none.
        """
        raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
        parts = [part for part in raw.split(b"/") if part]
        node: Node | None = None
        below: bytes | None = tree_id
        for part in parts:
            nodes = self.read_tree(below) if below else ()
            node = next((node for node in nodes if node.name == part), None)
            below = node.subtree if node else None
        if node is None:
            raise NotFoundError(f"there is no {raw.decode('utf-8', 'replace')!r} in this version")
        return node

    def _place(self, kind: BlobKind, identity: bytes) -> BlobPlace:
        place = self._index.lookup(kind, identity)
        if place is None:
            raise DamagedError(f"{kind} blob {identity.hex()} is missing", why="no index names it")
        return place

    def _read(self, kind: BlobKind, identity: bytes) -> bytes:
        place = self._place(kind, identity)
        entry = place.entry
        try:
            sealed = self._ranges.read(
                place.pack_id,
                offset=entry.offset,
                length=entry.sealed_bytes,
                pack_size=self._index.pack_size(place.pack_id) or 0,
            )
            return self._codec.decode(identity, sealed, compressed_from=entry.compressed_from)
        except DamagedError as error:
            raise DamagedError(
                f"{kind} blob {identity.hex()} in pack {place.pack_id} is damaged", why=str(error)
            ) from error
