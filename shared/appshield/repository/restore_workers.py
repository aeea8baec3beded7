"""Restoring with several processes: what they are given, and what they do with an order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import msgspec

from appshield.objectstore import access_of
from appshield.repository.files.doing import OrderDoer
from appshield.repository.files.orders import EntriesPlaced
from appshield.repository.files.tally import Tally
from appshield.repository.index import Index
from appshield.repository.reader import BlobReader
from appshield.repository.repository import Repository
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.ports import Work
from appshield.repository.workers.setup import KeyParts, WorkerSetup

INDEX = "index"

ORDERS_PER_WORKER: Final = 3
"""One at work, one of which the blobs are on their way, and one to begin when the first is done."""


@contextmanager
def restore_pool(
    repository: Repository,
    *,
    workers: int,
    cancelled: Callable[[], bool],
    index: Index | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> Iterator[WorkerPool | None]:
    """Hold worker processes for `restore_directory`; None where there are none.

    There are none with `workers=0`, and for a store that lives in this process alone. `cancelled`
    is asked while anybody waits for them; `on_start` is called before the first order, while the
    processes start. No process is left afterwards.
    """
    access = access_of(repository.store)
    if not workers or access is None:
        on_start()
        yield None
        return
    setup = WorkerSetup(store=access, key=KeyParts.of(repository.key))
    memory = {INDEX: (index or repository.index).share()}
    go_on = Tally(None, cancelled).go_on
    with WorkerPool(
        setup,
        workers=workers,
        jobs_per_worker=ORDERS_PER_WORKER,
        memory=memory,
        go_on=go_on,
        on_start=on_start,
    ) as pool:
        yield pool


class RestorePart:
    """What a worker keeps from one order to the next."""

    def __init__(self, reader: BlobReader) -> None:
        self._doer = OrderDoer(reader, self._advance)
        self._files = 0
        self._bytes = 0

    @classmethod
    def of(cls, context: WorkerContext) -> Self:
        """See Part."""
        index = Index.attached(context.memory[INDEX])
        return cls(BlobReader(context.store, context.key, index))

    def close(self) -> None:
        """See Part."""

    def do(self, order: msgspec.Struct, descriptors: tuple[int, ...]) -> Work[msgspec.Struct]:
        """Do an order; in its answer is what was done since the last one, of whichever order."""
        answer = yield from self._doer.do(order, descriptors)
        length, self._bytes = self._bytes, 0
        if not isinstance(answer, EntriesPlaced):
            return msgspec.structs.replace(answer, bytes_done=length)
        files, self._files = self._files, 0
        return msgspec.structs.replace(answer, files=files, bytes_done=length)

    def _advance(self, files: int, length: int) -> None:
        self._files += files
        self._bytes += length


def do_order(
    context: WorkerContext, order: msgspec.Struct, descriptors: tuple[int, ...]
) -> Work[msgspec.Struct]:
    """Do an order of a restore, in a worker."""
    return context.part(RestorePart).do(order, descriptors)
