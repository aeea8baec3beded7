"""Reading: blobs, directories and files back out of packs, each verified before it is believed."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from appshield.errors import DamagedError, InvalidInputError, NotFoundError
from appshield.objectstore import ObjectStore
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.crypto import SEAL_BYTES, SealingKey
from appshield.repository.index import BlobPlace, Index
from appshield.repository.nodes import BlobAt, Node, PlainBlobs, StoredEntry
from appshield.repository.opening import BlobOpener, Sealed, blob_opener, windows
from appshield.repository.ranges import PackRanges, PackStream
from appshield.repository.repository import Repository
from appshield.repository.trees import decode_node, decode_tree
from appshield.repository.treestream import encoded_entries, entries_of, inflated

LARGE_TREE_BYTES: Final = 4 << 20
"""Larger directories are not in memory as a whole: some ten thousand entries."""

FILES_AHEAD: Final = 1_000
"""Small files that are fetched together."""

CHUNKS_AHEAD: Final = 16
"""Chunks of a file that are fetched together; in memory at most 128 MiB, mostly a tenth of it."""


class BlobReader:
    """Reads blobs and directories; a `BlobSource`, thread-safe."""

    def __init__(self, store: ObjectStore, key: SealingKey, index: Index) -> None:
        self._index = index
        self._key = key
        self._codec = BlobCodec(key)
        self._ranges = PackRanges(store)
        self._of_thread = threading.local()
        self._pack_ids: dict[int, str] = {}  # of the packs that were met, by number

    def read_blob(self, blob_id: bytes) -> bytes:
        """See BlobSource.read_blob."""
        return self._read("data", blob_id)

    def read_blobs(self, blob_ids: Iterable[bytes]) -> Iterator[PlainBlobs]:
        """See BlobSource.read_blobs."""
        wanted: dict[str, list[Sealed]] = {}
        unknown: list[bytes] = []
        for blob_id in set(blob_ids):
            pack_id, sealed = self._locate(blob_id)
            if sealed is None:
                unknown.append(blob_id)
            else:
                wanted.setdefault(pack_id, []).append(sealed)
        return self._opened(unknown, self._ranges.read_planned(wanted))

    def _opened(
        self, unknown: Sequence[bytes], streams: Iterator[PackStream]
    ) -> Iterator[PlainBlobs]:
        if unknown:
            missing = [(blob_id, _missing("data", blob_id)) for blob_id in unknown]
            yield PlainBlobs(memoryview(b""), (), missing)
        opener = self._opener
        for stream in streams:
            for window in windows(stream.part.blobs):
                start = window[0].offset
                length = stream.fill(start, opener.room(window[-1].end - start))
                plain, starts = opener.open(length, start, window)
                right, wrong = _sorted_out(window, starts)
                yield PlainBlobs(plain, right)
                yield from map(self._elsewhere, wrong)

    @property
    def _opener(self) -> BlobOpener:
        """What opens blobs in this thread; made when it first comes here."""
        try:
            opener: BlobOpener = self._of_thread.opener
        except AttributeError:
            opener = self._of_thread.opener = blob_opener(self._key)
        return opener

    def blob_size(self, blob_id: bytes) -> int:
        """See BlobSource.blob_size; DamagedError when no index names the blob."""
        row = self._index.find("data", blob_id)
        if row < 0:
            raise _missing("data", blob_id)
        return self._index.plain_bytes("data", row)

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        """See BlobSource.read_tree."""
        stored = self._read("tree", tree_id)
        try:
            return decode_tree(stored)
        except DamagedError as error:
            raise DamagedError(f"tree {tree_id.hex()} is wrong", why=str(error)) from error

    def read_entries(self, tree_id: bytes) -> Iterator[StoredEntry]:
        """See BlobSource.read_entries."""
        try:
            yield from entries_of(self._windows(tree_id))
        except DamagedError as error:
            raise DamagedError(f"tree {tree_id.hex()} is wrong", why=str(error)) from error

    def read_encoded(self, tree_id: bytes) -> Iterator[dict[bytes, bytes]]:
        """See BlobSource.read_encoded."""
        try:
            yield from encoded_entries(self._windows(tree_id))
        except DamagedError as error:
            raise DamagedError(f"tree {tree_id.hex()} is wrong", why=str(error)) from error

    def _windows(self, tree_id: bytes) -> Iterator[bytes]:
        """Return the plain bytes of a directory, all verified, in windows if there are many."""
        size_bytes = self._place("tree", tree_id).entry.compressed_from
        if size_bytes <= LARGE_TREE_BYTES:
            return iter((self._read("tree", tree_id),))
        return inflated(self._packed_tree(tree_id), tree_id, size_bytes=size_bytes)

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

    def _elsewhere(self, blob_id: bytes) -> PlainBlobs:
        """Return a blob that is not right where it was looked for, or what is wrong with it."""
        try:
            plain = self.read_blob(blob_id)
        except DamagedError as error:
            return PlainBlobs(memoryview(b""), (), ((blob_id, error),))
        return PlainBlobs(memoryview(plain), (BlobAt(blob_id, 0, len(plain)),))

    def _locate(self, blob_id: bytes) -> tuple[str, Sealed | None]:
        """Return the first place of a chunk: pack, and where in it; None if it is unknown."""
        row = self._index.find("data", blob_id)
        if row < 0:
            return "", None
        table = self._index.tables.data
        if row >= len(table):
            place = self._index.place("data", row)
            entry = place.entry
            return place.pack_id, Sealed(
                entry.offset, entry.sealed_bytes, entry.compressed_from, blob_id
            )
        number = table.packs[row]
        pack_id = self._pack_ids.get(number)
        if pack_id is None:
            pack_id = self._pack_ids[number] = self._index.tables.packs.identity(number).hex()
        sealed = Sealed(
            table.offsets[row], table.sealed_sizes[row], table.compressed_from[row], blob_id
        )
        return pack_id, sealed

    def _decode(self, place: BlobPlace) -> bytes:
        entry = place.entry
        try:
            sealed = self._sealed(place)
            return self._codec.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)
        except DamagedError as error:
            raise _damaged(place, error) from error


class Reader(BlobReader):
    """Reads what snapshots refer to, also by path; thread-safe.

    Of a file it fetches `chunks_ahead` together, and has as many in memory.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        index: Index | None = None,
        chunks_ahead: int = CHUNKS_AHEAD,
    ) -> None:
        super().__init__(repository.store, repository.key, index or repository.index)
        self._chunks_ahead = chunks_ahead

    def iter_file(self, node: Node) -> Iterator[bytes]:
        """Yield the content of a file, chunk by chunk."""
        if node.content is None:
            raise InvalidInputError(f"{node.kind} {node.name!r} has no content, it is not a file")
        content = iter(node.content)
        while together := tuple(islice(content, self._chunks_ahead)):
            chunks = self._chunks(together)
            for blob_id in together:
                chunk = chunks[blob_id]
                if isinstance(chunk, DamagedError):
                    raise chunk
                yield chunk

    def read_files(self, nodes: Iterable[Node]) -> Iterator[bytes | DamagedError]:
        """Yield the whole content of each of many small files, in order, or what is wrong with it.

        Many are fetched with one request where they lie beside each other.
        """
        files = iter(nodes)
        while together := tuple(islice(files, FILES_AHEAD)):
            chunks = self._chunks(one for node in together for one in node.content or ())
            for node in together:
                pieces = [chunks[one] for one in node.content or ()]
                wrong = [piece for piece in pieces if isinstance(piece, DamagedError)]
                right = (piece for piece in pieces if not isinstance(piece, DamagedError))
                yield wrong[0] if wrong else b"".join(right)

    def _chunks(self, blob_ids: Iterable[bytes]) -> dict[bytes, bytes | DamagedError]:
        """Return copies of a few blobs, and what is wrong with others."""
        chunks: dict[bytes, bytes | DamagedError] = {}
        for buffer, blobs, damaged in self.read_blobs(blob_ids):
            chunks |= {blob_id: bytes(buffer[start:end]) for blob_id, start, end in blobs}
            chunks |= dict(damaged)
        return chunks

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
            raise NotFoundError(
                f"there is no {raw.decode('utf-8', 'replace')!r} in this version",
                next_step="`appshield ls` lists what it holds",
            )
        return node

    def _child(self, tree_id: bytes, name: bytes) -> Node | None:
        for entry in self.read_entries(tree_id):
            if entry.name >= name:
                return decode_node(entry.stored) if entry.name == name else None
        return None


def _sorted_out(
    window: Sequence[Sealed], starts: Sequence[int]
) -> tuple[list[BlobAt], list[bytes]]:
    """Return where the blobs of a window are that are right, and the ids of the others."""
    right: list[BlobAt] = []
    wrong: list[bytes] = []
    for (_, sealed_bytes, compressed_from, blob_id), start in zip(window, starts, strict=True):
        if start < 0:
            wrong.append(blob_id)
        else:
            size_bytes = compressed_from or sealed_bytes - SEAL_BYTES
            right.append(BlobAt(blob_id, start, start + size_bytes))
    return right, wrong


def _missing(kind: BlobKind, identity: bytes) -> DamagedError:
    return DamagedError(f"{kind} blob {identity.hex()} is missing", why="no index names it")


def _damaged(place: BlobPlace, error: DamagedError) -> DamagedError:
    entry = place.entry
    what = f"{entry.kind} blob {entry.blob_id.hex()} in pack {place.pack_id} is damaged"
    return DamagedError(what, why=str(error))
