"""`appshield versions` and `version`: what can be brought back."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.healths import reasons_of
from appshield.cli.options import AppName, History, Namespace, Output
from appshield.cli.output import (
    note,
    say,
    say_fields,
    say_json,
    say_table,
    size_text,
    time_text,
)
from appshield.cli.reaching import Reach
from appshield.contracts.catalog import VersionCopy, VersionRecord
from appshield.contracts.health import Health
from appshield.doors.naming import histories, wanted, with_versions
from appshield.doors.records import applications, version_of, versions_of

Number = Annotated[int, Parameter(name="N", help="The version's number.")]


async def versions(
    app: AppName,
    /,
    *,
    size: Annotated[
        bool,
        Parameter(negative="", help="Measure what each takes: reads their folders in the Vault."),
    ] = False,
    why: Annotated[
        bool, Parameter(negative="", help="Say of each version why it stays, in each Vault.")
    ] = False,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """List the versions of an application, also of one whose object is gone.

    Where several histories had the name, the versions of all of them are listed.
    """
    if size:
        from appshield.cli.sizes import say_sizes

        await say_sizes(app, namespace, history, output)
        return
    if why:
        from appshield.cli.keeping_reasons import say_reasons

        await say_reasons(app, namespace, history, output)
        return
    want = wanted(app, namespace)
    async with Reach.here().bus() as bus:
        records = histories(await applications(bus), want, history)
        found = [one for record in records for one in await versions_of(bus, record.app_id)]
    if output == "json":
        say_json(found)
        return
    place = records[0].app
    if all(record.state == "orphaned" for record in records):
        note(f"the Application object of {place} is gone; its versions stay")
    if len({one.facts.app_id for one in found}) > 1:
        note(f"{place} has several histories: choose one with --history ID to show or restore")
    made = max((record.last_version for record in records), default=0)
    if made and not found:
        note(
            f"{place} had versions up to {made} that the catalog does not know any more: "
            f"`appshield rebuild-catalog {records[0].vault}` reads them from the Vault"
        )
    say_table(
        ("VERSION", "CUT AT", "CONSISTENCY", "TRIGGER", "SIZE", "STORED", "VAULTS", "HISTORY", ""),
        [_row(one) for one in found],
        empty=f"{place} has no version yet. `appshield backup {place}` makes one.",
    )


async def version(
    app: AppName,
    number: Number,
    /,
    *,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Show one version: what it holds, how consistent it is, and where it came from."""
    want = wanted(app, namespace)
    async with Reach.here().bus() as bus:
        record = with_versions(await applications(bus), want, history)
        found = await version_of(bus, record, number)
    if output == "json":
        say_json(found)
        return
    _say_version(found)


def _row(version: VersionRecord) -> tuple[str, ...]:
    facts = version.facts
    trigger = f"{facts.trigger} {facts.trigger_name}".rstrip()
    return (
        str(facts.number),
        time_text(facts.cut_at),
        facts.consistency,
        trigger,
        size_text(sum(source.bytes_read for source in facts.sources)),
        size_text(sum(source.bytes_stored for source in facts.sources)),
        ", ".join(_vaults(version)),
        facts.app_id,
        ", ".join(_marks(version)),
    )


def _vaults(version: VersionRecord) -> Iterator[str]:
    """Name the Vaults of a version, and how its copy stands where it does not exist yet."""
    yield version.vault
    for copy in version.copies:
        if copy.state == "stored":
            yield copy.vault
        elif copy.state != "forgotten":
            yield f"{copy.vault} ({copy.state})"


def _marks(version: VersionRecord) -> Iterator[str]:
    damaged = [one.vault for one in _places(version) if one.damage is not None]
    if damaged:
        everywhere = len(damaged) == len(version.vaults)
        yield "damaged" if everywhere else f"damaged in {', '.join(damaged)}"
    if version.pinned:
        yield "pinned"


def _health_text(health: Health | None) -> str:
    """Write how the application was, and why."""
    return "; ".join((health.status, *reasons_of(health))) if health else ""


def _places(version: VersionRecord) -> list[VersionRecord]:
    """Give the version as it is in each of its Vaults."""
    return [here for vault in version.vaults if (here := version.at(vault)) is not None]


def _say_version(version: VersionRecord) -> None:
    facts = version.facts
    say_fields(
        (
            ("application", str(facts.app)),
            ("history", facts.app_id),
            ("version", f"{facts.number}{' (pinned)' if version.pinned else ''}"),
            ("cut at", time_text(facts.cut_at)),
            ("unchanged at", time_text(version.unchanged_at)),
            ("health then", _health_text(facts.health)),
            ("consistency", facts.consistency),
            ("quiesced for", f"{facts.quiesced_ms} ms" if facts.quiesced_ms else ""),
            ("trigger", f"{facts.trigger} {facts.trigger_name}".rstrip()),
            ("asked by", facts.actor),
            ("document", facts.revision),
            *((one.kind.lower(), f"{one.name}  {one.revision}") for one in facts.documents),
            ("run", facts.run),
            ("skipped", "; ".join(facts.skipped)),
        )
    )
    say()
    _say_vaults(version)
    say()
    rows = [
        (
            source.name,
            source.kind,
            size_text(source.bytes_read),
            size_text(source.bytes_stored),
            str(source.files or ""),
            f"{len(source.problems)} problems" if source.problems else "",
        )
        for source in facts.sources
    ]
    say_table(("SOURCE", "KIND", "SIZE", "STORED", "FILES", ""), rows, empty="it holds nothing")
    for source in facts.sources:
        for problem in source.problems:
            say(f"{source.name}: {problem}")
    for here in _places(version):
        for path in here.damage.paths if here.damage else ():
            say(f"damaged{f' in {here.vault}' if len(version.vaults) > 1 else ''}: {path}")


def _say_vaults(version: VersionRecord) -> None:
    there = [
        (
            here.vault,
            "stored",
            time_text(here.stored_at),
            here.snapshot_id,
            time_text(here.verified_at),
            f"{here.damage.paths_total} paths damaged" if here.damage else "",
        )
        for here in _places(version)
    ]
    other = [
        (copy.vault, copy.state, "", "", "", _waits_for(copy))
        for copy in version.copies
        if copy.state != "stored"
    ]
    columns = ("VAULT", "STATE", "STORED AT", "SNAPSHOT", "READ WHOLE AT", "")
    say_table(columns, [*there, *other], empty="")


def _waits_for(copy: VersionCopy) -> str:
    if copy.failure is None:
        return f"run {copy.run}" if copy.state == "copying" else ""
    again = f"; again at {time_text(copy.again_at)}" if copy.again_at else ""
    return f"tried {copy.attempts} times: {copy.failure.what}{again}"
