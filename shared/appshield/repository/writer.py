"""Writing: blobs into packs, packs into the store, and then their index.

A `Writer` is a `PackingWriter` under a lock of the repository. It alone writes indexes: they name
only packs that are durable, its own and those of its worker processes, so a repository is valid at
every instant, and what a killed writer has uploaded is found by the next one.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self

import msgspec

from appshield.objectstore import access_of
from appshield.repository.blobs import BlobKind
from appshield.repository.claims import Claims, ClaimTable
from appshield.repository.durable import LONGEST_S, DurablePacks
from appshield.repository.freshness import Freshness
from appshield.repository.keys import KeyParts
from appshield.repository.locks import RepositoryLock
from appshield.repository.packing import BytesRead, PackingWriter
from appshield.repository.packs import StoredPack
from appshield.repository.repository import Repository
from appshield.repository.settings import PackSettings
from appshield.repository.settling import SettlingIndex
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.setup import WorkerSetup

ENCODING_THREADS: Final = 2
OPEN_PACKS: Final = 2

Progress = Callable[[int, int], None]
"""Called with the totals so far: plain bytes taken in, bytes stored. From several threads."""


class Writer(PackingWriter):
    """Stores blobs that are not there yet; a `BlobSink`, thread-safe.

    As a context manager it flushes at the end. When the block fails, what is durable already is
    still indexed, for the next attempt to find. An index is written at least each `index_every_s`.
    `workers` is how many processes store directories; 0 for none but this.
    """

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        progress: Progress | None = None,
        *,
        settings: PackSettings | None = None,
        index_every_s: float = LONGEST_S,
        workers: int = 0,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._progress = progress
        self._settings = settings or PackSettings()
        self._workers = workers
        # read under the lock: what an earlier index names may have been pruned before we held it
        self._settling = SettlingIndex(repository, lock)
        self._index = self._settling.index
        self._claims = ClaimTable.create()
        super().__init__(
            store=repository.store,
            key=repository.key,
            known=Claims(self._index, self._claims),
            ensure_fresh=self._ensure_allowed,
            report=self._index_later,
            settings=self._settings,
            encode_threads=ENCODING_THREADS,
            spread=OPEN_PACKS,
        )
        self._durable = DurablePacks(repository, lock, self._failure, longest_s=index_every_s)

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

    @contextlib.contextmanager
    def pool(
        self, go_on: Callable[[], None], on_event: Callable[[msgspec.Struct], None]
    ) -> Iterator[WorkerPool | None]:
        """See BlobSink.pool: processes that claim, pack and report as this writer does."""
        access = access_of(self._repository.store)
        if not self._workers or access is None:
            yield None
            return
        setup = WorkerSetup(
            store=access, key=KeyParts.of(self._repository.key), packs=self._settings
        )
        with contextlib.closing(Freshness.create()) as freshness:

            def look() -> None:
                self._ensure_allowed()  # waits the first time, when all workers are at work
                self._failure.check()
                freshness.extend(self._lock.fresh_for_s())
                go_on()

            memory = {
                "index": self._index.share(),
                "claims": self._claims.descriptor,
                **freshness.descriptors,
            }
            with WorkerPool(
                setup,
                workers=self._workers,
                memory=memory,
                on_event=partial(self._take_event, on_event),
                go_on=look,
            ) as pool:
                yield pool

    def flush(self) -> None:
        """Make everything that was added durable and named by an index.

        Raises:
            AppShieldError: the lock did not settle, or the first failure of an upload; then this
                writer is of no more use.
        """
        self._settling.ensure_right()
        super().flush()
        self._durable.write_index()

    def close(self) -> None:
        """Stop: open packs are dropped, uploads under way are awaited and indexed if possible."""
        super().close()
        self._durable.close()
        self._claims.close()

    def _claim(self, kind: BlobKind, identity: bytes, size_bytes: int) -> bool:
        claimed = super()._claim(kind, identity, size_bytes)
        self._tell()
        return claimed

    def _claim_each(self, identities: Sequence[bytes], size_bytes: int) -> list[bool]:
        claimed = super()._claim_each(identities, size_bytes)
        self._tell()
        return claimed

    def _ensure_allowed(self) -> None:
        """Ask before each upload whether anything may still be written."""
        self._settling.ensure_right()
        self._lock.ensure_fresh()

    def _take_event(
        self, on_event: Callable[[msgspec.Struct], None], event: msgspec.Struct
    ) -> None:
        if isinstance(event, StoredPack):
            self.count_stored(event.size_bytes)
            self._index_later(event)
            return
        if isinstance(event, BytesRead):
            with self._changing:
                self.bytes_read += event.bytes_read
            self._tell()
        on_event(event)

    def _index_later(self, pack: StoredPack) -> None:
        self._tell()
        self._durable.add(pack)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.bytes_read, self.bytes_stored)
