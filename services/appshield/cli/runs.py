"""`appshield runs`, `run`, `approve` and `cancel`: what is being done, and what was."""

import re
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.backups import follow
from appshield.cli.options import Namespace, Output, RunId, Wait
from appshield.cli.outcomes import lines_of, say_outcome
from appshield.cli.output import (
    duration_text,
    note,
    say,
    say_fields,
    say_json,
    say_table,
    time_text,
    wait_text,
)
from appshield.cli.progress import Silent, display
from appshield.cli.reaching import Reach
from appshield.cli.waiting import approved, ended
from appshield.contracts.identities import RunKind
from appshield.contracts.runs import Run, RunState
from appshield.doors import asking
from appshield.doors.naming import histories, wanted
from appshield.doors.records import ALL_RUNS, RunFilter, applications, run_of
from appshield.doors.records import runs as all_runs
from appshield.doors.requesting import asker_here
from appshield.doors.times import moment

_CANCELLED_WITHIN_S = 12.0
_RUN = re.compile(r"[a-z]-[0-9a-f]{20}")
"""A whole id: its run may not exist yet and can be waited for all the same."""


async def runs(
    app: Annotated[str, Parameter(name="APP", help="Only of this application.")] = "",
    /,
    *,
    namespace: Namespace = "",
    kind: Annotated[
        tuple[RunKind, ...], Parameter(help="Only of this kind; may be repeated.", negative="")
    ] = (),
    state: Annotated[
        tuple[RunState, ...], Parameter(help="Only in this state; may be repeated.", negative="")
    ] = (),
    since: Annotated[
        str, Parameter(help="Only those asked for since then: 30m, 7d or 2026-11-29T12:00Z.")
    ] = "",
    last: Annotated[int, Parameter(help="How many, the newest first; 0 for all.")] = 20,
    output: Output = "text",
) -> None:
    """List backups, restores and other runs, the newest first."""
    meant = RunFilter(
        app=wanted(app, namespace) if app else None,
        namespace=namespace,
        kinds=frozenset(kind),
        states=frozenset(state),
        since=moment(since, datetime.now(UTC)) if since else None,
    )
    async with Reach.here().bus() as bus:
        found = await all_runs(bus, meant)
        if meant.app is not None and not found:
            known = await applications(bus)
            if not any(meant.app.fits(record.app) for record in known):
                histories(known, meant.app)  # refuses it, with names that are like it
    shown = found[:last] if last > 0 else found
    if output == "json":
        say_json(shown)
        return
    say_table(
        ("RUN", "KIND", "APPLICATION", "VERSION", "STATE", "REQUESTED AT", "TOOK", "BY"),
        [_row(run) for run in shown],
        empty="no run yet" if meant == ALL_RUNS else "no such run",
    )


async def run(run: RunId, /, *, wait: Wait = False, output: Output = "text") -> None:
    """Show one run with its steps; with --wait follow it to its end."""
    async with Reach.here().bus() as bus:
        if wait:
            whole = run if _RUN.fullmatch(run) else (await run_of(bus, run)).id
            say_outcome(await ended(bus, whole, display()), output=output)
            return
        found = await run_of(bus, run)
    if output == "json":
        say_json(found)
        return
    _say_run(found)


async def approve(run: RunId, /, *, wait: Wait = False, output: Output = "text") -> None:
    """Let a run begin that waits for approval; it says who gave it."""
    async with Reach.here().bus() as bus:
        found = await run_of(bus, run)
        await bus.publish(asking.approve(found, asker_here(found.app.cluster)))
        await approved(bus, found.id)
        await follow(bus, found.id, wait=wait, output=output)


async def cancel(run: RunId, /, *, wait: Wait = False) -> None:
    """Stop a run that has not ended; what it has made is removed."""
    async with Reach.here().bus() as bus:
        found = await run_of(bus, run)
        await bus.publish(asking.cancel(found, asker_here(found.app.cluster)))
        note(f"asked for the end of {found.id}")
        if wait:
            last = await ended(bus, found.id, Silent(), admitted_within_s=_CANCELLED_WITHIN_S)
            say(f"{last.id} {last.state}")


def _row(run: Run) -> tuple[str, ...]:
    return (
        run.id,
        run.kind,
        str(run.app) if run.kind != "catalog" else f"Vault {run.vault}",
        str(run.version or ""),
        f"{run.state} ({run.wait.reason})" if run.wait else run.state,
        time_text(run.requested_at),
        duration_text(run.started_at, run.finished_at),
        run.trigger.name or run.trigger.actor or run.trigger.kind,
    )


def _unchanged_text(run: Run) -> str:
    return f"version {run.backup.unchanged}" if run.backup and run.backup.unchanged else ""


def approval_text(run: Run) -> str:
    """Write who let a run begin, or how to; of one that waits for nobody any more nothing."""
    if run.approval is None:
        waits = run.state == "awaiting-approval"
        return f"nobody yet: `appshield approve {run.id}`" if waits else ""
    return f"{run.approval.actor or 'someone'} at {time_text(run.approval.at)}"


def _say_run(run: Run) -> None:
    target = run.restore.target_namespace if run.restore else ""
    say_fields(
        (
            ("run", run.id),
            ("kind", run.kind),
            ("application", str(run.app) if run.kind != "catalog" else ""),
            ("history", run.app_id),
            ("vault", run.vault),
            ("copied from", run.copy.source if run.copy else ""),
            ("version", str(run.version or "")),
            ("unchanged since", _unchanged_text(run)),
            ("into namespace", target),
            ("state", run.state),
            ("waits for", wait_text(run.wait) if run.wait else ""),
            ("goes on as", run.folded_into),
            ("trigger", f"{run.trigger.kind} {run.trigger.name}".rstrip()),
            ("asked by", run.trigger.actor),
            ("approved by", approval_text(run)),
            ("reason", run.trigger.reason),
            ("requested at", time_text(run.requested_at)),
            ("took", duration_text(run.started_at, run.finished_at)),
            ("failure", str(run.failure or "")),
        )
    )
    if run.steps:
        say()
        say_table(
            ("STEP", "STATE", "ATTEMPT", "STARTED AT", "TOOK", "BY", "NODE", "FAILURE"),
            [
                (
                    step.name,
                    step.state,
                    str(step.attempt),
                    time_text(step.started_at),
                    duration_text(step.started_at, step.finished_at),
                    step.worker,
                    step.node,
                    str(step.failure or ""),
                )
                for step in run.steps
            ],
            empty="",
        )
    if run.state == "succeeded":
        say()
        for line in lines_of(run):
            say(line)
