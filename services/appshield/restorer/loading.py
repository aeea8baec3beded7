"""Load a volume: write what the version holds into the claim that was made for it, here."""

from collections import Counter
from contextlib import AsyncExitStack
from functools import partial

from appshield.contracts.message import StepCommand
from appshield.contracts.restores import LoadVolume, VolumeLoaded
from appshield.contracts.sources import VolumeChanges
from appshield.custody import LockedRepository
from appshield.errors import RefusedError, RunFailedError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import PVC
from appshield.lending import OrdersRepositories
from appshield.podvolumes import NodeVolumes, PodDevice, PodVolume
from appshield.repository import Reader
from appshield.repository.files import (
    ProblemKind,
    RestoreChangeKind,
    RestoredBlocks,
    RestoredDirectory,
    changes_of_restore,
    flush_file_system,
    restore_directory,
    shown,
    told,
)
from appshield.repository.nodes import Node
from appshield.repository.restore_workers import restore_pool
from appshield.repository.workers.peers import WorkerProcesses
from appshield.restorer.choosing import Choice
from appshield.restorer.devices import alone, compare_device, load_device
from appshield.restorer.marking import is_ours, mark_of
from appshield.restorer.reading import root_of
from appshield.restorer.stopping import ensure_unused
from appshield.service import Cancelled, run_blocking, run_bulk
from appshield.service.steps import StepContext, order_of, outcome

_LOST: frozenset[ProblemKind] = frozenset({"damaged", "failed"})
"""Entries that are not restored; told apart from what could not be kept beside the content."""
_FLUSH_EVERY_BYTES = 256 * 1024 * 1024
_CHANGES_TOLD_MAX = 200
_LOST_TOLD_MAX = 20
_PATH_CHARACTERS_MAX = 400


class Loading:
    """Writes volumes; killed and called again, it writes what is still missing."""

    def __init__(
        self,
        *,
        repositories: OrdersRepositories,
        cluster: Cluster,
        volumes: NodeVolumes,
        workers: int,
    ) -> None:
        self._repositories = repositories
        self._cluster = cluster
        self._volumes = volumes
        self._workers = workers

    async def load(self, command: StepCommand, context: StepContext) -> VolumeLoaded:
        """Fill one volume, verified blob by blob, and flush it to its disk.

        In a dry run tell what that would change, and write nothing.

        Raises:
            RefusedError: the claim is not for us to write, or a pod uses it.
            DamagedError: stored data does not verify.
        """
        order = order_of(command, LoadVolume)
        if not order.dry_run:
            await self._ensure_ours(order)
        target = order.volume
        volume = await self._volumes.find(
            namespace=target.namespace,
            pod=target.pod,
            pod_uid=target.pod_uid,
            claim=target.claim,
        )
        async with context.waiting():
            await self._volumes.until_mounted(volume)
        async with AsyncExitStack() as using:
            processes: WorkerProcesses | None = None
            if self._workers and not order.dry_run and isinstance(volume, PodVolume):
                # they start while the repository is opened
                processes = using.enter_context(WorkerProcesses(self._workers))
            held = await using.enter_async_context(self._repositories.held(order, context))
            await context.ensure_wanted()
            if order.dry_run:
                comparing = (
                    partial(compare_device, held, order, volume, context)
                    if isinstance(volume, PodDevice)
                    else partial(_compare, held, order, volume, context)
                )
                changes = await run_blocking(comparing)
                return outcome(VolumeLoaded, order, source=target.source, changes=changes)
            if isinstance(volume, PodDevice):
                image = await run_bulk(partial(load_device, held, order, volume, context))
                return _device_loaded(order, image)
            loading = partial(
                _load, held, order, volume, context, workers=self._workers, processes=processes
            )
            done = await run_bulk(loading)
        lost = tuple(problem for problem in done.problems if problem.kind in _LOST)
        others = tuple(problem for problem in done.problems if problem.kind not in _LOST)
        return outcome(
            VolumeLoaded,
            order,
            source=target.source,
            bytes_written=done.bytes_written + done.bytes_unchanged,
            files=done.files,
            problems=told(others),
            problems_total=len(others),
            lost=tuple(f"{target.source}/{problem}" for problem in told(lost)),
            lost_total=len(lost),
        )

    async def _ensure_ours(self, order: LoadVolume) -> None:
        """Never write into a claim that was not made for this very restore, unless asked to."""
        target = order.volume
        if order.existing and target.present:
            await ensure_unused(self._cluster, target.namespace, {target.claim})
            return
        claim = await self._cluster.get(PVC, target.claim, target.namespace)
        if claim is None or not is_ours(claim, mark_of(order)):
            raise RefusedError(
                f"claim {target.namespace}/{target.claim} was not made for this restore",
                next_step="Delete it, or restore into another namespace with --to.",
            )


