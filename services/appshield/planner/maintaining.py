"""The flow of forget, prune, check and pin: one step, called like the run's kind."""

from msgspec.structs import replace

from appshield.contracts.maintenance import (
    CheckProgress,
    CheckRepository,
    ForgetProgress,
    ForgetVersions,
    PinProgress,
    PinVersion,
    PruneProgress,
    PruneRepository,
    RepositoryChecked,
    RepositoryPruned,
    VersionsForgotten,
)
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Run
from appshield.planner.steps import Next, order_fields


def first(run: Run) -> tuple[Next, ...]:
    """Do the one thing; nothing where all that was to be forgotten stays after all."""
    if run.forget is not None and not run.forget.versions:
        return ()
    return (Next(run.kind),)


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
            done = replace(forget, forgotten=event.versions, kept=event.kept)
            return replace(run, forget=done)
        case RepositoryPruned(), Run(prune=PruneProgress() as prune):
            return replace(run, prune=replace(prune, done=event))
        case RepositoryChecked(), Run(check=CheckProgress() as check):
            return replace(run, check=replace(check, found=event))
        case _:
            return run


def order(run: Run, step: str) -> StepCommand:
    """Write the order for the step of this run."""
    base = order_fields(run, step)
    match run:
        case Run(forget=ForgetProgress() as forget):
            return ForgetVersions(**base, versions=forget.versions, even_last=forget.even_last)
        case Run(prune=PruneProgress() as prune):
            return PruneRepository(**base, grace_s=prune.grace_s)
        case Run(check=CheckProgress() as check):
            return CheckRepository(**base, part=check.part, parts=check.parts)
        case Run(pin=PinProgress() as pin):
            actor = run.trigger.actor
            return PinVersion(**base, version=pin.version, pinned=pin.pinned, actor=actor)
        case _:
            raise ValueError(f"run {run.id} says nothing of what it is to do")
