"""What became of a run, in words; a run without success is an error with an exit code."""

from collections.abc import Iterable

from appshield.cli.output import duration_text, note, say, say_json, size_text
from appshield.contracts.maintenance import (
    CheckProgress,
    CopyProgress,
    ForgetProgress,
    Healed,
    PruneProgress,
    RepositoryRepaired,
    VersionDamage,
)
from appshield.contracts.restores import RestorePlanned
from appshield.contracts.runs import RestoreProgress, Run
from appshield.errors import PartialError, RunFailedError


def say_outcome(run: Run, *, output: str) -> None:
    """Say what a run that has ended brought.

    Raises:
        RunFailedError: it failed or was cancelled; says what, why and the next step.
        PartialError: a restore came back without what was damaged, as it was asked to.
    """
    if output == "json":
        say_json(run)
    if run.state != "succeeded":
        raise failed(run)
    if output == "text":
        for line in lines_of(run):
            say(line)
    if run.restore is not None and run.restore.lost_total:
        raise PartialError(
            f"version {run.restore.version} of {run.app} came back in part",
            why=f"{run.restore.lost_total} damaged files or objects were left out",
            next_step=f"`appshield run {run.id}` names them.",
        )


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
    return _maintenance_lines(run, took)


def _maintenance_lines(run: Run, took: str) -> list[str]:
    lines = [f"Vault {run.vault} was read in {took}"]
    if run.forget is not None:
        lines = _forget_lines(run.forget)
    elif run.prune is not None:
        lines = _prune_lines(run, run.prune, took)
    elif run.check is not None:
        lines = _check_lines(run, run.check, took)
    elif run.repair is not None and run.repair.done is not None:
        lines = _repair_lines(run, run.repair.done)
    elif run.pin is not None:
        number, verb = run.pin.version.number, "is pinned" if run.pin.pinned else "is not pinned"
        lines = [f"version {number} of {run.app} {verb}"]
    elif run.copy is not None:
        lines = _copy_lines(run, run.copy, took)
    return lines


def _backup_lines(run: Run, took: str) -> list[str]:
    progress = run.backup
    taken, stored = (progress.taken, progress.stored) if progress else (None, ())
    read = size_text(sum(source.bytes_read for source in stored))
    kept = size_text(sum(source.bytes_stored for source in stored))
    what = f"version {run.version} of {run.app}"
    if progress is not None and progress.unchanged:
        what = f"nothing changed since version {progress.unchanged} of {run.app}"
    lines = [f"{what}: {read} read, {kept} stored, in {took}"]
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
    read_from = [f"read from Vault {run.vault}"] if progress.given_up else []
    read_from += [f"note: not read from {text}" for text in progress.given_up]
    warnings = [*read_from, *(f"note: {text}" for text in planned.warnings)]
    if progress.dry_run:
        return [*_dry_run_lines(progress, planned), *warnings]
    brought = (
        f"{len(planned.objects)} objects, {len(planned.volumes)} volumes, "
        f"{size_text(progress.bytes_written)}, in {took}"
    )
    part = "" if not progress.paths else "part of "
    verb = "is" if progress.paths else "runs"
    head = (
        f"{part}version {progress.version} of {run.app} {verb} in namespace "
        f"{progress.target_namespace}"
    )
    pushed = progress.images
    if pushed is not None and pushed.pushed:
        size = size_text(pushed.bytes_pushed)
        warnings = [f"{pushed.pushed} images were brought back, {size}", *warnings]
    not_kept = [f"not kept: {text}" for text in progress.problems]
    lost = [f"lost: {text}" for text in progress.lost]
    return [f"{head}: {brought}", *warnings, *not_kept, *lost]


def _dry_run_lines(progress: RestoreProgress, planned: RestorePlanned) -> list[str]:
    """Write what a restore would do: what is made, what is changed, and what of volumes."""
    present = set(planned.present)
    made = [f"  {name}" for name in planned.objects if name not in present]
    made += [f"  data of {volume.source}" for volume in planned.volumes if not volume.present]
    made += [f"  dump {dump.source} into {dump.component}" for dump in planned.dumps]
    lines = [f"version {progress.version} would create in {progress.target_namespace}:", *made]
    if present:
        lines += ["and change where they differ:", *(f"  {name}" for name in planned.present)]
    for one in progress.changes:
        lines.append(
            f"in {one.source} {one.created_total} entries would be created, "
            f"{one.overwritten_total} overwritten, {one.deleted_total} deleted:"
        )
        lines += [f"  overwrite {path}" for path in one.overwritten]
        lines += _more(one.overwritten_total - len(one.overwritten))
        lines += [f"  delete {path}" for path in one.deleted]
        lines += _more(one.deleted_total - len(one.deleted))
    return lines


