"""The flow of a restore: plan ─► prepare ─► load ─► push images ─► apply ─► feed dumps ─► finish.

A version that several Vaults have is read from the next one when one of them fails.
A dry run is over with the plan, except where volumes are there already: they are looked into.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    DumpLoaded,
    FinishRestore,
    ImagesPushed,
    LoadDump,
    LoadVolume,
    ObjectsApplied,
    PlanRestore,
    PrepareVolumes,
    PushImages,
    RestorePlanned,
    VolumeLoaded,
    VolumesPrepared,
)
from appshield.contracts.runs import Failure, RestoreProgress, Run
from appshield.contracts.sources import DumpTarget, VolumeTarget
from appshield.planner.steps import Next, kind_of, order_fields, subject_of

_PROBLEMS_MAX = 100


def first(_: Run) -> tuple[Next, ...]:
    """Look before anything is touched."""
    return (Next("plan"),)


def following(run: Run) -> tuple[Next, ...]:
    """Name the steps after the ones that are done; none when the application runs."""
    progress = _progress(run)
    done = {step.name for step in run.steps if step.state == "done"}
    for together in _stages(progress):
        if missing := tuple(step for step in together if step.name not in done):
            return missing
    return ()


def _stages(progress: RestoreProgress) -> Iterator[tuple[Next, ...]]:
    """Yield the steps after the plan, those that run at once together; most exist where needed."""
    planned = progress.planned
    if planned is None:
        return
    if _volumes(progress):
        yield (Next("prepare"),)
    yield tuple(Next(f"load/{volume.claim}", volume.node) for volume in progress.prepared)
    if progress.dry_run:
        return
    if planned.images:
        yield (Next("push"),)
    if planned.objects:
        yield (Next("apply"),)
    yield tuple(Next(f"feed/{dump.source}") for dump in planned.dumps)


def last(run: Run) -> tuple[Next, ...]:
    """Remove loader pods and other things that only the restore needed, where it made any."""
    made = any(kind_of(step.name) in {"prepare", "apply"} for step in run.steps)
    return (Next("finish"),) if made else ()


def gather(run: Run, event: StepEvent) -> Run:
    """Keep what an outcome brings."""
    return replace(run, restore=_gathered(_progress(run), event))


def _gathered(progress: RestoreProgress, event: StepEvent) -> RestoreProgress:
    known = progress
    match event:
        case RestorePlanned():
            known = replace(progress, planned=event, lost=event.lost, lost_total=event.lost_total)
        case VolumesPrepared():
            known = replace(progress, prepared=event.volumes)
        case VolumeLoaded():
            known = _loaded(progress, event)
        case ImagesPushed():
            known = replace(progress, images=event)
        case ObjectsApplied():
            told = (*progress.problems, *event.problems)[:_PROBLEMS_MAX]
            known = replace(progress, problems=told)
        case DumpLoaded():
            known = replace(progress, bytes_written=progress.bytes_written + event.bytes_written)
    return known


def _loaded(progress: RestoreProgress, event: VolumeLoaded) -> RestoreProgress:
    changes = () if event.changes is None else (event.changes,)
    return replace(
        progress,
        bytes_written=progress.bytes_written + event.bytes_written,
        problems=(*progress.problems, *event.problems)[:_PROBLEMS_MAX],
        lost=(*progress.lost, *event.lost)[:_PROBLEMS_MAX],
        lost_total=progress.lost_total + event.lost_total,
        changes=(*progress.changes, *changes),
    )


def order(run: Run, step: str) -> StepCommand:
    """Write the order for a step of this run."""
    progress = _progress(run)
    base = {
        **order_fields(run, step),
        "version": progress.version,
        "snapshot_id": progress.snapshot_id,
        "target_namespace": progress.target_namespace,
        "keep_going": progress.keep_going,
        "paths": progress.paths,
        "existing": progress.existing,
        "delete_extra": progress.delete_extra,
        "dry_run": progress.dry_run,
    }
    made: StepCommand
    match kind_of(step):
        case "plan":
            made = PlanRestore(**base)
        case "prepare":
            made = PrepareVolumes(**base, volumes=_volumes(progress))
        case "load":
            volume = _volume(run, step)
            made = LoadVolume(**base, node=volume.node, volume=volume)
        case "push":
            images = progress.planned.images if progress.planned else ()
            made = PushImages(**base, images=images, registry=progress.registry)
        case "apply":
            placements = progress.images.placements if progress.images else ()
            made = ApplyObjects(**base, placements=placements)
        case "feed":
            made = LoadDump(**base, dump=_dump(run, step))
        case _:
            made = FinishRestore(**base, failed=run.ends_as != "succeeded")
    return made


def from_elsewhere(run: Run, failure: Failure) -> Run | None:
    """Let a restore go on with the next Vault that has the version; None if there is none."""
    progress = _progress(run)
    if not progress.elsewhere:
        return None
    following, *rest = progress.elsewhere
    changed = replace(
        progress,
        snapshot_id=following.versions[0].snapshot_id,
        elsewhere=tuple(rest),
        given_up=(*progress.given_up, f"Vault {run.vault}: {failure}"),
    )
    return replace(run, vault=following.vault, restore=changed)


def _progress(run: Run) -> RestoreProgress:
    if run.restore is None:
        raise ValueError(f"run {run.id} is no restore")
    return run.restore


def _volumes(progress: RestoreProgress) -> tuple[VolumeTarget, ...]:
    """Choose the volumes that are mounted: all, or those that a dry run looks into."""
    planned = progress.planned.volumes if progress.planned else ()
    return tuple(volume for volume in planned if volume.present or not progress.dry_run)


def _volume(run: Run, step: str) -> VolumeTarget:
    wanted = subject_of(step)
    return next(volume for volume in _progress(run).prepared if volume.claim == wanted)


def _dump(run: Run, step: str) -> DumpTarget:
    planned = _progress(run).planned
    wanted = subject_of(step)
    return next(dump for dump in (planned.dumps if planned else ()) if dump.source == wanted)
