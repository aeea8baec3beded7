"""`appshield vault check --contents`, `vault prune` and `vault stats`: what is in a Vault."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from appshield.cli.contents import vault_access
from appshield.cli.options import Namespace, Output, Wait
from appshield.cli.outcomes import failed, lines_of
from appshield.cli.output import note, say, say_json, say_table, size_text, time_text
from appshield.cli.progress import display
from appshield.cli.reaching import Reach
from appshield.cli.waiting import ended
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.maintenance import RepositoryChecked
from appshield.contracts.message import Request
from appshield.contracts.runs import Run
from appshield.doors import asking
from appshield.doors.asking import Asker, Contents
from appshield.doors.holding import HeldApplication, held_in
from appshield.doors.naming import Wanted, wanted
from appshield.doors.records import applications, histories_in, versions_of
from appshield.doors.requesting import ask
from appshield.errors import DamagedError

OnlyApp = Annotated[
    str, Parameter(name="--app", help="Only of this application: [NAMESPACE/]NAME.")
]
VaultName = Annotated[str, Parameter(name="VAULT", help="The Vault's name.")]


async def check_contents(name: str, contents: Contents, app: str, *, output: str) -> None:
    """Check what is in a Vault by a run for each application, and wait for all of them.

    Raises:
        DamagedError: something is damaged; it was said before.
    """

    def checking(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.check(record, asker, name, contents, datetime.now(UTC))

    checked = await ask_for_each(name, app, "", checking, wait=True, output=output)
    found = [run.check.found for run in checked if run.check and run.check.found]
    damaged = [one for one in found if _is_damaged(one)]
    if damaged:
        raise DamagedError(
            f"{len(damaged)} of {len(checked)} applications in Vault {name} have damage",
            next_step="`appshield versions` marks the versions; the lines above name paths.",
        )


async def prune(
    name: VaultName,
    /,
    *,
    app: OnlyApp = "",
    grace: Annotated[
        str, Parameter(help="How long data that was needed lately stays; 0s for not at all.")
    ] = "24h",
    namespace: Namespace = "",
    wait: Wait = False,
    output: Output = "text",
) -> None:
    """Remove what no version needs any more, of each application or of one.

    Gives way to backups and goes on after them.
    """
    grace_s = _seconds(grace)

    def pruning(record: ApplicationRecord, asker: Asker) -> Request:
        return asking.prune(record, asker, name, grace_s=grace_s)

    await ask_for_each(name, app, namespace, pruning, wait=wait, output=output)


async def stats(name: VaultName, /, *, app: OnlyApp = "", output: Output = "text") -> None:
    """Show what each application takes in a Vault, and when it was pruned and checked."""
    want = wanted(app) if app else None
    async with Reach.here().bus() as bus:
        records = {record.app_id: record for record in await applications(bus)}
        damaged, counts = {}, {}
        for app_id in records:
            found = [
                here for one in await versions_of(bus, app_id) if (here := one.at(name)) is not None
            ]
            counts[app_id] = len(found)
            damaged[app_id] = sum(one.damage is not None for one in found)
    measured = await asyncio.to_thread(held_in, await vault_access(name))
    shown = [_stats_of(one, records.get(one.history), counts, damaged, name) for one in measured]
    if want is not None:
        shown = [one for one in shown if _is_meant(want, one.application)]
    if output == "json":
        say_json(shown)
        return
    say_table(
        ("APPLICATION", "HISTORY", "STATE", "VERSIONS", "SIZE", "PACKS", "PRUNED", "CHECKED", ""),
        [_stats_row(one) for one in shown],
        empty=f"Vault {name} holds no application",
    )
    note(f"{size_text(sum(one.size_bytes for one in shown))} in {len(shown)} applications")


def _is_meant(want: Wanted, application: str) -> bool:
    namespace, _, name = application.partition("/")
    return name == want.name and want.namespace in {"", namespace}


def _stats_row(one: HeldApplication) -> tuple[str, ...]:
    return (
        one.application,
        one.history,
        one.state,
        str(one.versions),
        size_text(one.size_bytes),
        str(one.packs),
        one.pruned_at,
        one.checked_at,
        f"{one.damaged_versions} damaged" if one.damaged_versions else "",
    )


def _stats_of(
    measured: HeldApplication,
    record: ApplicationRecord | None,
    counts: dict[str, int],
    damaged: dict[str, int],
    vault: str,
) -> HeldApplication:
    if record is None:
        return measured
    upkeep = next((one for one in record.upkeep if one.vault == vault), None)
    return replace(
        measured,
        state=record.state,
        versions=counts[record.app_id],
        damaged_versions=damaged[record.app_id],
        pruned_at=time_text(upkeep.pruned_at) if upkeep else "",
        checked_at=time_text(upkeep.checked_at) if upkeep else "",
    )


async def ask_for_each(
    vault: str,
    app: str,
    namespace: str,
    make: Callable[[ApplicationRecord, Asker], Request],
    *,
    wait: bool,
    output: str,
) -> list[Run]:
    """Ask for a run for each application in a Vault, or for one; say and return how they ended.

    Without `wait` it says which runs were asked for, and returns none.

    Raises:
        NotFoundError: there is no application, or none that is meant.
        RunFailedError: a run failed; what the others brought was said before.
    """
    want, reach = wanted(app, namespace) if app else None, Reach.here()
    async with reach.bus() as bus:
        histories = await histories_in(bus, vault, want)
        requests = [make(record, await reach.asker(bus)) for record in histories]
        runs = {await ask(bus, request): request for request in requests}
        if not wait:
            _say_ids(runs, output)
            return []
        ended_runs = [await ended(bus, run, display()) for run in runs]
    _say_runs(ended_runs, output)
    return ended_runs


def _seconds(text: str) -> float:
    from appshield.language.values import seconds

    return 0 if text in {"0", "0s"} else seconds(text)


def _is_damaged(found: RepositoryChecked) -> bool:
    return bool(found.damage or found.problems_total)


def _say_runs(runs: Sequence[Run], output: str) -> None:
    """Say what runs brought; the first that failed is the error."""
    if output == "json":
        say_json(runs)
    for run in runs:
        if run.state == "succeeded" and output == "text":
            for line in lines_of(run):
                say(line)
    for run in runs:
        if run.state != "succeeded":
            raise failed(run)


def _say_ids(runs: Mapping[str, Request], output: str) -> None:
    """Say which runs were asked for."""
    if output == "json":
        say_json([{"run": run, "kind": request.noun} for run, request in runs.items()])
        return
    for run in runs:
        say(run)