def _more(number: int) -> list[str]:
    return [f"  and {number} more"] if number > 0 else []


def _forget_lines(forget: ForgetProgress) -> list[str]:
    numbers = ", ".join(str(version.number) for version in forget.forgotten)
    head = [f"forgotten: version {numbers}"] if numbers else ["nothing was forgotten"]
    return [*head, *(f"kept: {text}" for text in forget.kept)]


def _prune_lines(run: Run, prune: PruneProgress, took: str) -> list[str]:
    done = prune.done
    if done is None:
        return [f"repository of {run.app} pruned"]
    freed = f"{size_text(done.bytes_freed)} freed in {took}"
    waits = f", {size_text(done.bytes_waiting)} go later" if done.bytes_waiting else ""
    return [f"repository of {run.app} pruned: {freed}{waits}"]


def _copy_lines(run: Run, copy: CopyProgress, took: str) -> list[str]:
    done = copy.done
    sent = f"{size_text(done.bytes_copied)} sent" if done and done.bytes_copied else "nothing new"
    return [
        f"version {copy.version.number} of {run.app} is in Vault {run.vault}: {sent}, in {took}"
    ]


def _check_lines(run: Run, check: CheckProgress, took: str) -> list[str]:
    found = check.found
    if found is None:
        return [f"repository of {run.app} checked"]
    read = f"{found.versions} versions, {size_text(found.bytes_read)} of data read, in {took}"
    lines = [f"repository of {run.app} checked: {read}"]
    lines += _damage_lines(found.damage)
    lines += [f"problem: {text}" for text in found.problems]
    return lines if len(lines) > 1 else [*lines, "no damage is known"]


def _repair_lines(run: Run, done: RepositoryRepaired) -> list[str]:
    found = (
        (done.named_total, done.named, "packs are in the index again"),
        (done.dropped_total, done.dropped, "packs are lost and no longer in it"),
        (done.damaged_indexes_total, done.damaged_indexes, "damaged index files are gone"),
        (done.unreadable_total, done.unreadable, "packs cannot be read and were left"),
    )
    opening = [f"{name} of {run.app} was damaged or lost, and is mended" for name in done.opening]
    lines = []
    for total, names, text in found:
        lines += [f"{total} {text}:"] if total else []
        lines += [f"  {name}" for name in names]
        lines += _more(total - len(names))
    if (done.dropped_total or done.unreadable_total) and done.healed is None:
        lines.append(f"`appshield vault check {run.vault} --contents all` says what versions lost")
    whole = f"the index of {run.app} was whole"
    head = [f"the index of {run.app} is repaired", *lines] if lines else [whole]
    return [*opening, *head, *(_healed_lines(done.healed) if done.healed else [])]


def _healed_lines(healed: Healed) -> list[str]:
    lines = [f"not asked: Vault {text}" for text in healed.unused]
    if healed.brought or healed.replaced or healed.documents:
        found = f"{healed.brought} blobs written anew, {healed.replaced} damaged packs replaced"
        lines.append(f"healed from {', '.join(healed.sources) or 'itself'}: {found}")
    elif not healed.damage:
        lines.append("all data was read: no damage")
    lines += [f"version {one.number} has its document again" for one in healed.documents]
    lost = _damage_lines(healed.damage)
    return [*lines, "what no other Vault has stays damaged:", *lost] if lost else lines


def _damage_lines(damages: Iterable[VersionDamage]) -> list[str]:
    lines = []
    for damage in damages:
        more = damage.paths_total - len(damage.paths)
        lines += [f"damaged: version {damage.number}: {path}" for path in damage.paths]
        lines += [f"damaged: version {damage.number}: and {more} more"] if more > 0 else []
    return lines
