"""Doing the orders of a restore: the same in a worker process and in that of the walk."""

from collections.abc import Sequence

import msgspec

from appshield.errors import DamagedError
from appshield.repository.files.orders import (
    ChunksDone,
    CompareChunks,
    EntriesPlaced,
    PlaceEntries,
    Trouble,
    WriteChunks,
    split_ids,
)
from appshield.repository.files.placing import Advance, EntryPlacer
from appshield.repository.files.writing import ChunkWriter
from appshield.repository.nodes import BlobSource
from appshield.repository.workers.ports import Done, Work, finished


class OrderDoer:
    """Does orders with the blobs of one source; `advance` is told what is done, and may stop it."""

    def __init__(self, source: BlobSource, advance: Advance) -> None:
        self._placer = EntryPlacer(source, advance)
        self._writer = ChunkWriter(source, lambda length: advance(0, length))

    def do(
        self, order: msgspec.Struct, descriptors: Sequence[int]
    ) -> Work[EntriesPlaced | ChunksDone]:
        """Do an order; what goes wrong with an entry is in the answer.

        It yields once, when its blobs are on their way: another order may be begun then.
        """
        if isinstance(order, PlaceEntries):
            return self._placer.place(order, descriptors)
        assert isinstance(order, WriteChunks | CompareChunks)
        return self._do_chunks(order, descriptors)

    def _do_chunks(
        self, order: WriteChunks | CompareChunks, descriptors: Sequence[int]
    ) -> Work[ChunksDone]:
        is_right, trouble = True, None
        try:
            chunks = self._writer.chunks(split_ids(order.blobs), order.start)
            if isinstance(order, CompareChunks):
                is_right = all(self._writer.matching(descriptors[0], chunks))
            else:
                older = descriptors[1] if len(descriptors) > 1 else None
                yield from self._writer.write_all(descriptors[0], chunks, older)
        except DamagedError as error:
            trouble = Trouble(0, b"", "damaged", str(error))
        except OSError as error:
            detail = error.strerror or str(error)
            trouble = Trouble(0, b"", "failed", detail, error.errno or 0)
        written, unchanged = self._writer.take_counts()
        return ChunksDone(
            bytes_done=0,
            bytes_written=written,
            bytes_unchanged=unchanged,
            is_right=is_right,
            trouble=trouble,
        )


class DoneHere:
    """A JobPool for the orders of a restore that does them at once, in the caller's process."""

    workers = 1

    def __init__(self, doer: OrderDoer) -> None:
        self._doer = doer

    def submit(
        self,
        job: msgspec.Struct,
        descriptors: Sequence[int] = (),
        *,
        done: Done,
        to: int | None = None,  # noqa: ARG002 - there is one
    ) -> None:
        """See JobPool."""
        done(finished(self._doer.do(job, descriptors)))

    def drain(self) -> None:
        """Nothing is ever under way."""

    def wait(self) -> None:
        """Nothing is ever under way."""

    def broadcast(self, job: msgspec.Struct, *, done: Done) -> None:
        """See JobPool."""
        self.submit(job, done=done)
