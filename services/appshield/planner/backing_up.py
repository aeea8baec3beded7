"""The flow of a backup: open ─► take ─► store (each source) ─► commit ─► release.

One that is made only if something changed is told the newest good version with the order to commit,
and where nothing did, it ends without a version of its own.
"""

from msgspec.structs import replace

from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    OpenRepository,
    ReleaseSnapshot,
    SnapshotTaken,
    SourcesLost,
    SourceStored,
    StoreSource,
    TakeSnapshot,
    VersionFacts,
)
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import BackupProgress, Run
from appshield.contracts.sources import AnySource, VolumeSource
from appshield.planner.steps import Next, kind_of, order_fields, subject_of


def first(_: Run) -> tuple[Next, ...]:
    """Open the repository before the application is touched: a store that fails, fails here."""
    return (Next("open"),)


def following(run: Run) -> tuple[Next, ...]:
    """Name the steps after the ones that are done; none when the version exists."""
    progress = run.backup or BackupProgress()
    if progress.taken is None:
        return (Next("take"),)
    missing = _not_stored(progress)
    if missing:
        return tuple(_store_step(run, source) for source in missing)
    done = run.snapshot_id or progress.unchanged
    return () if done else (Next(_again(run, "commit")),)


def last(run: Run) -> tuple[Next, ...]:
    """Release the snapshot whenever taking it was tried."""
    return (Next("release"),) if any(step.name == "take" for step in run.steps) else ()


def gather(run: Run, event: StepEvent) -> Run:
    """Keep what an outcome brings."""
    progress = run.backup or BackupProgress()
    match event:
        case SnapshotTaken():
            return replace(run, backup=replace(progress, taken=event))
        case SourceStored():
            others = tuple(s for s in progress.stored if s.name != event.stored.name)
            return replace(run, backup=replace(progress, stored=(*others, event.stored)))
        case SourcesLost():
            kept = tuple(s for s in progress.stored if s.name not in event.sources)
            return replace(run, backup=replace(progress, stored=kept))
        case BackupStored():
            return replace(run, snapshot_id=event.snapshot_id)
        case BackupUnchanged() if progress.newest is not None:
            unchanged = replace(progress, unchanged=progress.newest.number)
            return replace(run, backup=unchanged, version=None)
        case _:
            return run


def order(run: Run, step: str) -> StepCommand:
    """Write the order for a step of this run."""
    base = order_fields(run, step)
    match kind_of(step):
        case "open":
            return OpenRepository(**base, uid=run.uid)
        case "take":
            return TakeSnapshot(**base)
        case "store":
            source = _source(run, step)
            node = source.node if isinstance(source, VolumeSource) else ""
            return StoreSource(**base, node=node, source=source)
        case "commit":
            newest = run.backup.newest if run.backup else None
            return CommitBackup(
                **base, facts=facts(run), newest_snapshot_id=newest.snapshot_id if newest else ""
            )
        case _:
            return ReleaseSnapshot(**base)


def facts(run: Run) -> VersionFacts:
    """Say what the version will say about itself."""
    progress = run.backup
    if progress is None or progress.taken is None or run.version is None:
        raise ValueError(f"run {run.id} has nothing to commit yet")
    taken = progress.taken
    return VersionFacts(
        app=run.app,
        app_id=run.app_id,
        uid=run.uid,
        number=run.version,
        run=run.id,
        revision=taken.revision,
        consistency=taken.consistency,
        cut_at=taken.cut_at,
        trigger=run.trigger.kind,
        trigger_name=run.trigger.name,
        actor=run.trigger.actor,
        quiesced_ms=taken.quiesced_ms,
        skipped=taken.skipped,
        warnings=taken.warnings,
        sources=tuple(sorted(progress.stored, key=lambda stored: stored.name)),
        states=taken.states,
        kinds=taken.kinds,
        health=progress.health,
        documents=(*progress.policies, *taken.profiles),
    )


def _not_stored(progress: BackupProgress) -> tuple[AnySource, ...]:
    if progress.taken is None:
        return ()
    stored = {source.name for source in progress.stored}
    return tuple(source for source in progress.taken.sources if source.name not in stored)


def _store_step(run: Run, source: AnySource) -> Next:
    node = source.node if isinstance(source, VolumeSource) else ""
    return Next(_again(run, f"store/{source.name}"), node)


def _again(run: Run, name: str) -> str:
    """Give a step that is done once more a name of its own."""
    rounds = sum(step.name.partition("=")[0] == name for step in run.steps)
    return f"{name}={rounds + 1}" if rounds else name


def _source(run: Run, step: str) -> AnySource:
    taken = (run.backup or BackupProgress()).taken
    name = subject_of(step)
    for source in taken.sources if taken else ():
        if source.name == name:
            return source
    raise ValueError(f"run {run.id} has no source {name!r}")
