"""Giving entries to whoever stores them, and taking back what becomes of them.

Little work is done here, in the caller's process; for more, worker processes are started. Files
that are large are cut into parts, files with several names go to the one worker that reads them,
and what a job has left over is given again.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from appshield.repository.files.assembling import Assembly, Piece, Slot
from appshield.repository.files.batching import Batch, BatchPart, HeldDirectory
from appshield.repository.files.entries import EntryStorer
from appshield.repository.files.entry_jobs import EntriesStored, FlushPacks
from appshield.repository.files.parting import PartedFile
from appshield.repository.files.reading import PART_BYTES
from appshield.repository.files.tally import Tally
from appshield.repository.nodes import BlobSink
from appshield.repository.workers.local import LocalPool
from appshield.repository.workers.ports import JobPool

HERE_FILES = 2000
HERE_BYTES = 8 << 20
"""What is done here before processes are started: they take longer to start than it takes."""

HERE_LARGE_BYTES = 4 << 20
"""Larger files are work for the processes."""

JOB_BYTES = 32 << 20
"""What a job reads before it lets others have the rest."""

NO_LIMIT = 1 << 62


class Totals:
    """What was stored, in files and bytes."""

    def __init__(self) -> None:
        self.files_unchanged = 0
        self.bytes_total = 0
        self.bytes_read = 0


class Dispatcher:
    """Stores batches of entries; results go into the assembly, problems to the tally.

    `pool` are worker processes, None where there are none.
    """

    def __init__(
        self, sink: BlobSink, pool: JobPool | None, assembly: Assembly, tally: Tally, device: int
    ) -> None:
        self._local = LocalPool(EntryStorer(sink, tally.advance).run, go_on=tally.go_on)
        self._pool = pool
        self._sink = sink
        self._assembly = assembly
        self._tally = tally
        self._device = device
        self._here_files = 0
        self._todo: deque[Callable[[], None]] = deque()
        self._working_off = False
        self._under_way = 0
        self._open_files: set[PartedFile] = set()
        self._held: set[HeldDirectory] = set()
        self.totals = Totals()

    def store(self, batch: Batch) -> None:
        """Store the entries of a batch, which is used up; waits while others have enough."""
        if not batch.parts:
            return
        pool = self._pool
        here = pool is None or (
            self._here_files + batch.names <= HERE_FILES and self.totals.bytes_read < HERE_BYTES
        )
        if here:
            self._here_files += batch.names
        if pool is None:
            self._give(self._local, batch, most_bytes=NO_LIMIT, large_bytes=NO_LIMIT)
        elif here:
            self._give(self._local, batch, most_bytes=HERE_BYTES, large_bytes=HERE_LARGE_BYTES)
        else:
            self._give(pool, batch, most_bytes=JOB_BYTES, large_bytes=PART_BYTES)
        self.work_off()

    def work_off(self) -> None:
        """Do what came of replies: nothing of it is done inside a callback."""
        if self._working_off:
            return
        self._working_off = True
        try:
            while self._todo:
                self._tally.go_on()
                self._todo.popleft()()
        finally:
            self._working_off = False

    def finish(self) -> None:
        """Wait until everything is stored, and packed things are durable in all workers."""
        self.work_off()
        while self._under_way:
            assert self._pool is not None
            self._pool.wait()
            self.work_off()
        if self._pool is not None:
            self._pool.broadcast(FlushPacks(), done=lambda _: None)
            self._pool.drain()

    def wait_for_room(self, is_narrow: Callable[[], bool]) -> None:
        """Wait while too many results wait for one before them."""
        while is_narrow() and self._under_way:
            assert self._pool is not None
            self._pool.wait()
            self.work_off()

    def hold(self, descriptor: int) -> HeldDirectory:
        """Hold a directory for batches."""
        self._held = {held for held in self._held if held.descriptor >= 0}
        held = HeldDirectory(descriptor)
        self._held.add(held)
        return held

    def take_unchanged(
        self, piece: Piece, nodes: Sequence[tuple[int, bytes]], bytes_total: int
    ) -> None:
        """Take files that are as in the parent version, with their nodes."""
        self._tally.count_files(len(nodes), bytes_total)
        self.totals.files_unchanged += len(nodes)
        self.totals.bytes_total += bytes_total
        self._assembly.fill_all(piece, nodes)

    def close(self) -> None:
        """Close what is open after a failure."""
        for parted in self._open_files:
            parted.close()
        for held in self._held:
            held.close()

    def _give(
        self,
        pool: JobPool,
        batch: Batch,
        *,
        most_bytes: int,
        large_bytes: int,
        to: int | None = None,
    ) -> None:
        job = batch.job(
            self._device, most_bytes=most_bytes, large_bytes=large_bytes, linked=to is not None
        )
        self._under_way += 1
        pool.submit(job, batch.descriptors(), done=partial(self._take, batch), to=to)

    def _take(self, batch: Batch, reply: EntriesStored) -> None:
        self._under_way -= 1
        self._count(batch, reply)
        deferred = self._defer(batch, reply)
        for number, (part, nodes) in enumerate(zip(batch.parts, reply.nodes, strict=False)):
            left = deferred.get(number, ())
            numbered: Iterable[tuple[int, bytes]] = zip(part.numbers, nodes, strict=False)
            if left:
                numbered = (pair for n, pair in enumerate(numbered) if n not in left)
            self._assembly.fill_all(part.piece, numbered)
        self._leave_rest(batch, reply)
        batch.release()

    def _count(self, batch: Batch, reply: EntriesStored) -> None:
        stored = sum(1 for nodes in reply.nodes for node in nodes if node)
        self._tally.count_files(stored, reply.bytes_known)
        self.totals.bytes_total += reply.bytes_total
        self.totals.bytes_read += reply.bytes_read
        for problem in reply.problems:
            part = batch.parts[problem.place.directory]
            path = part.piece.directory.path(part.names[problem.place.entry])
            self._tally.problems.add(path, problem.kind, problem.detail)

    def _defer(self, batch: Batch, reply: EntriesStored) -> dict[int, set[int]]:
        """Note what the worker has left to others; return it by part."""
        deferred: dict[int, set[int]] = {}
        linked: dict[tuple[int, int], list[int]] = {}
        for place in reply.large:
            deferred.setdefault(place.directory, set()).add(place.entry)
            part = batch.parts[place.directory].chosen([place.entry])
            self._todo.append(partial(self._store_large, part))
        for one in reply.linked:
            deferred.setdefault(one.place.directory, set()).add(one.place.entry)
            linked.setdefault((one.worker, one.place.directory), []).append(one.place.entry)
        together: dict[int, Batch] = {}
        for (worker, directory), entries in linked.items():
            part = batch.parts[directory].chosen(entries)
            together.setdefault(worker, Batch()).add(part)
        for worker, following in together.items():
            self._todo.append(partial(self._store_linked, following, worker))
        return deferred

    def _leave_rest(self, batch: Batch, reply: EntriesStored) -> None:
        """Give again what a job did not reach, in jobs as large as what it did reach."""
        done = sum(map(len, reply.nodes))
        if done == batch.names:
            return
        following = Batch()
        for number, part in enumerate(batch.parts):
            start = len(reply.nodes[number]) if number < len(reply.nodes) else 0
            for at in range(start, len(part.names), max(1, done)):
                end = min(at + max(1, done), len(part.names))
                following.add(part.chosen(range(at, end)))
                if following.names >= done:
                    self._todo.append(partial(self.store, following))
                    following = Batch()
        if following.parts:
            self._todo.append(partial(self.store, following))

    def _store_linked(self, batch: Batch, worker: int) -> None:
        assert self._pool is not None
        self._give(self._pool, batch, most_bytes=NO_LIMIT, large_bytes=PART_BYTES, to=worker)

    def _store_large(self, part: BatchPart) -> None:
        """Store a large file in parts, all workers at it."""
        assert self._pool is not None
        name, slot = part.names[0], Slot(part.piece, part.numbers[0])
        try:
            parted = PartedFile(part.directory.descriptor, name, self._device)
        except OSError as error:
            self._tally.problems.add_error(part.piece.directory.path(name), error)
            self._assembly.fill(slot, b"")
            return
        finally:
            part.directory.release()
        self._open_files.add(parted)
        self._under_way += 1
        parted.store(self._pool, self._sink, self._tally.advance, partial(self._take_large, slot))

    def _take_large(self, slot: Slot, parted: PartedFile) -> None:
        self._under_way -= 1
        self._open_files.discard(parted)
        node = parted.node()
        directory = slot.piece.directory
        for kind, detail in parted.problems:
            self._tally.problems.add(directory.path(parted.name), kind, detail)
        if node:
            self._tally.count_files(1, 0)
            self.totals.bytes_total += parted.size_bytes
            self.totals.bytes_read += parted.bytes_read
        self._assembly.fill(slot, node)
