"""Restoring with several processes: what they are given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from appshield.objectstore import access_of
from appshield.repository.files.tally import Tally
from appshield.repository.files.worker_restoring import INDEX
from appshield.repository.index import Index
from appshield.repository.keys import KeyParts
from appshield.repository.repository import Repository
from appshield.repository.workers.peers import WorkerProcesses
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.setup import WorkerSetup

ORDERS_PER_WORKER: Final = 3
"""One at work, one of which the blobs are on their way, and one to begin when the first is done."""


@contextmanager
def restore_pool(
    repository: Repository,
    *,
    workers: int,
    cancelled: Callable[[], bool],
    index: Index | None = None,
    processes: WorkerProcesses | None = None,
    ensure_right: Callable[[], None] = lambda: None,
) -> Iterator[WorkerPool | None]:
    """Hold worker processes for `restore_directory`; None where there are none.

    There are none with `workers=0`, and for a store that lives in this process alone. `cancelled`
    is asked while anybody waits for them, and `ensure_right` before an answer of theirs is taken:
    whether the index was right from which they work. `processes` may have been started before. No
    process is left afterwards.
    """
    access = access_of(repository.store)
    if not workers or access is None:
        ensure_right()
        yield None
        return
    setup = WorkerSetup(store=access, key=KeyParts.of(repository.key))
    memory = {INDEX: (index or repository.index).share()}
    tally = Tally(None, cancelled)

    def go_on() -> None:
        tally.go_on()
        ensure_right()

    with WorkerPool(
        setup,
        workers=workers,
        jobs_per_worker=ORDERS_PER_WORKER,
        memory=memory,
        go_on=go_on,
        processes=processes,
    ) as pool:
        yield pool
