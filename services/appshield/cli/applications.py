"""`appshield apps` and `status`: which applications are known, and how they are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from cyclopts import Parameter

from appshield.cli.healths import health_line, reactions_of, reasons_of, since_text
from appshield.cli.next_runs import next_runs_text
from appshield.cli.options import AppName, Namespace, Output
from appshield.cli.output import (
    duration_text,
    pause_text,
    say,
    say_fields,
    say_json,
    say_table,
    time_text,
    wait_text,
)
from appshield.cli.progress import headline
from appshield.cli.reaching import Reach
from appshield.cli.rules import rule_text
from appshield.contracts.applications import ApplicationRecord, Upkeep
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, run_of, versions_of
from appshield.triggers.upcoming import NextRuns, next_runs_of


class Copies(msgspec.Struct, frozen=True, kw_only=True):
    """How many versions are copied to a Vault; `failure` is why the newest of `failed` did."""

    vault: str
    stored: int
    waiting: int
    failed: int
    failure: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `status -o json` gives: one application, its newest version, what runs and waits.

    `other_histories` are those that had the same name before; `next_runs` say of each rule when it
    makes versions next.
    """

    application: ApplicationRecord
    versions: int
    newest_version: VersionRecord | None = None
    active_run: Run | None = None
    pending_runs: tuple[Run, ...] = ()
    other_histories: tuple[ApplicationRecord, ...] = ()
    copies: tuple[Copies, ...] = ()
    next_runs: tuple[NextRuns, ...] = ()


def copies_of(versions: Sequence[VersionRecord]) -> Iterator[Copies]:
    """Count the copies in each further Vault. Pure."""
    copies = [copy for version in versions for copy in version.copies]
    for vault in sorted({copy.vault for copy in copies}):
        states = Counter(copy.state for copy in copies if copy.vault == vault)
        failures = [copy.failure for copy in copies if copy.vault == vault and copy.failure]
        yield Copies(
            vault=vault,
            stored=states["stored"],
            waiting=states["pending"] + states["copying"],
            failed=states["failed"],
            failure=str(failures[-1]) if failures else "",
        )


async def apps(
    *,
    all_: Annotated[
        bool,
        Parameter(name="--all", negative="", help="Also those whose object is gone."),
    ] = False,
    namespace: Namespace = "",
    output: Output = "text",
) -> None:
    """List the applications that AppShield protects, or with --all all that it knows."""
    async with Reach.here().bus() as bus:
        known = await applications(bus)
    found = [
        record
        for record in known
        if (all_ or record.state == "active") and namespace in {"", record.app.namespace}
    ]
    if output == "json":
        say_json(found)
        return
    hidden = len(known) - len(found)
    say_table(
        (
            "NAMESPACE",
            "NAME",
            "TYPE",
            "STATE",
            "HEALTH",
            "VERSION",
            "LAST BACKUP",
            "RPO",
            "RTO",
            "VAULT",
            "HISTORY",
            "RUN",
        ),
        [_row(record) for record in found],
        empty="no application is known"
        + (
            f"; {hidden} more with --all" if hidden else ". `appshield apply -f FILE` tells of one."
        ),
    )


async def status(app: AppName, /, *, namespace: Namespace = "", output: Output = "text") -> None:
    """Show one application: how it is protected, its newest version, what runs and waits."""
    want = wanted(app, namespace)
    async with Reach.here().bus() as bus:
        record, *others = histories(await applications(bus), want)
        found = await versions_of(bus, record.app_id)
        shown = Status(
            application=record,
            versions=len(found),
            newest_version=found[-1] if found else None,
            active_run=await run_of(bus, record.active_run) if record.active_run else None,
            pending_runs=tuple([await run_of(bus, run) for run in record.pending_runs]),
            other_histories=tuple(others),
            copies=tuple(copies_of(found)),
            next_runs=next_runs_of(record, datetime.now(UTC)),
        )
    if output == "json":
        say_json(shown)
        return
    _say_status(shown)


def _row(record: ApplicationRecord) -> tuple[str, ...]:
    return (
        record.app.namespace,
        record.app.name,
        record.application_type,
        _state_of(record),
        health_line(record),
        str(record.last_version or ""),
        time_text(record.last_backup_at),
        record.rpo.state if record.rpo else "",
        record.rto.state if record.rto else "",
        record.vault,
        record.app_id,
        record.active_run,
    )


