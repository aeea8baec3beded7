"""What a worker does with an order of a restore."""

from typing import Self

import msgspec

from appshield.repository.files.doing import OrderDoer
from appshield.repository.files.orders import EntriesPlaced
from appshield.repository.index import Index
from appshield.repository.reader import BlobReader
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.ports import Work

INDEX = "index"
"""The memory in which workers find the index of the repository."""


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
