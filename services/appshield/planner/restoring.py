"""The flow of a restore: plan ─► prepare ─► load ─► apply ─► feed dumps ─► finish.

A version that several Vaults have is read from the next one when one of them fails.
A dry run is over with the plan, except where volumes are there already: they are looked into.
"""

from msgspec.structs import replace

from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.restores import (
    ApplyObjects,
    DumpLoaded,
    FinishRestore,
    LoadDump,
    LoadVolume,
    ObjectsApplied,
    PlanRestore,
    PrepareVolumes,
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
    if progress.planned is None:
        return ()
    done = {step.name for step in run.steps if step.state == "done"}
    if _volumes(progress) and "prepare" not in done:
        return (Next("prepare"),)
    loads = tuple(Next(f"load/{volume.claim}", volume.node) for volume in progress.prepared)
    if missing := tuple(load for load in loads if load.name not in done):
        return missing
    if progress.dry_run:
        return ()
    if progress.planned.objects and "apply" not in done:
        return (Next("apply"),)
    feeds = (Next(f"feed/{dump.source}") for dump in progress.planned.dumps)
    return tuple(feed for feed in feeds if feed.name not in done)


def last(run: Run) -> tuple[Next, ...]:
    """Remove loader pods and other things that only the restore needed, where it made any."""
    made = any(kind_of(step.name) in {"prepare", "apply"} for step in run.steps)
    return (Next("finish"),) if made else ()


def gather(run: Run, event: StepEvent) -> Run:
    """Keep what an outcome brings."""
    progress = _progress(run)
    match event:
        case RestorePlanned():
            known = replace(progress, planned=event, lost=event.lost, lost_total=event.lost_total)
            return replace(run, restore=known)
        case VolumesPrepared():
            return replace(run, restore=replace(progress, prepared=event.volumes))
        case VolumeLoaded():
            told = (*progress.problems, *event.problems)[:_PROBLEMS_MAX]
            written = progress.bytes_written + event.bytes_written
            lost = (*progress.lost, *event.lost)[:_PROBLEMS_MAX]
            changes = (
                progress.changes if event.changes is None else (*progress.changes, event.changes)
            )
            return replace(
                run,
                restore=replace(
                    progress,
                    bytes_written=written,
                    problems=told,
                    lost=lost,
                    lost_total=progress.lost_total + event.lost_total,
                    changes=changes,
                ),
            )
        case ObjectsApplied():
            told = (*progress.problems, *event.problems)[:_PROBLEMS_MAX]
            return replace(run, restore=replace(progress, problems=told))
        case DumpLoaded():
            written = progress.bytes_written + event.bytes_written
            return replace(run, restore=replace(progress, bytes_written=written))
        case _:
            return run


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
    match kind_of(step):
        case "plan":
            return PlanRestore(**base)
        case "prepare":
            return PrepareVolumes(**base, volumes=_volumes(progress))
        case "load":
            volume = _volume(run, step)
            return LoadVolume(**base, node=volume.node, volume=volume)
        case "apply":
            return ApplyObjects(**base)
        case "feed":
            return LoadDump(**base, dump=_dump(run, step))
        case _:
            return FinishRestore(**base, failed=run.ends_as != "succeeded")


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
