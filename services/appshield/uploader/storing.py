"""Store one source: read it, put its blobs into the repository, answer with a tree.

The tree of a source holds the entries that go into the folder of its name: `volumes/data` gives a
tree with the one directory `data` (of a block volume, the one file), `manifests` one with the top
folders of the version.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec

from appshield.capture import CapturedApplication
from appshield.capture.layout import files_of
from appshield.contracts.backups import SourceStored, StoreSource
from appshield.contracts.message import StepCommand
from appshield.contracts.sources import (
    DumpSource,
    ImageSource,
    ManifestsSource,
    StoredSource,
    VolumeMethod,
    VolumeSource,
)
from appshield.custody import Custody, HeldRepository
from appshield.errors import DamagedError, RunFailedError
from appshield.kubernetes import Cluster
from appshield.podvolumes import PodDevice, PodVolume, open_pod_volume, until_mounted
from appshield.registry import RegistryHosts
from appshield.repository import Reader, Writer
from appshield.repository.files import (
    FileProblem,
    ProblemKind,
    store_directory,
    store_documents,
    told,
)
from appshield.service import Cancelled, run_blocking, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.archiving import store_image
from appshield.uploader.devices import store_device
from appshield.uploader.dumping import store_dump
from appshield.uploader.parents import tree_of_latest

_FATAL: dict[VolumeMethod, frozenset[ProblemKind]] = {
    "snapshot": frozenset({"unreadable", "vanished", "replaced", "shrank", "grew", "changed"}),
    "live": frozenset({"unreadable"}),
}
"""A snapshot does not move: what changes in one, or cannot be read anywhere, is no version."""


class Storing:
    """Stores sources of every kind."""

    def __init__(
        self,
        *,
        custody: Custody,
        cluster: Cluster,
        node: str,
        kubelet_root: Path,
        mount_timeout_s: float,
        workers: int,
        registries: RegistryHosts,
    ) -> None:
        self._custody = custody
        self._cluster = cluster
        self._node = node
        self._kubelet_root = kubelet_root
        self._mount_timeout_s = mount_timeout_s
        self._workers = workers
        self._registries = registries
        # one volume uses all processors; several at once would only need more memory
        self._turn = asyncio.Semaphore(1)

    async def store(self, command: StepCommand, context: StepContext) -> SourceStored:
        """Store the source that the order names, every byte of it."""
        order = order_of(command, StoreSource)
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            context.moved()
            match order.source:
                case ManifestsSource() as source:
                    stored = await self._manifests(source, order, held)
                case VolumeSource() as source:
                    stored = await self._volume(source, held, context)
                case DumpSource() as source:
                    staged = (order.run, source.staged_sha256)
                    content = await asyncio.to_thread(held.shelf.staged, *staged)
                    captured = _decode(content)
                    stored = await store_dump(self._cluster, source, captured, held, context)
                case ImageSource() as source:
                    stored = await self._image(source, order, held, context)
        return outcome(SourceStored, order, stored=stored)

    async def _manifests(
        self, source: ManifestsSource, order: StoreSource, held: HeldRepository
    ) -> StoredSource:
        content = await asyncio.to_thread(held.shelf.staged, order.run, source.sha256)
        captured = _decode(content)
        return await run_blocking(partial(_store_files, held, source, captured))

    async def _image(
        self, source: ImageSource, order: StoreSource, held: HeldRepository, context: StepContext
    ) -> StoredSource:
        content = await asyncio.to_thread(held.shelf.staged, order.run, source.staged_sha256)
        captured = _decode(content)

        def work(cancelled: Cancelled) -> StoredSource:
            def advance(read: int, stored: int) -> None:
                if cancelled():
                    raise RunFailedError("archiving the image was stopped")
                context.progress(read, bytes_stored=stored)

            return store_image(held, source, captured, self._registries, advance)

        return await run_bulk(work)

    async def _volume(
        self, source: VolumeSource, held: HeldRepository, context: StepContext
    ) -> StoredSource:
        volume = await open_pod_volume(
            self._cluster,
            kubelet_root=self._kubelet_root,
            node=self._node,
            pod_namespace=source.pod_namespace,
            pod=source.pod,
            pod_uid=source.pod_uid,
            claim=source.claim,
        )
        async with AsyncExitStack() as held_turn:
            async with context.waiting():
                await until_mounted(volume, timeout_s=self._mount_timeout_s)
                await held_turn.enter_async_context(self._turn)
            if isinstance(volume, PodDevice):
                return await run_bulk(partial(store_device, held, source, volume, context))
            work = partial(_store_volume, held, source, volume, context, workers=self._workers)
            return await run_bulk(work)


def _store_files(
    held: HeldRepository,
    source: ManifestsSource,
    captured: CapturedApplication,
    _: Cancelled,
) -> StoredSource:
    files = files_of(captured)
    with Writer(held.repository, held.lock) as writer:
        tree = store_documents(files, writer, mtime_ns=0)
    return StoredSource(
        name=source.name,
        kind="manifests",
        tree=tree.hex(),
        bytes_read=sum(len(content) for content in files.values()),
        bytes_stored=writer.bytes_stored,
        files=len(files),
    )


def _store_volume(
    held: HeldRepository,
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


def _decode(content: bytes) -> CapturedApplication:
    try:
        return CapturedApplication.decode(content)
    except msgspec.MsgspecError as error:
        raise DamagedError("what the snapshotter staged cannot be read", why=str(error)) from error
