"""Storing anew what is needed of some packs.

Blobs are taken over as they are sealed, once each has been proved to be what its name says: damage
is not carried on. A pack is done when all that is needed of it is in packs that an index names.
"""

import functools
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.contents import PackRows, rows_of_packs
from appshield.repository.index import Index
from appshield.repository.index_writing import IndexWriter
from appshield.repository.layout import file_name
from appshield.repository.locks import RepositoryLock
from appshield.repository.packs import PackBuilder, PackEntry, decode_header
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.pruning.planning import PrunePlan, PruneSettings
from appshield.repository.repository import Repository

THREADS: Final = 2

OPEN_PACKS: Final[dict[BlobKind, int]] = {"data": 2, "tree": 1}
"""As when they were written first: neighbours shall not tell which file they are of."""

GAP_BYTES: Final = 1 << 20
"""To read over what is not needed costs less than another request, up to here."""

READ_BYTES: Final = 8 << 20


class Repacking:
    """Repacks packs, some at a time, until all are done or it is time to stop."""

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        index: Index,
        plan: PrunePlan,
        settings: PruneSettings,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._index = index
        self._plan = plan
        self._settings = settings
        self._codec = BlobCodec(repository.key)
        self._changing = threading.Lock()
        self._open: dict[tuple[BlobKind, int], PackBuilder] = {}
        self._writer = IndexWriter(repository, lock)
        self.done: list[int] = []

    def run(self, *, give_way: Callable[[], bool]) -> bool:
        """Repack what the plan says; return False if it had to give way before all was done.

        Either way all packs in `done` may be dropped after this.

        Raises:
            DamagedError: a blob that is needed does not verify; nothing is lost by trying.
        """
        failure = Failure()
        pool = BoundedPool("repack", threads=THREADS, waiting=0, failure=failure)
        stopped = False
        try:
            for rows in rows_of_packs(self._index, self._plan.repacked):
                stopped = give_way()
                if stopped:
                    break
                pool.submit(functools.partial(self._repack, rows))
            pool.drain()
        finally:
            pool.close()
        for opened in self._merged():
            self._store(opened)
        self._writer.flush()
        return not stopped

    def _repack(self, rows: PackRows) -> None:
        for entry, sealed in self._read(rows):
            full = self._append(entry, sealed)
            if full is not None:
                self._store(full)
        with self._changing:
            self.done.append(rows.pack)

    def _append(self, entry: PackEntry, sealed: memoryview) -> PackBuilder | None:
        """Add a blob to an open pack; return the pack if it is full now."""
        with self._changing:
            place = (entry.kind, secrets.randbelow(OPEN_PACKS[entry.kind]))
            pack = self._open.get(place)
            if pack is None:
                pack = PackBuilder(entry.kind, full_bytes=self._settings.pack_bytes)
                self._open[place] = pack
            pack.add_sealed(entry, sealed)
            return self._open.pop(place) if pack.is_full else None

    def _merged(self) -> list[PackBuilder]:
        """Return what is still open, put together where it fits into one pack."""
        merged: list[PackBuilder] = []
        for pack in self._open.values():
            home = next((other for other in merged if other.has_room_for(pack)), None)
            if home is None:
                merged.append(pack)
            else:
                home.absorb(pack)
        return merged

    def _store(self, pack: PackBuilder) -> None:
        finished = pack.finish(self._repository.key)
        self._lock.ensure_fresh()
        name = file_name("data", finished.pack_id)
        self._repository.store.put(name, finished.stored, sha256=finished.pack_id)
        with self._changing:
            self._writer.add(finished.pack_id, decode_header(finished.header))

    def _needed(self, rows: PackRows) -> Iterator[PackEntry]:
        for at in range(len(rows)):
            kind, row = rows[at]
            if self._plan.needed[kind][row]:
                yield rows.entry(at)

    def _read(self, rows: PackRows) -> Iterator[tuple[PackEntry, memoryview]]:
        name = file_name("data", rows.pack_id)
        for run in _runs(self._needed(rows)):
            start = run[0].offset
            length = run[-1].offset + run[-1].sealed_bytes - start
            try:
                part = memoryview(self._repository.store.get(name, offset=start, length=length))
                for entry in run:
                    sealed = part[entry.offset - start :][: entry.sealed_bytes]
                    self._codec.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)
                    yield entry, sealed
            except (DamagedError, ObjectMissingError) as error:
                raise DamagedError(
                    "nothing more can be pruned",
                    why=f"{name} is needed and damaged: {error}",
                    next_step="Check the repository and heal it from a second copy",
                ) from error


def _runs(entries: Iterable[PackEntry]) -> Iterator[list[PackEntry]]:
    """Yield neighbours that one request brings."""
    run: list[PackEntry] = []
    for entry in entries:
        if run:
            end = run[-1].offset + run[-1].sealed_bytes
            longer = entry.offset + entry.sealed_bytes - run[0].offset
            if entry.offset - end > GAP_BYTES or longer > READ_BYTES:
                yield run
                run = []
        run.append(entry)
    if run:
        yield run
