"""The flow of forget, prune, check, repair, pin and copy: one step, called like the run's kind.

What is forgotten or pinned in several Vaults has a step for each: `forget`, `forget/<vault>`.
"""

from msgspec.structs import replace

from appshield.contracts.maintenance import (
    CheckProgress,
    CheckRepository,
    CopyProgress,
    CopyVersion,
    ForgetProgress,
    ForgetVersions,
    PinProgress,
    PinVersion,
    PruneProgress,
    PruneRepository,
    RepairProgress,
    RepairRepository,
    RepositoryChecked,
    RepositoryPruned,
    RepositoryRepaired,
    VersionCopied,
    VersionsAt,
    VersionsForgotten,
)
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Run
from appshield.planner.steps import Next, order_fields, subject_of


def first(run: Run) -> tuple[Next, ...]:
    """Do the one thing; nothing where all that was to be forgotten stays after all."""
    if run.forget is not None and not run.forget.versions:
        return ()
    return (Next(run.kind), *(Next(f"{run.kind}/{other.vault}") for other in _elsewhere(run)))


def following(_: Run) -> tuple[Next, ...]:
    """Nothing follows."""
    return ()


def last(_: Run) -> tuple[Next, ...]:
    """Nothing was made that has to go."""
    return ()


def gather(run: Run, event: StepEvent) -> Run:
    """Keep what came of it."""
    match event, run:
        case VersionsForgotten(), Run(forget=ForgetProgress() as forget):
            return replace(run, forget=_with_forgotten(forget, event))
        case RepositoryPruned(), Run(prune=PruneProgress() as prune):
            return replace(run, prune=replace(prune, done=event))
        case RepositoryChecked(), Run(check=CheckProgress() as check):
            return replace(run, check=replace(check, found=event))
        case RepositoryRepaired(), Run(repair=RepairProgress() as repair):
            return replace(run, repair=replace(repair, done=event))
        case VersionCopied(), Run(copy=CopyProgress() as copy):
            return replace(run, copy=replace(copy, done=event), snapshot_id=event.snapshot_id)
        case _:
            return run


def order(run: Run, step: str) -> StepCommand:
    """Write the order for the step of this run."""
    vault = subject_of(step)
    other = next((one for one in _elsewhere(run) if one.vault == vault), None)
    base = {**order_fields(run, step), "vault": other.vault if other else run.vault}
    match run:
        case Run(forget=ForgetProgress() as forget):
            versions = other.versions if other else forget.versions
            return ForgetVersions(**base, versions=versions, even_last=forget.even_last)
        case Run(prune=PruneProgress() as prune):
            return PruneRepository(**base, grace_s=prune.grace_s)
        case Run(check=CheckProgress() as check):
            return CheckRepository(**base, part=check.part, parts=check.parts)
        case Run(repair=RepairProgress() as repair):
            return RepairRepository(**base, others=repair.others, versions=repair.versions)
        case Run(pin=PinProgress() as pin):
            actor = run.trigger.actor
            version = other.versions[0] if other else pin.version
            return PinVersion(**base, version=version, pinned=pin.pinned, actor=actor)
        case Run(copy=CopyProgress() as copy):
            return CopyVersion(**base, source=copy.source, version=copy.version)
        case _:
            raise ValueError(f"run {run.id} says nothing of what it is to do")


def _elsewhere(run: Run) -> tuple[VersionsAt, ...]:
    """Name the other Vaults in which a run forgets or pins."""
    return next((one.elsewhere for one in (run.forget, run.pin) if one is not None), ())


def _with_forgotten(forget: ForgetProgress, event: VersionsForgotten) -> ForgetProgress:
    """Add what is gone in one Vault; where there are several, what stays says in which."""
    known = {version.number for version in forget.forgotten}
    gone = (version for version in event.versions if version.number not in known)
    where = f" (in Vault {event.vault})" if forget.elsewhere else ""
    return replace(
        forget,
        forgotten=(*forget.forgotten, *gone),
        kept=(*forget.kept, *(f"{text}{where}" for text in event.kept)),
    )
