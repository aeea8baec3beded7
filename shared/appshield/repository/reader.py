"""Reading: blobs, directories and files back out of packs, each verified before it is believed."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from appshield.errors import DamagedError, InvalidInputError, NotFoundError
from appshield.objectstore import ObjectStore
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.crypto import SealingKey
from appshield.repository.index import BlobPlace, Index
from appshield.repository.nodes import Node, StoredEntry
from appshield.repository.ranges import PackRange, PackRanges
from appshield.repository.repository import Repository
from appshield.repository.trees import decode_node, decode_tree
from appshield.repository.treestream import entries_of, inflated

LARGE_TREE_BYTES: Final = 4 << 20
"""Larger directories are not in memory as a whole: some ten thousand entries."""

CHUNKS_AHEAD: Final = 16
"""Chunks of a file that are fetched together; in memory at most 128 MiB, mostly a tenth of it."""


class BlobReader:
    """Reads blobs and directories; a `BlobSource`, thread-safe."""

    def __init__(self, store: ObjectStore, key: SealingKey, index: Index) -> None:
        self._index = index
        self._key = key
        self._codec = BlobCodec(key)
        self._ranges = PackRanges(store)

    def read_blob(self, blob_id: bytes) -> bytes:
        """See BlobSource.read_blob."""
        return self._read("data", blob_id)

    def read_blobs(self, blob_ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | DamagedError]]:
        """See BlobSource.read_blobs."""
        places: list[BlobPlace] = []
        for blob_id in set(blob_ids):
            try:
                places.append(self._place("data", blob_id))
            except DamagedError as error:
                yield blob_id, error
        for part, fetched in self._ranges.read_planned(places):
            for place in part.places:
                yield place.entry.blob_id, self._of_range(place, part, fetched)

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

    def read_entries(self, tree_id: bytes) -> Iterator[StoredEntry]:
        """See BlobSource.read_entries."""
        size_bytes = self._place("tree", tree_id).entry.compressed_from
        try:
            if size_bytes <= LARGE_TREE_BYTES:
                windows = iter((self._read("tree", tree_id),))
            else:
                windows = inflated(self._packed_tree(tree_id), tree_id, size_bytes=size_bytes)
            yield from entries_of(windows)
        except DamagedError as error:
            raise DamagedError(f"tree {tree_id.hex()} is wrong", why=str(error)) from error

    def _place(self, kind: BlobKind, identity: bytes) -> BlobPlace:
        place = self._index.lookup(kind, identity)
        if place is None:
            raise _missing(kind, identity)
        return place

    def _read(self, kind: BlobKind, identity: bytes) -> bytes:
        """Return a blob from the first of its places where it is right."""
        failure: DamagedError | None = None
        for place in self._index.places(kind, identity):
            try:
                return self._decode(place)
            except DamagedError as error:
                failure = failure or error
        raise failure or _missing(kind, identity)

    def _packed_tree(self, tree_id: bytes) -> memoryview:
        """Return a large directory, compressed; only the seal is verified yet."""
        place = self._place("tree", tree_id)
        try:
            return self._key.open(self._sealed(place))
        except DamagedError as error:
            raise _damaged(place, error) from error

    def _sealed(self, place: BlobPlace) -> memoryview:
        return self._ranges.read(
            place.pack_id,
            offset=place.entry.offset,
            length=place.entry.sealed_bytes,
            pack_size=self._index.pack_size(place.pack_id) or 0,
        )

    def _of_range(
        self, place: BlobPlace, part: PackRange, fetched: bytes | DamagedError
    ) -> bytes | DamagedError:
        """Return a blob of a range, from elsewhere if it is not right there."""
        try:
            if isinstance(fetched, DamagedError):
                raise fetched
            start = place.entry.offset - part.start
            sealed = memoryview(fetched)[start : start + place.entry.sealed_bytes]
            return self._codec.decode(
                place.entry.blob_id, sealed, compressed_from=place.entry.compressed_from
            )
        except DamagedError:
            try:
                return self.read_blob(place.entry.blob_id)
            except DamagedError as error:
                return error

    def _decode(self, place: BlobPlace) -> bytes:
        entry = place.entry
        try:
            sealed = self._sealed(place)
            return self._codec.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)
        except DamagedError as error:
            raise _damaged(place, error) from error


class Reader(BlobReader):
    """Reads what snapshots refer to, also by path; thread-safe."""

    def __init__(self, repository: Repository, *, index: Index | None = None) -> None:
        super().__init__(repository.store, repository.key, index or repository.index)

    def iter_file(self, node: Node) -> Iterator[bytes]:
        """Yield the content of a file, chunk by chunk."""
        if node.content is None:
            raise InvalidInputError(f"{node.kind} {node.name!r} has no content, it is not a file")
        content = iter(node.content)
        while together := tuple(islice(content, CHUNKS_AHEAD)):
            chunks = dict(self.read_blobs(together))
            for blob_id in together:
                chunk = chunks[blob_id]
                if isinstance(chunk, DamagedError):
                    raise chunk
                yield chunk

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
            node = self._child(below, part) if below else None
            below = node.subtree if node else None
        if node is None:
            raise NotFoundError(f"there is no {raw.decode('utf-8', 'replace')!r} in this version")
        return node

    def _child(self, tree_id: bytes, name: bytes) -> Node | None:
        for entry in self.read_entries(tree_id):
            if entry.name >= name:
                return decode_node(entry.stored) if entry.name == name else None
        return None


def _missing(kind: BlobKind, identity: bytes) -> DamagedError:
    return DamagedError(f"{kind} blob {identity.hex()} is missing", why="no index names it")


def _damaged(place: BlobPlace, error: DamagedError) -> DamagedError:
    entry = place.entry
    what = f"{entry.kind} blob {entry.blob_id.hex()} in pack {place.pack_id} is damaged"
    return DamagedError(what, why=str(error))
