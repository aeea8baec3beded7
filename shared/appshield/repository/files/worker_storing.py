"""Storing entries in a worker process: its own packs, claims shared with all others."""

import msgspec

from appshield.repository.claims import Claims, ClaimTable
from appshield.repository.files.entries import EntryStorer
from appshield.repository.files.entry_jobs import FlushPacks
from appshield.repository.freshness import Freshness
from appshield.repository.index import Index
from appshield.repository.packing import BytesRead, PackingWriter
from appshield.repository.workers.context import Emit, WorkerContext
from appshield.repository.workers.ports import Work

TELL_BYTES = 8 << 20
"""How much is read before it is told, unless the job ends."""


class WorkerStoring:
    """The part of a worker that stores: a writer over shared memory, and what it has read."""

    def __init__(self, writer: PackingWriter, emit: Emit, *, number: int, workers: int) -> None:
        self._writer = writer
        self._emit = emit
        self._untold_bytes = 0
        self._storer = EntryStorer(writer, self._advance, number=number, workers=workers)

    @classmethod
    def of(cls, context: WorkerContext) -> "WorkerStoring":
        """See Part.of; the memory is that of `Writer.pool`."""
        memory = context.memory
        writer = PackingWriter(
            store=context.store,
            key=context.key,
            known=Claims(
                Index.attached(memory["index"]),
                ClaimTable(memory["claims"], process=1 + context.number),
            ),
            ensure_fresh=Freshness.attached(memory).ensure,
            report=context.emit,
            settings=context.packs,
            # together the workers keep as many packs open as are needed
            spread=1 if context.workers > 1 else 2,
        )
        return cls(writer, context.emit, number=context.number, workers=context.workers)

    def close(self) -> None:
        """See Part.close."""
        self._writer.close()

    def run(self, job: msgspec.Struct, descriptors: tuple[int, ...]) -> Work[msgspec.Struct]:
        """Do a job of `entry_jobs`; what it begins with is asked for before the one before it."""
        self._storer.ask_for(job, descriptors)
        yield
        if isinstance(job, FlushPacks):
            self._writer.flush()
        reply = self._storer.run(job, descriptors)
        self._tell()
        return reply

    def _advance(self, size_bytes: int) -> None:
        self._untold_bytes += size_bytes
        if self._untold_bytes >= TELL_BYTES:
            self._tell()

    def _tell(self) -> None:
        if self._untold_bytes:
            self._emit(BytesRead(self._untold_bytes))
            self._untold_bytes = 0


def store(
    context: WorkerContext, job: msgspec.Struct, descriptors: tuple[int, ...]
) -> Work[msgspec.Struct]:
    """Handle a job of `entry_jobs`."""
    return context.part(WorkerStoring).run(job, descriptors)
