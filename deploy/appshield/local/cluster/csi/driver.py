"""The calls of CSI, answered by a `Pool`: identity, controller and node in one object.

Volumes are published by bind mount on the one node: their directory, or their device. A driver made
without snapshots refuses them, as many real drivers do.

Source: CSI specification 1.11, sections "Controller Service RPC" and "Node Service RPC".
"""

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from appshield.errors import AppShieldError, InvalidInputError, NotFoundError, RefusedError
from appshield.local.cluster.commands import run_command
from appshield.local.cluster.csi.protocol import Protocol
from appshield.local.cluster.csi.subvolumes import Pool, Snapshot
from appshield.local.cluster.loops import attach, detach
from appshield.local.cluster.mounts import mounts_below

_DEFAULT_SIZE_BYTES = 1 << 30
_CONTROLLER = (
    "CREATE_DELETE_VOLUME",
    "CLONE_VOLUME",
    "GET_CAPACITY",
)
_CONTROLLER_SNAPSHOTS = ("CREATE_DELETE_SNAPSHOT", "LIST_SNAPSHOTS")

Message = Any
Context = Any
Call = Callable[["Driver", Message, Context], Awaitable[Message]]

_CODES: tuple[tuple[type[AppShieldError], grpc.StatusCode], ...] = (
    (InvalidInputError, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (RefusedError, grpc.StatusCode.ALREADY_EXISTS),
)


def _answering(call: Call) -> Call:
    """Turn our errors into the status codes that the specification asks for."""

    @functools.wraps(call)
    async def answer(self: "Driver", request: Message, context: Context) -> Message:
        try:
            return await call(self, request, context)
        except (AppShieldError, OSError) as error:
            found = (code for kind, code in _CODES if isinstance(error, kind))
            await context.abort(next(found, grpc.StatusCode.INTERNAL), str(error))

    return answer


def _size_of_device(path: Path) -> int:
    with path.open("rb") as device:
        return device.seek(0, os.SEEK_END)


@dataclass(frozen=True, slots=True)
class Driver:
    """One CSI driver by name: its pool, its node, and whether it can take snapshots."""

    name: str
    node: str
    socket: Path
    pool: Pool
    protocol: Protocol
    with_snapshots: bool
    busy: asyncio.Lock
    """One change at a time: calls for the same volume may come twice at once."""

    # ---- registration and identity

    async def GetInfo(self, request: Message, context: Context) -> Message:
        return self.protocol.message("pluginregistration.PluginInfo")(
            type="CSIPlugin",
            name=self.name,
            endpoint=str(self.socket),
            supported_versions=["1.0.0"],
        )

    async def NotifyRegistrationStatus(self, request: Message, context: Context) -> Message:
        return self.protocol.message("pluginregistration.RegistrationStatusResponse")()

    async def GetPluginInfo(self, request: Message, context: Context) -> Message:
        return self._csi("GetPluginInfoResponse")(name=self.name, vendor_version="1")

    async def GetPluginCapabilities(self, request: Message, context: Context) -> Message:
        controller = {"service": {"type": "CONTROLLER_SERVICE"}}
        return self._csi("GetPluginCapabilitiesResponse")(capabilities=[controller])

    async def Probe(self, request: Message, context: Context) -> Message:
        return self._csi("ProbeResponse")(ready={"value": True})

    # ---- controller

    async def ControllerGetCapabilities(self, request: Message, context: Context) -> Message:
        names = _CONTROLLER + (_CONTROLLER_SNAPSHOTS if self.with_snapshots else ())
        return self._csi("ControllerGetCapabilitiesResponse")(
            capabilities=[{"rpc": {"type": name}} for name in names]
        )

    @_answering
    async def ValidateVolumeCapabilities(self, request: Message, context: Context) -> Message:
        if not self.pool.volume(request.volume_id).exists():
            raise NotFoundError(f"there is no volume {request.volume_id}")
        confirmed = {"volume_capabilities": list(request.volume_capabilities)}
        return self._csi("ValidateVolumeCapabilitiesResponse")(confirmed=confirmed)

    @_answering
    async def CreateVolume(self, request: Message, context: Context) -> Message:
        source = request.volume_content_source
        if source.snapshot.snapshot_id and not self.with_snapshots:
            raise InvalidInputError(f"{self.name} has no snapshots")
        wanted = request.capacity_range.required_bytes or _DEFAULT_SIZE_BYTES
        async with self.busy:
            size = await self.pool.create_volume(
                request.name,
                wanted,
                of_snapshot=source.snapshot.snapshot_id,
                of_volume=source.volume.volume_id,
                block=any(one.HasField("block") for one in request.volume_capabilities),
            )
        volume = self._csi("Volume")(volume_id=request.name, capacity_bytes=size)
        if request.HasField("volume_content_source"):
            volume.content_source.CopyFrom(source)
        return self._csi("CreateVolumeResponse")(volume=volume)

    @_answering
    async def DeleteVolume(self, request: Message, context: Context) -> Message:
        async with self.busy:
            await self.pool.delete_volume(request.volume_id)
        return self._csi("DeleteVolumeResponse")()

    async def GetCapacity(self, request: Message, context: Context) -> Message:
        return self._csi("GetCapacityResponse")(available_capacity=self.pool.free_bytes())

    @_answering
    async def CreateSnapshot(self, request: Message, context: Context) -> Message:
        await self._need_snapshots(context)
        async with self.busy:
            made = await self.pool.create_snapshot(request.name, request.source_volume_id)
        return self._csi("CreateSnapshotResponse")(snapshot=self._snapshot(made))

    @_answering
    async def DeleteSnapshot(self, request: Message, context: Context) -> Message:
        await self._need_snapshots(context)
        async with self.busy:
            await self.pool.delete_snapshot(request.snapshot_id)
        return self._csi("DeleteSnapshotResponse")()

    @_answering
    async def ListSnapshots(self, request: Message, context: Context) -> Message:
        await self._need_snapshots(context)
        if request.snapshot_id:
            one = self.pool.find_snapshot(request.snapshot_id)
            found = [one] if one else []
        else:
            found = self.pool.snapshots()
        source = request.source_volume_id
        entries = [
            {"snapshot": self._snapshot(snapshot)}
            for snapshot in found
            if not source or snapshot.source == source
        ]
        return self._csi("ListSnapshotsResponse")(entries=entries)

    # ---- node

    async def NodeGetCapabilities(self, request: Message, context: Context) -> Message:
        return self._csi("NodeGetCapabilitiesResponse")(
            capabilities=[{"rpc": {"type": "GET_VOLUME_STATS"}}]
        )

    async def NodeGetInfo(self, request: Message, context: Context) -> Message:
        return self._csi("NodeGetInfoResponse")(node_id=self.node)

    @_answering
    async def NodePublishVolume(self, request: Message, context: Context) -> Message:
        volume, target = self.pool.volume(request.volume_id), Path(request.target_path)
        if not volume.exists():
            raise NotFoundError(f"there is no volume {request.volume_id}")
        async with self.busy:
            if request.volume_capability.HasField("block"):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
                volume = Path(await attach(self.pool.device(request.volume_id)))
            else:
                target.mkdir(parents=True, exist_ok=True)
            if target not in mounts_below(target):
                await run_command("mount", "--bind", volume, target)
                if request.readonly:
                    await run_command("mount", "-o", "remount,bind,ro", target)
        return self._csi("NodePublishVolumeResponse")()

    @_answering
    async def NodeUnpublishVolume(self, request: Message, context: Context) -> Message:
        target = Path(request.target_path)
        async with self.busy:
            for _ in [point for point in mounts_below(target) if point == target]:
                await run_command("umount", target)
            if target.is_dir():
                target.rmdir()
                return self._csi("NodeUnpublishVolumeResponse")()
            target.unlink(missing_ok=True)
            # beside it are the places of other pods with the same device
            if not mounts_below(target.parent):
                await detach(self.pool.device(request.volume_id))
        return self._csi("NodeUnpublishVolumeResponse")()

    @_answering
    async def NodeGetVolumeStats(self, request: Message, context: Context) -> Message:
        path = Path(request.volume_path)
        if path.is_block_device():
            size = await asyncio.to_thread(_size_of_device, path)
            whole = {"unit": "BYTES", "total": size}
            return self._csi("NodeGetVolumeStatsResponse")(usage=[whole])
        if not path.is_dir():
            raise NotFoundError(f"volume {request.volume_id} is not at {path}")
        state = await asyncio.to_thread(os.statvfs, path)
        total, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
        used = {"unit": "BYTES", "total": total, "available": free, "used": total - free}
        return self._csi("NodeGetVolumeStatsResponse")(usage=[used])

    # ---- parts of answers

    def _csi(self, name: str) -> Message:
        return self.protocol.message(f"csi.v1.{name}")

    def _snapshot(self, snapshot: Snapshot) -> Message:
        seconds, nanos = divmod(snapshot.created_ns, 1_000_000_000)
        return self._csi("Snapshot")(
            snapshot_id=snapshot.handle,
            source_volume_id=snapshot.source,
            size_bytes=snapshot.size_bytes,
            creation_time={"seconds": seconds, "nanos": nanos},
            ready_to_use=True,
        )

    async def _need_snapshots(self, context: Context) -> None:
        if not self.with_snapshots:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{self.name} has no snapshots")
