"""The steps of a restore.

Plan, prepare volumes, load them, push images, apply objects, load dumps, finish.
"""

from typing import ClassVar

from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.sources import DumpTarget, ImagePlacement, VolumeChanges, VolumeTarget


class RestoreCommand(StepCommand, frozen=True, kw_only=True):
    """A step of a restore of version `version` into `target_namespace`.

    With `keep_going` what is damaged is left out and told; without, it fails the step. `paths`,
    `existing` and `delete_extra` are as in `RequestRestore`. With `dry_run` nothing is changed.
    """

    version: int
    snapshot_id: str
    target_namespace: str
    keep_going: bool = False
    paths: tuple[str, ...] = ()
    existing: bool = False
    delete_extra: bool = False
    dry_run: bool = False


class PlanRestore(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.plan_restore"):
    """Read the version and the target, and tell what would be created, or what is in the way."""

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "plan"


class RestorePlanned(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.restore_planned"):
    """What the restore will create, in order; objects as `Kind namespace/name`.

    `present` are those of the objects that are there already, and are changed where they differ.
    `lost` is what is damaged and will be left out; `images` are archived and may be pushed.
    """

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "planned"

    objects: tuple[str, ...]
    present: tuple[str, ...] = ()
    volumes: tuple[VolumeTarget, ...] = ()
    dumps: tuple[DumpTarget, ...] = ()
    warnings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    lost_total: int = 0
    images: tuple[str, ...] = ()


class PrepareVolumes(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.prepare_volumes"):
    """Create the namespace and the claims, each with a loader pod that mounts it on some node.

    In a dry run only claims that are there are mounted, to be read.
    """

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "prepare"

    volumes: tuple[VolumeTarget, ...]


class VolumesPrepared(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.volumes_prepared"):
    """Every claim is bound; each target names the pod that mounts it, and its node."""

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "prepared"

    volumes: tuple[VolumeTarget, ...]


class LoadVolume(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.load_volume"):
    """Write the data of one volume, on the node that mounts it, as soon as it is mounted."""

    noun: ClassVar[str] = "volume"
    verb: ClassVar[str] = "load"

    volume: VolumeTarget


class VolumeLoaded(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.volume_loaded"):
    """The volume holds what the version holds, verified blob by blob.

    `problems` are what could not be kept beside the content, such as an owner; a part of them
    where there are many. `lost` are the files that are damaged and were left out. After a dry run
    nothing was written, and `changes` says what would be.
    """

    noun: ClassVar[str] = "volume"
    verb: ClassVar[str] = "loaded"

    source: str
    bytes_written: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()
    problems_total: int = 0
    lost: tuple[str, ...] = ()
    lost_total: int = 0
    changes: VolumeChanges | None = None


class PushImages(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.push_images"):
    """Bring archived images back to where they are pulled from, or all of them to `registry`."""

    noun: ClassVar[str] = "image"
    verb: ClassVar[str] = "push"

    images: tuple[str, ...]
    registry: str = ""


class ImagesPushed(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.images_pushed"):
    """Every image can be pulled; `placements` are those that have another name now."""

    noun: ClassVar[str] = "image"
    verb: ClassVar[str] = "pushed"

    placements: tuple[ImagePlacement, ...] = ()
    pushed: int = 0
    bytes_pushed: int = 0


class ApplyObjects(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.apply_objects"):
    """Create the objects in dependency order and wait until the workloads are ready."""

    noun: ClassVar[str] = "object"
    verb: ClassVar[str] = "apply"

    placements: tuple[ImagePlacement, ...] = ()


class ObjectsApplied(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.objects_applied"):
    """Every object exists and every workload is ready.

    Where objects were lost, `problems` names the workloads that are not ready without them.
    """

    noun: ClassVar[str] = "object"
    verb: ClassVar[str] = "applied"

    objects: int = 0
    problems: tuple[str, ...] = ()


class LoadDump(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.load_dump"):
    """Feed a dump to the component's load command; bytes in are compared with bytes taken."""

    noun: ClassVar[str] = "dump"
    verb: ClassVar[str] = "load"

    dump: DumpTarget


class DumpLoaded(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.dump_loaded"):
    """The component has loaded the whole dump."""

    noun: ClassVar[str] = "dump"
    verb: ClassVar[str] = "loaded"

    source: str
    bytes_written: int = 0


class FinishRestore(RestoreCommand, frozen=True, kw_only=True, tag="appshield.v1.finish_restore"):
    """Remove what only the restore needed; with `failed`, leave claims for a later resume."""

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "finish"

    failed: bool = False


class RestoreFinished(StepEvent, frozen=True, kw_only=True, tag="appshield.v1.restore_finished"):
    """Nothing of the restore is left but the application itself."""

    noun: ClassVar[str] = "restore"
    verb: ClassVar[str] = "finished"
