"""The table of jobs that workers know. A new kind is one line here.

A job is a msgspec struct that travels; so are its reply, and events that a worker sends meanwhile.
Its descriptors are open while the handler runs and closed after it. A handler that raises an
AppShieldError fails the pool with it. One that is a generator may yield: see `Work`.
"""

from collections.abc import Callable, Generator
from typing import Any, Final, Union

import msgspec

from appshield.repository.files.entry_jobs import (
    EntriesStored,
    FlushPacks,
    PacksFlushed,
    PartStored,
    StoreEntries,
    StorePart,
)
from appshield.repository.files.orders import (
    ChunksDone,
    CompareChunks,
    EntriesPlaced,
    PlaceEntries,
    WriteChunks,
)
from appshield.repository.files.worker_restoring import do_order
from appshield.repository.files.worker_storing import store
from appshield.repository.packing import BytesRead
from appshield.repository.packs import StoredPack
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.ports import Work, finished

Reply = msgspec.Struct | None
Handler = Callable[[WorkerContext, Any, tuple[int, ...]], "Reply | Work[Reply]"]
"""Does a job with its descriptors and returns the reply."""


class Echo(msgspec.Struct, frozen=True, tag=True):
    """Asks a worker for a sign of life: which one it is, with the content sent back."""

    content: bytes = b""


class Echoed(msgspec.Struct, frozen=True, tag=True):
    """The reply to Echo."""

    number: int
    content: bytes


def echo(context: WorkerContext, job: Echo, _: tuple[int, ...]) -> Echoed:
    """Answer an Echo."""
    return Echoed(context.number, job.content)


HANDLERS: Final[dict[type[msgspec.Struct], Handler]] = {
    Echo: echo,
    StoreEntries: store,
    StorePart: store,
    FlushPacks: store,
    PlaceEntries: do_order,
    WriteChunks: do_order,
    CompareChunks: do_order,
}
"""What does each kind of job."""

ANSWERS: Final[tuple[type[msgspec.Struct], ...]] = (
    Echoed,
    EntriesStored,
    PartStored,
    PacksFlushed,
    StoredPack,
    BytesRead,
    EntriesPlaced,
    ChunksDone,
)
"""Replies and events, of all kinds."""

encode: Final = msgspec.msgpack.Encoder().encode
decode_job: Final = msgspec.msgpack.Decoder[Any](Union[tuple(HANDLERS)]).decode  # noqa: UP007 - of a table
decode_answer: Final = msgspec.msgpack.Decoder[Any](Union[None, *ANSWERS]).decode


def run(context: WorkerContext, job: msgspec.Struct, descriptors: tuple[int, ...]) -> Reply:
    """Do a job to its end."""
    return finished(work_on(context, job, descriptors))


def work_on(
    context: WorkerContext, job: msgspec.Struct, descriptors: tuple[int, ...]
) -> Work[Reply]:
    """Do a job, with a pause where another may be begun."""
    reply = HANDLERS[type(job)](context, job, descriptors)
    if isinstance(reply, Generator):
        return (yield from reply)
    return reply
