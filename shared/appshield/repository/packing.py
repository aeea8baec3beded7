"""Blobs into packs and packs into the store: what a writer and each of the workers do alike.

    add_*  → hash, known already?  → compress, seal into an open pack → prove, many at once
                                   → finish the pack, to a file → [upload threads: still allowed?
                                     put the pack] → report it

Of packs only those that are open are in memory; when the store is slow, `add_*` waits.
"""

import mmap
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import compress
from typing import Final

import msgspec

from appshield.errors import DamagedError, InvalidInputError
from appshield.objectstore import FileContent, ObjectStore
from appshield.repository.blobs import LARGEST_BLOB_BYTES, BlobCodec, BlobKind, blob_id
from appshield.repository.chunking import SMALLEST_BYTES, Chunker
from appshield.repository.claims import KnownBlobs
from appshield.repository.crypto import SealingKey
from appshield.repository.hashing import sha256_each
from appshield.repository.layout import file_name
from appshield.repository.nodes import Node, ReadInto
from appshield.repository.packs import FinishedPack, PackBuilder, StoredPack
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.settings import PackSettings
from appshield.repository.tree_writing import TreeWriter
from appshield.repository.trees import encode_tree
from appshield.repository.waiting_packs import WaitingPacks
from appshield.repository.workers.ports import JobPool


class BytesRead(msgspec.Struct, frozen=True, tag=True):
    """What a worker tells while it reads: so many plain bytes more."""

    bytes_read: int


_random: Final = random.SystemRandom()


