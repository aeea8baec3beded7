"""Store a block volume: the device that the kubelet mounted for a pod, as one image in the version.

The entry is a file of the volume's name, so `restic dump` gives an image of the disk.
"""

import time

from appshield.contracts.sources import StoredSource, VolumeSource
from appshield.custody import LockedRepository
from appshield.errors import RunFailedError
from appshield.podvolumes import PodDevice
from appshield.repository import Writer
from appshield.repository.files import block_node, store_blocks
from appshield.service import Cancelled
from appshield.service.steps import StepContext


def store_device(
    held: LockedRepository,
    source: VolumeSource,
    device: PodDevice,
    context: StepContext,
    cancelled: Cancelled,
) -> StoredSource:
    """Store a device whole.

    Raises:
        RunFailedError: it cannot be read whole, or the work was stopped.
    """

    def advance(_: int) -> None:
        if cancelled():
            raise RunFailedError("the backup was stopped")
        context.moved()

    with (
        device.opened() as descriptor,
        Writer(
            held.repository,
            held.lock,
            lambda read, stored: context.progress(read, bytes_stored=stored),
        ) as writer,
    ):
        stored = store_blocks(descriptor, writer, advance=advance)
        name = source.name.rpartition("/")[2].encode()
        tree = writer.add_tree([block_node(name, stored, mtime_ns=time.time_ns())])
    return StoredSource(
        name=source.name,
        kind=f"volume/{source.method}",
        tree=tree.hex(),
        bytes_read=stored.size_bytes,
        bytes_stored=writer.bytes_stored,
        files=1,
    )
