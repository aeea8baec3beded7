"""Store a volume, on its node: what an agent does, with the key that it is lent for it.

The tree of a volume `volumes/data` holds the one directory `data`; of a block volume, the one file.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from appshield.contracts.backups import SourceStored, StoreSource
from appshield.contracts.message import StepCommand
from appshield.contracts.sources import StoredSource, VolumeMethod, VolumeSource
from appshield.custody import LockedRepository
from appshield.errors import RefusedError, RunFailedError
from appshield.lending import OrdersRepositories
from appshield.podvolumes import NodeVolumes, PodDevice, PodVolume
from appshield.repository import Reader, Writer
from appshield.repository.files import FileProblem, ProblemKind, store_directory, told
from appshield.service import Cancelled, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.devices import store_device
from appshield.uploader.parents import tree_of_latest

_FATAL: dict[VolumeMethod, frozenset[ProblemKind]] = {
    "snapshot": frozenset({"unreadable", "vanished", "replaced", "shrank", "grew", "changed"}),
    "live": frozenset({"unreadable"}),
}
"""A snapshot does not move: what changes in one, or cannot be read anywhere, is no version."""


class VolumeStoring:
    """Stores volumes of one node."""

    def __init__(
        self,
        *,
        repositories: OrdersRepositories,
        volumes: NodeVolumes,
        workers: int,
    ) -> None:
        self._repositories = repositories
        self._volumes = volumes
        self._workers = workers
        # one volume uses all processors; several at once would only need more memory
        self._turn = asyncio.Semaphore(1)

    async def store(self, command: StepCommand, context: StepContext) -> SourceStored:
        """Store the volume that the order names, every byte of it."""
        order = order_of(command, StoreSource)
        if not isinstance(order.source, VolumeSource):
            raise RefusedError(
                f"{order.source.name} is not for the agent of a node",
                next_step="Let a planner of the same release give the orders.",
            )
        async with self._repositories.held(order, context) as held:
            context.moved()
            stored = await self._volume(order.source, held, context)
        return outcome(SourceStored, order, stored=stored)

    async def _volume(
        self, source: VolumeSource, held: LockedRepository, context: StepContext
    ) -> StoredSource:
        volume = await self._volumes.find(
            namespace=source.pod_namespace,
            pod=source.pod,
            pod_uid=source.pod_uid,
            claim=source.claim,
        )
        async with AsyncExitStack() as held_turn:
            async with context.waiting():
                await self._volumes.until_mounted(volume)
                await held_turn.enter_async_context(self._turn)
            if isinstance(volume, PodDevice):
                return await run_bulk(partial(store_device, held, source, volume, context))
            work = partial(_store_volume, held, source, volume, context, workers=self._workers)
            return await run_bulk(work)


def _store_volume(
    held: LockedRepository,
    source: VolumeSource,
    volume: PodVolume,
    context: StepContext,
    cancelled: Cancelled,
    *,
    workers: int,
) -> StoredSource:
    with (
        volume.opened() as root,
        Writer(
            held.repository,
            held.lock,
            lambda read, stored: context.progress(read, bytes_stored=stored),
            workers=workers,
        ) as writer,
    ):
        reader = Reader(held.repository)  # of the index that the writer has just loaded
        earlier = tree_of_latest(held.repository, reader, source.name)
        saved = store_directory(
            root,
            writer,
            parent=(reader, earlier) if earlier else None,
            progress=lambda *_: context.moved(),
            cancelled=cancelled,
        )
        name = source.name.rpartition("/")[2].encode()
        tree = writer.add_tree([msgspec.structs.replace(saved.root_node, name=name)])
    _refuse_incomplete(source, saved.problems)
    return StoredSource(
        name=source.name,
        kind=f"volume/{source.method}",
        tree=tree.hex(),
        bytes_read=saved.bytes_total,
        bytes_stored=writer.bytes_stored,
        files=saved.files,
        problems=told(saved.problems),
        problems_total=len(saved.problems),
    )


def _refuse_incomplete(source: VolumeSource, problems: tuple[FileProblem, ...]) -> None:
    """Make sure that every byte was read.

    Raises:
        RunFailedError: names what could not be.
    """
    lost = [problem for problem in problems if problem.kind in _FATAL[source.method]]
    if lost:
        raise RunFailedError(
            f"volume {source.original_claim} could not be read whole",
            why="; ".join(told(lost, most=5)),
            next_step="Mend the file system, or exclude the volume in its component.",
        )
