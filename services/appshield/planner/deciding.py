"""What a run does next: pure decisions over a run, an event and the time.

    backup    open ─► take ─► store (each source) ─► commit ─► release
    restore   plan ─► prepare ─► load (each volume) ─► push ─► apply ─► load (each dump) ─► finish
    catalog   rebuild
    forget, prune, check, repair, pin, copy   one step of that name

Every function returns the run as it is to be written: new state and new promises (the outbox)
together. The last step of backup and restore removes what the run made; it also follows a failure
or a cancellation, so that nothing stays behind.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from appshield.contracts.identities import run_id
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import (
    FINAL_STATES,
    Approval,
    EndState,
    Failure,
    Run,
    RunChanged,
    Step,
    StepDue,
    StepFailed,
)
from appshield.planner import backing_up, cataloguing, maintaining, restoring, witnessing
from appshield.planner.promising import promise, promise_timer, step_timer
from appshield.planner.steps import BACKOFF_MAX_S, Next, limits_of

_ANOTHER_MOMENT = timedelta(seconds=1)
"""A timer that is set for the same moment again is taken for the one that was set before."""

_FLOWS = {
    "backup": backing_up,
    "restore": restoring,
    "catalog": cataloguing,
    "forget": maintaining,
    "prune": maintaining,
    "check": maintaining,
    "repair": maintaining,
    "pin": maintaining,
    "copy": maintaining,
}


def start(run: Run, *, epoch: int, now: datetime) -> Run:
    """Begin a pending run with its first steps; one that has none has succeeded."""
    begun = replace(run, state="running", epoch=epoch, started_at=now)
    steps = _FLOWS[run.kind].first(begun)
    if not steps:
        return _tell(replace(begun, state="succeeded", finished_at=now))
    return _tell(_proceed(begun, steps, epoch=epoch, now=now))


def advance(run: Run, event: StepEvent, *, epoch: int, now: datetime) -> Run:
    """Take in the outcome of a step; an outcome that nobody waits for changes nothing."""
    step = _awaited(run, event)
    if step is None:
        return run
    if isinstance(event, StepFailed):
        return _after_failure(run, step, event, epoch=epoch, now=now)
    done = replace(step, state="done", worker=event.worker, finished_at=now)
    gathered = _FLOWS[run.kind].gather(_with_step(run, done), event)
    return _after_success(gathered, epoch=epoch, now=now)


def overdue(
    run: Run, due: StepDue, *, last_moved: datetime | None, epoch: int, now: datetime
) -> Run:
    """Take in a deadline: more time while the work moves, another attempt, or the end."""
    step = _running(run, due.step)
    if run.state in FINAL_STATES or step is None or due.attempt > step.attempt:
        return run
    if due.attempt < step.attempt:
        # a planner that leads no more set it, late, in place of the timer of this attempt
        return _with_timer(run, step, max(now, step.deadline_at) + _ANOTHER_MOMENT)
    if step.failure is None and last_moved is not None:
        extended = last_moved + timedelta(seconds=limits_of(step.name).silence_s)
        if extended > now:
            return _with_timer(_with_step(run, replace(step, deadline_at=extended)), step, extended)
    if now < step.deadline_at:
        return _with_timer(run, step, step.deadline_at)
    silent = Failure(
        what=f"step {step.name} did not finish",
        why=_silence(step),
        next_step="Look at the log of the run, and at whether the worker runs.",
    )
    return _try_again(run, step, step.failure or silent, epoch=epoch, now=now)


def cancel(run: Run, why: Failure, *, epoch: int, now: datetime) -> Run:
    """Stop a run at the wish of a person or of another run; what it made is removed."""
    if run.state in FINAL_STATES or run.state == "ending":
        return run
    if run.state in {"pending", "awaiting-approval"}:
        return _tell(replace(run, state="cancelled", failure=why, finished_at=now, wait=None))
    return _end(run, "cancelled", why, epoch=epoch, now=now)


def hold(run: Run) -> Run:
    """Let a run wait until somebody approves of it."""
    return _tell(replace(run, state="awaiting-approval"))


def approve(run: Run, actor: str, *, now: datetime) -> Run:
    """Let a run go on that waits for approval; any other stays as it is."""
    if run.state != "awaiting-approval":
        return run
    return replace(run, state="pending", approval=Approval(actor=actor, at=now))


def refuse(run: Run, why: Failure, *, now: datetime) -> Run:
    """End a run that never began."""
    return _tell(replace(run, state="failed", failure=why, finished_at=now))


def _after_success(run: Run, *, epoch: int, now: datetime) -> Run:
    if any(step.state == "running" for step in run.steps):
        return run
    if run.state == "ending":
        return _tell(replace(run, state=run.ends_as, finished_at=now))
    following = _FLOWS[run.kind].following(run)
    if following:
        return _proceed(run, following, epoch=epoch, now=now)
    if gave_way(run):
        return _tell(replace(run, state="folded", folded_into=goes_on_as(run), finished_at=now))
    return _end(run, "succeeded", None, epoch=epoch, now=now)


def gave_way(run: Run) -> bool:
    """Say whether a prune stopped early, so that another run goes on with it."""
    return run.prune is not None and run.prune.done is not None and run.prune.done.gave_way


def continuation(run: Run) -> str:
    """Name the trigger of the run that goes on where this one gave way."""
    return f"again/{run.id}"


def goes_on_as(run: Run) -> str:
    """Name the run that goes on where this one gave way."""
    return run_id(run.kind, continuation(run))


def _after_failure(run: Run, step: Step, event: StepFailed, *, epoch: int, now: datetime) -> Run:
    failed = replace(step, failure=event.failure, worker=event.worker)
    if not event.again or step.attempt >= _attempts_max(run, step):
        if event.elsewhere and run.restore is not None and run.state == "running":
            moved = restoring.from_elsewhere(run, event.failure)
            if moved is not None:
                return _order_anew(moved, epoch=epoch, now=now)
        return _give_up(_with_step(run, failed), failed, event.failure, epoch=epoch, now=now)
    again_at = now + timedelta(seconds=min(2.0**step.attempt, BACKOFF_MAX_S))
    waiting = replace(failed, deadline_at=again_at)
    return _with_timer(_with_step(run, waiting), waiting, again_at)


def _try_again(run: Run, step: Step, failure: Failure, *, epoch: int, now: datetime) -> Run:
    if step.attempt >= _attempts_max(run, step):
        return _give_up(run, step, failure, epoch=epoch, now=now)
    return _order_again(run, step, epoch=epoch, now=now)


def _attempts_max(run: Run, step: Step) -> int:
    """Return how often a step is tried: so often with each Vault that was read from."""
    vaults = 1 + len(run.restore.given_up if run.restore else ())
    return limits_of(step.name).attempts_max * vaults


def _order_anew(run: Run, *, epoch: int, now: datetime) -> Run:
    """Order every step that runs once more; workers stop what they were told before."""
    for step in run.steps:
        if step.state == "running":
            run = _order_again(run, step, epoch=epoch, now=now)
    return run


def _order_again(run: Run, step: Step, *, epoch: int, now: datetime) -> Run:
    deadline = now + timedelta(seconds=limits_of(step.name).silence_s)
    again = replace(step, attempt=step.attempt + 1, epoch=epoch, deadline_at=deadline, failure=None)
    raised = _with_step(replace(run, epoch=epoch), again)
    order = _FLOWS[run.kind].order(raised, step.name)
    return _with_timer(_with_order(raised, order, again), again, deadline)


def _give_up(run: Run, step: Step, failure: Failure, *, epoch: int, now: datetime) -> Run:
    lost = _with_step(run, replace(step, state="failed", failure=failure, finished_at=now))
    if run.state == "ending":
        return _tell(replace(lost, state="failed", failure=run.failure or failure, finished_at=now))
    return _end(lost, "failed", failure, epoch=epoch, now=now)


def _end(run: Run, ends_as: EndState, failure: Failure | None, *, epoch: int, now: datetime) -> Run:
    """Remove what the run made, then let it end as told."""
    stopped = tuple(
        replace(step, state="failed", finished_at=now) if step.state == "running" else step
        for step in run.steps
    )
    ending = replace(run, state="ending", ends_as=ends_as, failure=failure, steps=stopped)
    cleaning = _FLOWS[run.kind].last(ending)
    if not cleaning:
        return _tell(replace(ending, state=ends_as, finished_at=now))
    return _tell(_proceed(ending, cleaning, epoch=epoch, now=now))


def _proceed(run: Run, steps: Sequence[Next], *, epoch: int, now: datetime) -> Run:
    for following in steps:
        deadline = now + timedelta(seconds=limits_of(following.name).silence_s)
        step = Step(
            name=following.name,
            node=following.node,
            state="running",
            attempt=1,
            epoch=epoch,
            started_at=now,
            deadline_at=deadline,
        )
        run = replace(_with_step(run, step), epoch=epoch)
        run = _with_timer(
            _with_order(run, _FLOWS[run.kind].order(run, step.name), step), step, deadline
        )
    return run


def _awaited(run: Run, event: StepEvent) -> Step | None:
    step = _running(run, event.step)
    if run.state in FINAL_STATES or step is None or step.attempt != event.attempt:
        return None
    return step


def _running(run: Run, name: str) -> Step | None:
    found = next((step for step in run.steps if step.name == name), None)
    return found if found is not None and found.state == "running" else None


def _with_step(run: Run, changed: Step) -> Run:
    if all(step.name != changed.name for step in run.steps):
        return replace(run, steps=(*run.steps, changed))
    steps = tuple(changed if step.name == changed.name else step for step in run.steps)
    return replace(run, steps=steps)


def _with_order(run: Run, order: StepCommand, step: Step) -> Run:
    exact = replace(order, attempt=step.attempt, epoch=step.epoch)
    return replace(run, outbox=(*run.outbox, promise(exact)))


def _with_timer(run: Run, step: Step, at: datetime) -> Run:
    due = StepDue(app=run.app, run=run.id, step=step.name, attempt=step.attempt, epoch=step.epoch)
    timed = promise_timer(step_timer(run.id, step.name), due, at)
    return replace(run, outbox=(*run.outbox, timed))


def _tell(run: Run) -> Run:
    changed = RunChanged(
        app=run.app,
        run=run.id,
        kind=run.kind,
        state=run.state,
        epoch=run.epoch,
        version=run.version,
        failure=run.failure,
    )
    told = witnessing.ended(run)
    audited = (promise(told),) if told is not None else ()
    return replace(run, outbox=(*run.outbox, promise(changed), *audited))


def _silence(step: Step) -> str:
    limits = limits_of(step.name)
    where = f" on node {step.node}" if step.node else ""
    return f"no worker{where} made progress for {limits.silence_s:g} s in {step.attempt} attempts"
