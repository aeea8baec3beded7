"""Store one source: read it, put its blobs into the repository, answer with a tree.

The tree of a source holds the entries that go into the folder of its name: `manifests` gives one
with the top folders of the version. Volumes are stored by agents (see `volumes`).
"""

import asyncio
from functools import partial

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
    VolumeSource,
)
from appshield.custody import Custody, HeldRepository
from appshield.errors import DamagedError, RefusedError, RunFailedError
from appshield.kubernetes import Cluster
from appshield.registry import RegistryHosts
from appshield.repository import Writer
from appshield.repository.files import store_documents
from appshield.service import Cancelled, run_blocking, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.archiving import store_image
from appshield.uploader.dumping import store_dump


class Storing:
    """Stores sources of every kind but volumes."""

    def __init__(self, *, custody: Custody, cluster: Cluster, registries: RegistryHosts) -> None:
        self._custody = custody
        self._cluster = cluster
        self._registries = registries

    async def store(self, command: StepCommand, context: StepContext) -> SourceStored:
        """Store the source that the order names, every byte of it."""
        order = order_of(command, StoreSource)
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            context.moved()
            match order.source:
                case ManifestsSource() as source:
                    stored = await self._manifests(source, order, held)
                case VolumeSource() as source:
                    raise RefusedError(
                        f"{source.name} is for the agent of node {source.node}",
                        next_step="Let a planner of the same release give the orders.",
                    )
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


def _decode(content: bytes) -> CapturedApplication:
    try:
        return CapturedApplication.decode(content)
    except msgspec.MsgspecError as error:
        raise DamagedError("what the snapshotter staged cannot be read", why=str(error)) from error
