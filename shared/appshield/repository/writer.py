"""Writing: blobs into packs, packs into the store, and then their index.

    add_*  → hash, known already?  → [encoding threads: compress, seal, prove, add to an open pack]
                                   → [upload threads: lock still fresh? put the pack]
           → index, whenever enough packs are durable

An index names only packs that are durable, so a repository is valid at every instant, and what a
killed writer has uploaded is found by the next one. At most a few chunks and packs are in memory;
when the store is slow, `add_*` waits.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

from appshield.errors import InvalidInputError
from appshield.repository.blobs import LARGEST_BLOB_BYTES, BlobCodec, BlobKind, blob_id
from appshield.repository.chunking import Chunker
from appshield.repository.durable import LONGEST_S, DurablePacks
from appshield.repository.layout import file_name
from appshield.repository.locks import RepositoryLock
from appshield.repository.nodes import Node
from appshield.repository.packs import PACK_BYTES, FinishedPack, PackBuilder
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.repository import Repository
from appshield.repository.trees import encode_tree

ENCODING_THREADS: Final = 2
UPLOAD_THREADS: Final = 3

OPEN_PACKS: Final[dict[BlobKind, int]] = {"data": 2, "tree": 1}
"""Chunks go to one of two packs at random: the sizes of neighbours in a pack then do not tell which
file they are (eprint 2025/532)."""

Progress = Callable[[int, int], None]
"""Called with the totals so far: plain bytes taken in, bytes stored. From several threads."""


class Writer:
    """Stores blobs that are not there yet; a `BlobSink`, thread-safe.

    As a context manager it flushes at the end. When the block fails, what is durable already is
    still indexed, for the next attempt to find. `verify` decodes every blob again before it counts;
    a pack is closed at `pack_bytes`; an index is written at least each `index_every_s`.
    """

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        progress: Progress | None = None,
        *,
        verify: bool = True,
        pack_bytes: int = PACK_BYTES,
        index_every_s: float = LONGEST_S,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._progress = progress
        self._pack_bytes = pack_bytes
        # read under the lock: what an earlier index names may have been pruned before we held it
        self._index = repository.load_index()
        self._codec = BlobCodec(repository.key, verify=verify)
        self._chunker = Chunker(repository.key)
        self._failure = Failure()
        self._encoding = BoundedPool(
            "encode", threads=ENCODING_THREADS, waiting=ENCODING_THREADS, failure=self._failure
        )
        self._uploading = BoundedPool(
            "upload", threads=UPLOAD_THREADS, waiting=0, failure=self._failure
        )
        self._durable = DurablePacks(repository, lock, self._failure, longest_s=index_every_s)
        self._changing = threading.Lock()
        self._claimed: dict[BlobKind, set[bytes]] = {"data": set(), "tree": set()}
        self._open_packs: dict[tuple[BlobKind, int], PackBuilder] = {}
        self._bytes_read = 0
        self._bytes_stored = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()

    @property
    def repository(self) -> Repository:
        """Where this writes to."""
        return self._repository

    @property
    def bytes_read(self) -> int:
        """Plain bytes taken in so far, known ones included."""
        return self._bytes_read

    @property
    def bytes_stored(self) -> int:
        """Bytes of packs that are durable."""
        return self._bytes_stored

    def add_data(self, data: bytes | memoryview) -> bytes:
        """See BlobSink.add_data."""
        return self._add("data", data)

    def add_file(self, read: Callable[[int], bytes]) -> tuple[tuple[bytes, ...], int]:
        """See BlobSink.add_file."""
        content: list[bytes] = []
        size_bytes = 0
        for chunk in self._chunker.chunks(read):
            content.append(self._add("data", chunk))
            size_bytes += len(chunk)
        return tuple(content), size_bytes

    def add_tree(self, nodes: Iterable[Node]) -> bytes:
        """See BlobSink.add_tree."""
        return self._add("tree", encode_tree(nodes))

    def flush(self) -> None:
        """Make everything that was added durable and named by an index.

        Raises:
            AppShieldError: the first failure of an upload; then this writer is of no more use.
        """
        self._encoding.drain()
        self._close_open_packs()
        self._uploading.drain()
        self._durable.write_index()

    def close(self) -> None:
        """Stop: open packs are dropped, uploads under way are awaited and indexed if possible."""
        self._encoding.close()
        self._uploading.close()
        self._durable.close()

    def _add(self, kind: BlobKind, plain: bytes | memoryview) -> bytes:
        if not plain or (kind == "data" and len(plain) > LARGEST_BLOB_BYTES):
            raise InvalidInputError(
                f"a chunk of {len(plain)} bytes cannot be stored",
                why=f"chunks have 1 to {LARGEST_BLOB_BYTES} bytes",
            )
        self._failure.check()
        plain = bytes(plain)  # a copy only of what the caller might change while it is encoded
        identity = blob_id(plain)
        if self._claim(kind, identity, len(plain)):
            self._encoding.submit(lambda: self._encode(kind, identity, plain))
        return identity

    def _claim(self, kind: BlobKind, identity: bytes, size_bytes: int) -> bool:
        """Tell whether a blob has to be stored; of several who ask, only the first is told so."""
        with self._changing:
            self._bytes_read += size_bytes
            known = identity in self._claimed[kind] or self._index.has(kind, identity)
            if not known:
                self._claimed[kind].add(identity)
        self._report()
        return not known

    def _encode(self, kind: BlobKind, identity: bytes, plain: bytes) -> None:
        encoded = self._codec.encode(identity, kind, plain)
        with self._changing:
            place = (kind, secrets.randbelow(OPEN_PACKS[kind]))
            pack = self._open_packs.get(place) or PackBuilder(kind, full_bytes=self._pack_bytes)
            pack.add(identity, encoded)
            if not pack.is_full:
                self._open_packs[place] = pack
                return
            self._open_packs.pop(place, None)
        self._store(pack)

    def _close_open_packs(self) -> None:
        with self._changing:
            opened, self._open_packs = self._open_packs, {}
        merged: list[PackBuilder] = []
        for pack in opened.values():
            home = next((one for one in merged if one.has_room_for(pack)), None)
            if home is not None:
                home.absorb(pack)
            else:
                merged.append(pack)
        for pack in merged:
            self._store(pack)

    def _store(self, pack: PackBuilder) -> None:
        finished = pack.finish(self._repository.key)
        self._uploading.submit(lambda: self._upload(finished))

    def _upload(self, pack: FinishedPack) -> None:
        self._lock.ensure_fresh()
        self._repository.store.put(file_name("data", pack.pack_id), memoryview(pack.stored))
        with self._changing:
            self._bytes_stored += len(pack.stored)
        self._report()
        self._durable.add(pack)

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._bytes_read, self._bytes_stored)