def _device_loaded(order: LoadVolume, image: RestoredBlocks) -> VolumeLoaded:
    source = order.volume.source
    return outcome(
        VolumeLoaded,
        order,
        source=source,
        bytes_written=image.bytes_written + image.bytes_unchanged,
        files=1,
        lost=tuple(f"{source}: {where}" for where in image.lost[:_LOST_TOLD_MAX]),
        lost_total=len(image.lost),
    )


def _load(
    held: LockedRepository,
    order: LoadVolume,
    volume: PodVolume,
    context: StepContext,
    cancelled: Cancelled,
    *,
    workers: int,
    processes: WorkerProcesses | None,
) -> RestoredDirectory:
    reader = Reader(held.repository)
    node, tree = _stored(reader, held, order)
    with (
        volume.opened() as root,
        alone(root, order.volume.claim),
        restore_pool(
            held.repository, workers=workers, cancelled=cancelled, processes=processes
        ) as pool,
    ):
        flushing = _Flushing(root)

        def progress(_: int, bytes_done: int) -> None:
            flushing.reached(bytes_done)
            context.progress(bytes_done, order.volume.size_bytes)

        done = restore_directory(
            root,
            tree,
            reader,
            root_node=node,
            progress=progress,
            cancelled=cancelled,
            keep_going=order.keep_going,
            include=Choice(order.paths).below(order.volume.source),
            # of a claim of ours: what an interrupted restore let the application write
            delete_extra=order.delete_extra or not order.volume.present,
            pool=pool,
        )
        flushing.flush()
        return done


def _stored(reader: Reader, held: LockedRepository, order: LoadVolume) -> tuple[Node, bytes]:
    """Find what the version holds of the volume: the node of its root, and the tree."""
    node = reader.find(root_of(held, order.snapshot_id), order.volume.source)
    if node.subtree is None:
        raise RefusedError(
            f"claim {order.volume.claim} has a file system, and the version an image of a device",
            why="the claim that stands there has another volumeMode than the one that was saved",
            next_step="Restore to another namespace with --to, or delete the claim.",
        )
    return node, node.subtree


def _compare(
    held: LockedRepository,
    order: LoadVolume,
    volume: PodVolume,
    context: StepContext,
    cancelled: Cancelled,
) -> VolumeChanges:
    """Find what loading the volume would change."""
    reader = Reader(held.repository)
    _, tree = _stored(reader, held, order)
    done = 0

    def advance(length: int) -> None:
        nonlocal done
        if cancelled():
            raise RunFailedError("the comparison was stopped")
        done += length
        context.progress(done, order.volume.size_bytes)

    counts: Counter[RestoreChangeKind] = Counter()
    paths: dict[RestoreChangeKind, list[str]] = {"created": [], "overwritten": [], "deleted": []}
    with volume.opened() as root:
        for change in changes_of_restore(
            root,
            tree,
            reader,
            include=Choice(order.paths).below(order.volume.source),
            delete_extra=order.delete_extra,
            advance=advance,
        ):
            counts[change.kind] += 1
            if counts[change.kind] <= _CHANGES_TOLD_MAX:
                paths[change.kind].append(shown(change.path)[:_PATH_CHARACTERS_MAX])
    return VolumeChanges(
        source=order.volume.source,
        overwritten=tuple(paths["overwritten"]),
        overwritten_total=counts["overwritten"],
        deleted=tuple(paths["deleted"]),
        deleted_total=counts["deleted"],
        created_total=counts["created"],
    )


class _Flushing:
    """Flushes a volume every now and then, so that the last flush is no long silence."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._flushed_bytes = 0

    def reached(self, bytes_done: int) -> None:
        """Say how much was written."""
        if bytes_done - self._flushed_bytes >= _FLUSH_EVERY_BYTES:
            self.flush()
            self._flushed_bytes = bytes_done

    def flush(self) -> None:
        """Return when everything is on the disk.

        Raises:
            RunFailedError: the disk did not take it.
        """
        try:
            flush_file_system(self._root)
        except OSError as error:
            raise RunFailedError(
                "the volume does not keep what was written to it",
                why=error.strerror or str(error),
                next_step="Look at the volume's disk, then restore again: what is there is kept.",
            ) from error
