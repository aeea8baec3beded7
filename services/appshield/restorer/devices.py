"""Load a block volume: make the device of a claim hold the image that the version has of it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from appshield.contracts.restores import LoadVolume
from appshield.contracts.sources import VolumeChanges
from appshield.custody import LockedRepository
from appshield.errors import RefusedError, RunFailedError, UnavailableError
from appshield.podvolumes import PodDevice
from appshield.repository import Reader
from appshield.repository.files import RestoredBlocks, differ_blocks, restore_blocks
from appshield.repository.nodes import Node
from appshield.restorer.reading import root_of
from appshield.service import Cancelled
from appshield.service.steps import StepContext


def load_device(
    held: LockedRepository,
    order: LoadVolume,
    device: PodDevice,
    context: StepContext,
    cancelled: Cancelled,
) -> RestoredBlocks:
    """Write what differs, and flush it.

    Raises:
        RefusedError: the version holds files of this volume, and no image.
        RunFailedError: the device is too small, or does not take it.
        DamagedError: a chunk does not verify, unless the order goes on.
    """
    reader = Reader(held.repository)
    node = _image(reader, held, order)
    advance = _Advance(order, context, cancelled)
    with device.opened(writable=True) as descriptor, alone(descriptor, order.volume.claim):
        return restore_blocks(
            descriptor, node, reader, advance=advance, keep_going=order.keep_going
        )


def compare_device(
    held: LockedRepository,
    order: LoadVolume,
    device: PodDevice,
    context: StepContext,
    cancelled: Cancelled,
) -> VolumeChanges:
    """Tell whether loading would change the device: it is one thing, overwritten or not."""
    reader = Reader(held.repository)
    node = _image(reader, held, order)
    with device.opened() as descriptor:
        differs = differ_blocks(
            descriptor, node, reader, advance=_Advance(order, context, cancelled)
        )
    return VolumeChanges(
        source=order.volume.source,
        overwritten=(order.volume.claim,) if differs else (),
        overwritten_total=int(differs),
    )


class _Advance:
    """Tells how far the work is, and ends it when it is to stop."""

    def __init__(self, order: LoadVolume, context: StepContext, cancelled: Cancelled) -> None:
        self._total_bytes = order.volume.size_bytes
        self._context = context
        self._cancelled = cancelled
        self._done_bytes = 0

    def __call__(self, length: int) -> None:
        if self._cancelled():
            raise RunFailedError("loading the volume was stopped")
        self._done_bytes += length
        self._context.progress(self._done_bytes, self._total_bytes)


def _image(reader: Reader, held: LockedRepository, order: LoadVolume) -> Node:
    node = reader.find(root_of(held, order.snapshot_id), order.volume.source)
    if node.kind != "file":
        raise RefusedError(
            f"claim {order.volume.claim} is a block volume, and the version holds files of it",
            why="the claim that stands there has another volumeMode than the one that was saved",
            next_step="Restore to another namespace with --to, or delete the claim.",
        )
    return node


@contextmanager
def alone(volume: int, claim: str) -> Iterator[None]:
    """Be the only one who writes an open volume, whatever a process that was stopped believes.

    Raises:
        UnavailableError: another loader of this node is at it.
    """
    try:
        fcntl.flock(volume, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnavailableError(
            f"volume {claim} is being written by another loader on this node",
            next_step="The step is tried again; the other one ends first.",
        ) from error
    try:
        yield
    finally:
        fcntl.flock(volume, fcntl.LOCK_UN)