class PackingWriter:
    """Stores blobs that are not known yet; a `BlobSink`.

    `ensure_fresh` is asked before each upload and raises when nothing may be written any more;
    `report` is told each durable pack, from the upload threads. With `encode_threads` it encodes
    beside the caller and may be used from several threads, without from one. Chunks go to one of
    `spread` open packs at random: the sizes of neighbours in a pack then do not tell which file
    they are (eprint 2025/532).
    """

    def __init__(
        self,
        *,
        store: ObjectStore,
        key: SealingKey,
        known: KnownBlobs,
        ensure_fresh: Callable[[], None],
        report: Callable[[StoredPack], None],
        settings: PackSettings,
        encode_threads: int = 0,
        spread: int = 1,
    ) -> None:
        self._store = store
        self._known = known
        self._ensure_fresh = ensure_fresh
        self._report_pack = report
        self._pack_bytes = settings.pack_bytes
        self._codec = BlobCodec(key, verify=settings.verify, level=settings.level)
        self._chunker = Chunker(key)
        self._failure = Failure()
        self._encoding = (
            BoundedPool(
                "encode", threads=encode_threads, waiting=encode_threads, failure=self._failure
            )
            if encode_threads
            else None
        )
        self._uploading = BoundedPool(
            "upload", threads=settings.upload_threads, waiting=0, failure=self._failure
        )
        self._waiting = WaitingPacks()
        self._spare: deque[mmap.mmap] = deque(maxlen=1)
        self._changing = threading.Lock()
        self._places: dict[BlobKind, list[_Place]] = {
            "data": [_Place() for _ in range(spread)],
            "tree": [_Place()],
        }
        self.bytes_read = 0
        """Plain bytes taken in so far, known ones included."""
        self.bytes_stored = 0
        """Bytes of packs that are durable."""

    def pool(
        self,
        go_on: Callable[[], None],  # noqa: ARG002 - there are no processes to wait for
        on_event: Callable[[msgspec.Struct], None],  # noqa: ARG002 - nor any that tell
    ) -> AbstractContextManager[JobPool | None]:
        """See BlobSink.pool: a worker has no workers."""
        return nullcontext()

    @property
    def whole_bytes(self) -> int:
        """See BlobSink.whole_bytes."""
        return SMALLEST_BYTES

    def add_data(self, data: bytes | memoryview) -> bytes:
        """See BlobSink.add_data."""
        if len(data) > LARGEST_BLOB_BYTES:
            raise _impossible(len(data))
        return self._add("data", data)

    def add_small(self, chunks: Sequence[bytes]) -> list[bytes]:
        """See BlobSink.add_small."""
        if not all(chunks):
            raise _impossible(0)
        self._failure.check()
        sizes = [len(chunk) for chunk in chunks]
        identities = sha256_each(b"".join(chunks), sizes)
        wanted = self._claim_each(identities, sum(sizes))
        new = [identity for identity, is_new in zip(identities, wanted, strict=True) if is_new]
        if new:
            packed = self._codec.pack_each(compress(chunks, wanted))
            self._put("data", lambda pack: pack.add_each(self._codec, new, packed))
        return identities

    def add_file(self, read_into: ReadInto) -> tuple[tuple[bytes, ...], int]:
        """See BlobSink.add_file."""
        content: list[bytes] = []
        size_bytes = 0
        for chunks in self._chunker.chunks(read_into):
            identities = sha256_each(chunks.buffer, chunks.sizes)
            for identity, chunk in zip(identities, chunks.pieces(), strict=True):
                self._add_named("data", identity, chunk)
            content += identities
            size_bytes += sum(chunks.sizes)
        return tuple(content), size_bytes

    def add_tree(self, nodes: Iterable[Node]) -> bytes:
        """See BlobSink.add_tree."""
        return self._add("tree", encode_tree(nodes))

    def open_tree(self) -> TreeWriter:
        """See BlobSink.open_tree."""
        return TreeWriter(
            self._codec.compression, partial(self._add, "tree"), self._add_packed_tree
        )

    def add_packed(
        self, kind: BlobKind, identity: bytes, packed: memoryview, *, compressed_from: int
    ) -> None:
        """Store a blob that is packed already (`BlobCodec.pack`), also one that is known.

        It is sealed and proved in the thread of the caller: one that is wrong is not stored.
        """
        self._failure.check()
        self._put(
            kind,
            lambda pack: pack.add(
                self._codec, identity, (packed,), compressed_from=compressed_from, prove_now=True
            ),
        )

    def unknown_data(self, blob_ids: bytes) -> set[bytes]:
        """See BlobSink.unknown_data."""
        return self._known.unknown("data", blob_ids)

    def flush(self) -> None:
        """Make everything that was added durable, and report it.

        Raises:
            AppShieldError: the first failure of an upload; then this writer is of no more use.
        """
        if self._encoding is not None:
            self._encoding.drain()
        self._close_packs()
        self._uploading.drain()

    def close(self) -> None:
        """Stop: open packs are dropped, uploads under way are awaited; no buffer stays."""
        if self._encoding is not None:
            self._encoding.close()
        self._uploading.close()
        self._waiting.close()
        self._spare.clear()
        for place in (place for places in self._places.values() for place in places):
            place.pack = None

    def count_stored(self, size_bytes: int) -> None:
        """Count a pack that became durable; told from any thread."""
        with self._changing:
            self.bytes_stored += size_bytes

    def _add(self, kind: BlobKind, plain: bytes | memoryview) -> bytes:
        if not plain:
            raise _impossible(0)
        identity = blob_id(plain)
        self._add_named(kind, identity, plain)
        return identity

    def _add_named(self, kind: BlobKind, identity: bytes, plain: bytes | memoryview) -> None:
        self._failure.check()
        if self._claim(kind, identity, len(plain)):
            if self._encoding is None:
                self._encode(kind, identity, plain)
            else:
                copy = bytes(plain)  # the caller may change what it gave while it is encoded
                self._encoding.submit(lambda: self._encode(kind, identity, copy))

    def _claim(self, kind: BlobKind, identity: bytes, size_bytes: int) -> bool:
        with self._changing:
            self.bytes_read += size_bytes
            return self._known.claim(kind, identity)

    def _claim_each(self, identities: Sequence[bytes], size_bytes: int) -> list[bool]:
        with self._changing:
            self.bytes_read += size_bytes
            return self._known.claim_each(identities)

    def _encode(self, kind: BlobKind, identity: bytes, plain: bytes | memoryview) -> None:
        packed, compressed_from = self._codec.pack(kind, plain)
        self._put_one(kind, identity, (packed,), compressed_from)

    def _add_packed_tree(
        self, identity: bytes, pieces: Sequence[bytes], compressed_from: int
    ) -> None:
        """Store a directory that is compressed already, unless it is known."""
        self._failure.check()
        if self._claim("tree", identity, compressed_from):
            self._put_one("tree", identity, pieces, compressed_from)

    def _put_one(
        self,
        kind: BlobKind,
        identity: bytes,
        pieces: Sequence[bytes | memoryview],
        compressed_from: int,
    ) -> None:
        self._put(
            kind,
            lambda pack: pack.add(self._codec, identity, pieces, compressed_from=compressed_from),
        )

    def _put(self, kind: BlobKind, add: Callable[[PackBuilder], None]) -> None:
        places = self._places[kind]
        place = places[0] if len(places) == 1 else _random.choice(places)
        with place.lock:
            if place.pack is None:
                buffer = self._spare.pop() if self._spare else None
                place.pack = PackBuilder(kind, full_bytes=self._pack_bytes, buffer=buffer)
            pack = place.pack
            add(pack)
            if not pack.is_full:
                return
            place.pack = None
        self._store_pack(pack)

    def _close_packs(self) -> None:
        merged: list[PackBuilder] = []
        for place in (place for places in self._places.values() for place in places):
            pack, place.pack = place.pack, None
            if pack is None:
                continue
            self._prove(pack)
            home = next((one for one in merged if one.has_room_for(pack)), None)
            if home is not None:
                home.absorb(pack)
            else:
                merged.append(pack)
        for pack in merged:
            self._store_pack(pack)

    def _prove(self, pack: PackBuilder) -> None:
        """Prove what is not proved yet of a pack; if that fails nothing more is stored."""
        try:
            pack.prove(self._codec)
        except DamagedError as error:
            self._failure.keep(error)
            raise

    def _store_pack(self, pack: PackBuilder) -> None:
        self._prove(pack)
        finished = pack.finish(self._codec.key)
        with finished.stored as stored:
            content = self._waiting.keep(stored)
        self._spare.append(pack.leave_buffer())
        self._uploading.submit(lambda: self._upload(finished, content))

    def _upload(self, pack: FinishedPack, content: FileContent) -> None:
        self._ensure_fresh()
        self._store.put(file_name("data", pack.pack_id), content, sha256=pack.pack_id)
        self._waiting.let_go(content)
        self.count_stored(len(content))
        self._report_pack(StoredPack(pack.pack_id, len(content), pack.header, pack.blobs))


class _Place:
    """One open pack, and whose turn it is."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pack: PackBuilder | None = None


def _impossible(size_bytes: int) -> InvalidInputError:
    return InvalidInputError(
        f"a chunk of {size_bytes} bytes cannot be stored",
        why=f"chunks have 1 to {LARGEST_BLOB_BYTES} bytes",
    )
