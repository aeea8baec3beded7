"""What became of a run, in words; a run without success is an error with an exit code."""

from appshield.cli.output import duration_text, note, say, say_json, size_text
from appshield.contracts.runs import Run
from appshield.errors import RunFailedError


def say_outcome(run: Run, *, output: str) -> None:
    """Say what a run that has ended brought.

    Raises:
        RunFailedError: it failed or was cancelled; says what, why and the next step.
    """
    if output == "json":
        say_json(run)
    if run.state != "succeeded":
        raise failed(run)
    if output == "text":
        for line in lines_of(run):
            say(line)


def failed(run: Run) -> RunFailedError:
    """Give the error that a run ended with."""
    if run.kind == "backup" and run.snapshot_id:
        note(f"version {run.version} of {run.app} exists and is complete all the same")
    verb = "was cancelled" if run.state == "cancelled" else "failed"
    what = f"{run.kind} {run.id} {verb}"
    look = f"`appshield run {run.id}` shows its steps, `appshield logs {run.id}` its log."
    if run.failure is None:
        return RunFailedError(what, next_step=look)
    failure = run.failure
    why = f"{failure.what}: {failure.why}" if failure.why else failure.what
    return RunFailedError(what, why=why, next_step=failure.next_step or look)


def lines_of(run: Run) -> list[str]:
    """Write what a run brought, most important first."""
    took = duration_text(run.started_at or run.requested_at, run.finished_at)
    if run.backup is not None:
        return _backup_lines(run, took)
    if run.restore is not None:
        return _restore_lines(run, took)
    return [f"Vault {run.vault} was read in {took}"]


def _backup_lines(run: Run, took: str) -> list[str]:
    progress = run.backup
    taken, stored = (progress.taken, progress.stored) if progress else (None, ())
    read = size_text(sum(source.bytes_read for source in stored))
    kept = size_text(sum(source.bytes_stored for source in stored))
    lines = [f"version {run.version} of {run.app}: {read} read, {kept} stored, in {took}"]
    if taken is not None:
        quiesced = f", application quiesced for {taken.quiesced_ms} ms" if taken.quiesced_ms else ""
        lines.append(f"consistency: {taken.consistency}{quiesced}")
        lines += [f"skipped: {text}" for text in taken.skipped]
        lines += [f"note: {text}" for text in taken.warnings]
    lines += [f"{one.name}: {problem}" for one in stored for problem in one.problems]
    return lines


def _restore_lines(run: Run, took: str) -> list[str]:
    progress = run.restore
    planned = progress.planned if progress else None
    if progress is None or planned is None:
        return [f"restored in {took}"]
    warnings = [f"note: {text}" for text in planned.warnings]
    if progress.dry_run:
        volumes = [
            f"  data of {volume.source} ({size_text(volume.size_bytes)})"
            for volume in planned.volumes
        ]
        dumps = [f"  dump {dump.source} into {dump.component}" for dump in planned.dumps]
        head = f"version {progress.version} would create in {progress.target_namespace}:"
        return [head, *(f"  {name}" for name in planned.objects), *volumes, *dumps, *warnings]
    brought = (
        f"{len(planned.objects)} objects, {len(planned.volumes)} volumes, "
        f"{size_text(progress.bytes_written)}, in {took}"
    )
    head = f"version {progress.version} of {run.app} runs in namespace {progress.target_namespace}"
    not_kept = [f"not kept: {text}" for text in progress.problems]
    return [f"{head}: {brought}", *warnings, *not_kept]
