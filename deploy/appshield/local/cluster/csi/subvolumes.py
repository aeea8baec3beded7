"""Volumes and snapshots as btrfs subvolumes of one pool.

A volume is a subvolume in `volumes/`, a snapshot a read-only one in `snapshots/`; their names are
their handles. What CSI wants to know of a snapshot lies beside it as JSON, written first, so that
an interrupted creation can be done again. Every operation may be repeated.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.local.cluster.commands import run_command
from appshield.local.cluster.loops import detach

_DEVICE = "device"
_HANDLE = re.compile(r"[a-z0-9][a-z0-9-]{0,120}")


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of a snapshot."""

    handle: str
    source: str
    created_ns: int
    """When it was cut, in nanoseconds since 1970."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A mounted btrfs file system that belongs to one driver."""

    folder: Path

    def prepare(self) -> None:
        """Make the folders of an empty pool."""
        for name in ("volumes", "snapshots", "records"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def volume(self, handle: str) -> Path:
        """Where a volume's data is. Raises `InvalidInputError` for what is no handle."""
        return self.folder / "volumes" / _checked(handle)

    def snapshot(self, handle: str) -> Path:
        """Where a snapshot's data is."""
        return self.folder / "snapshots" / _checked(handle)

    def record(self, handle: str) -> Path:
        """What is written about a volume or a snapshot."""
        return self.folder / "records" / f"{_checked(handle)}.json"

    def device(self, handle: str) -> Path:
        """Where the file is that a block volume is; a volume with a file system has none."""
        return self.volume(handle) / _DEVICE

    async def create_volume(
        self,
        handle: str,
        size_bytes: int,
        *,
        of_snapshot: str = "",
        of_volume: str = "",
        block: bool = False,
    ) -> int:
        """Make a volume, empty or as a copy; return its size.

        Raises `NotFoundError` without the source, `RefusedError` when it exists with another size,
        `InvalidInputError` when the source has a file system and a block volume is asked for, or
        the other way round.
        """
        record = self.record(handle)
        if record.exists():
            known = msgspec.json.decode(record.read_bytes(), type=int)
            if known < size_bytes:
                raise RefusedError(f"volume {handle} exists with {known} bytes")
            size_bytes = known
        if not self.volume(handle).exists():
            source = self._source(of_snapshot, of_volume)
            if source is not None and (source / _DEVICE).exists() != block:
                raise InvalidInputError("a copy cannot be of another volume mode than its source")
            _write(record, msgspec.json.encode(size_bytes))
            if source is None:
                await run_command("btrfs", "subvolume", "create", self.volume(handle))
                self.volume(handle).chmod(0o777)
            else:
                await run_command("btrfs", "subvolume", "snapshot", source, self.volume(handle))
        if block:
            _grow(self.device(handle), size_bytes)
        return size_bytes

    async def delete_volume(self, handle: str) -> None:
        """Delete a volume; one that does not exist is deleted already."""
        await detach(self.device(handle))
        await _delete(self.volume(handle))
        self.record(handle).unlink(missing_ok=True)

    async def create_snapshot(self, handle: str, source: str) -> Snapshot:
        """Cut a read-only snapshot of the volume `source`, including what is not synced yet.

        Raises `NotFoundError` without the volume, `RefusedError` when the handle has another one.
        """
        known = self.find_snapshot(handle)
        if known is not None:
            if known.source != source:
                raise RefusedError(f"snapshot {handle} exists and is one of volume {known.source}")
            return known
        if not self.volume(source).exists():
            raise NotFoundError(f"there is no volume {source}")
        size_bytes = msgspec.json.decode(self.record(source).read_bytes(), type=int)
        target = self.snapshot(handle)
        await _delete(target)  # of an attempt that was interrupted before its record
        await run_command("btrfs", "subvolume", "snapshot", "-r", self.volume(source), target)
        made = Snapshot(handle, source, time.time_ns(), size_bytes)
        _write(self.record(handle), msgspec.json.encode(made))
        return made

    async def delete_snapshot(self, handle: str) -> None:
        """Delete a snapshot; one that does not exist is deleted already."""
        self.record(handle).unlink(missing_ok=True)
        await _delete(self.snapshot(handle))

    def find_snapshot(self, handle: str) -> Snapshot | None:
        """A snapshot that is complete, or None."""
        record = self.record(handle)
        if not self.snapshot(handle).exists() or not record.exists():
            return None
        return msgspec.json.decode(record.read_bytes(), type=Snapshot)

    def snapshots(self) -> list[Snapshot]:
        """All complete snapshots, by handle."""
        names = sorted(entry.name for entry in (self.folder / "snapshots").iterdir())
        found = (self.find_snapshot(name) for name in names)
        return [snapshot for snapshot in found if snapshot is not None]

    def free_bytes(self) -> int:
        """What the pool has left."""
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def _source(self, snapshot: str, volume: str) -> Path | None:
        if not snapshot and not volume:
            return None
        source = self.snapshot(snapshot) if snapshot else self.volume(volume)
        if not source.exists():
            raise NotFoundError(f"there is no {source.parent.name.rstrip('s')} {source.name}")
        return source


def _checked(handle: str) -> str:
    """A handle names one entry of a folder, never a path."""
    if not _HANDLE.fullmatch(handle):
        raise InvalidInputError(f"{handle!r} is not a handle of this driver")
    return handle


def _grow(device: Path, size_bytes: int) -> None:
    """Make the file of a block volume as large as it is to be; what is added are holes."""
    with device.open("ab") as file:
        if os.fstat(file.fileno()).st_size < size_bytes:
            os.truncate(file.fileno(), size_bytes)


async def _delete(subvolume: Path) -> None:
    if subvolume.exists():
        await run_command("btrfs", "subvolume", "delete", subvolume)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(content)
    unfinished.rename(path)