def _unchanged_text(version: VersionRecord) -> str:
    return f", unchanged at {time_text(version.unchanged_at)}" if version.unchanged_at else ""


def _rpo_text(record: ApplicationRecord) -> str:
    """Write the age of the newest good version against what was promised."""
    rpo = record.rpo
    if rpo is None:
        return ""
    age = duration_text(rpo.counted_from, None)
    what = f"{age} old" if rpo.version else f"none for {age}"
    return f"{what}, {_age_text(rpo.promised_s)} promised: {rpo.state}"


def _restore_text(record: ApplicationRecord) -> str:
    known = record.last_restore
    took = (
        f"version {known.version} in {_age_text(known.took_s)}, at {time_text(known.ended_at)}"
        if known
        else "none"
    )
    rto = record.rto
    if rto is None:
        return took if known else ""
    expected = f", {_age_text(rto.expected_s)} expected" if rto.state == "at-risk" else ""
    return f"{took}; {_age_text(rto.promised_s)} promised{expected}: {rto.state}"


def _age_text(seconds: float) -> str:
    now = datetime.now(UTC)
    return duration_text(now - timedelta(seconds=seconds), now)


def _state_of(record: ApplicationRecord) -> str:
    if record.refused:
        return "refused"
    return "paused" if record.paused is not None else record.state


def _waiting_text(run: Run) -> str:
    """Write what waits, and for what: without a reason of its own for its turn."""
    what = f"{run.kind} {run.trigger.name}".rstrip()
    return f"{run.id} ({what}) for {wait_text(run.wait) if run.wait else 'its turn'}"


def _say_status(shown: Status) -> None:
    record = shown.application
    newest = shown.newest_version
    gone = "its Application object is gone; its versions stay"
    say_fields(
        (
            ("application", str(record.app)),
            ("history", record.app_id),
            ("state", gone if record.state == "orphaned" else "active"),
            ("paused", pause_text(record.paused) if record.paused else ""),
            ("refused", record.refused),
            ("health", since_text(record.health) if record.health else ""),
            *(("", line) for line in reasons_of(record.health)),
            ("type", record.application_type),
            ("criticality", record.criticality),
            ("vaults", ", ".join(record.targets or (record.vault,))),
            ("policies", ", ".join(record.policies)),
            ("versions", str(shown.versions)),
            (
                "newest version",
                f"{newest.facts.number}, {newest.facts.consistency}, "
                f"cut at {time_text(newest.facts.cut_at)}{_unchanged_text(newest)}"
                if newest
                else "",
            ),
            ("recovery point", _rpo_text(record)),
            ("last restore", _restore_text(record)),
            ("now", headline(shown.active_run) if shown.active_run else ""),
            ("waiting", "; ".join(_waiting_text(run) for run in shown.pending_runs)),
            ("to be approved", ", ".join(record.awaiting_approval)),
        )
    )
    for upkeep in record.upkeep:
        say(f"repository in {upkeep.vault}: {_upkeep_text(upkeep)}")
        for problem in upkeep.problems:
            say(f"  problem: {problem}")
    for one in shown.copies:
        why = f": {one.failure}" if one.failure else ""
        counts = f"{one.stored} stored, {one.waiting} waiting, {one.failed} failed"
        say(f"copies in {one.vault}: {counts}{why}")
    for line in _protection_lines(shown):
        say(line)
    for line in reactions_of(record):
        say(line)
    for policy, why in sorted(record.undecided.items()):
        say(f"policy {policy} has no answer: {why}")
    for finding in record.findings:
        say(f"finding: {finding}")
    for other in shown.other_histories:
        say(f"other history: {other.app_id} ({other.state}, up to version {other.last_version})")


def _protection_lines(shown: Status) -> Iterator[str]:
    times = {one.rule: next_runs_text(one) for one in shown.next_runs}
    for protection in shown.application.protections:
        yield f"protection {protection.name}: {rule_text(protection)}"
        if text := times.get(protection.name):
            yield f"  next: {text}"
        if problem := shown.application.signal_problems.get(protection.name):
            since = time_text(problem.since)
            yield f"  problem: signals have had no answer since {since}: {problem.why}"


def _upkeep_text(upkeep: Upkeep) -> str:
    pruned, checked = time_text(upkeep.pruned_at), time_text(upkeep.checked_at)
    rest = ", something waits to be pruned" if upkeep.unpruned else ""
    return f"checked {checked or 'never'}, pruned {pruned or 'never'}{rest}"
