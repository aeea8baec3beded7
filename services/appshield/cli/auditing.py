"""`appshield audit`: who did what, as it is on record, and whether the record is whole."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from appshield.audit import (
    Head,
    Report,
    Wish,
    is_wanted,
    lines_of,
    newest_first,
    read_entry,
    verify,
)
from appshield.cli.options import Namespace, Output
from appshield.cli.output import note, say, say_fields, say_json, say_json_line, time_text
from appshield.cli.reaching import Reach
from appshield.contracts.audit import AuditEntry
from appshield.errors import AppShieldError, DamagedError, InvalidInputError, UnavailableError

Since = Annotated[
    str, Parameter(help="Only from then on: `2h`, `7d`, or a moment such as 2026-11-24T12:00.")
]
Ended = Annotated[
    tuple[str, ...],
    Parameter(name="--ended", help="A chain that ended when its message bus was lost; repeatable."),
]


async def show(
    *,
    actor: Annotated[str, Parameter(help="A part of who did it.")] = "",
    app: Annotated[str, Parameter(help="Only on this application: [NAMESPACE/]NAME.")] = "",
    namespace: Namespace = "",
    action: Annotated[str, Parameter(help="Only this: backup, restore, read, cancel …")] = "",
    door: Annotated[
        Literal["", "local", "rest", "object", "gate", "bus", "policy", "appshield"],
        Parameter(help="Only through this door."),
    ] = "",
    outcome: Annotated[
        Literal[
            "",
            "begun",
            "admitted",
            "allowed",
            "denied",
            "refused",
            "succeeded",
            "failed",
            "cancelled",
        ],
        Parameter(help="Only with this outcome."),
    ] = "",
    run: Annotated[str, Parameter(help="Only of this run.")] = "",
    since: Since = "",
    last: Annotated[int, Parameter(help="How many of the newest; 0 for all.")] = 50,
    output: Output = "text",
) -> None:
    """Show who did what, oldest first."""
    wish = Wish(
        actor=actor,
        app=app,
        namespace=namespace,
        action=action,
        door=door,
        outcome=outcome,
        run=run,
        since=_moment(since),
    )
    found: list[AuditEntry] = []
    async with Reach.here().bus() as bus, contextlib.aclosing(newest_first(bus)) as lines:
        async for _, line in lines:
            entry = _entry(line)
            if entry is not None and wish.since is not None and entry.recorded_at < wish.since:
                break
            if entry is not None and is_wanted(entry, wish):
                found.append(entry)
                if len(found) == last:
                    break
    found.reverse()
    for entry in found:
        if output == "json":
            say_json_line(entry)
        else:
            say(text_of(entry))
    if not found:
        note("nothing of that is on record")


async def export(*, since: Since = "") -> None:
    """Write the audit as lines of JSON, as they are stored: each names the SHA-256 of the last."""
    moment = _moment(since)
    async with Reach.here().bus() as bus:
        async for line in lines_of(bus, since=moment):
            say(line.decode(errors="backslashreplace"))


async def verify_chain(
    *,
    vaults: Annotated[
        bool,
        Parameter(
            negative="--no-vaults",
            help="Compare with what is archived in Vaults, and what the cluster remembers.",
        ),
    ] = True,
    ended: Ended = (),
    output: Output = "text",
) -> None:
    """Verify that nothing in the audit was changed, left out or written anew; exit code 8 if so."""
    reach = Reach.here()
    from appshield.audit.finding import VaultArchive, archive_of
    from appshield.audit.remembering import Memory

    archive = VaultArchive((), ())
    away: Mapping[str, AppShieldError] = {}
    remembered: tuple[Head, ...] = ()
    if vaults:
        async with reach.cluster() as cluster:
            archive, away = await archive_of(cluster)
            remembered = (await Memory.of(cluster)).heads
    async with reach.bus() as bus:
        report = await verify(lines_of(bus), archive, remembered=remembered, ended=frozenset(ended))
    if output == "json":
        say_json(report)
    else:
        _say(report)
    for problem in away.values():
        note(f"warning: {problem}")
    if not report.ok:
        raise DamagedError(
            f"the audit is not as it was written: {report.findings_total} findings",
            why=report.findings[0].what,
            next_step="Find out who could write to the message bus or the Vaults.",
        )
    if away:
        raise UnavailableError(
            f"what is archived in Vault {', '.join(away)} was not compared",
            next_step="Try again, or leave Vaults out with --no-vaults.",
        )


def text_of(entry: AuditEntry) -> str:
    """Write an entry as one line for a person."""
    event = entry.event
    place = str(event.app) if event.app.name else event.app.namespace
    where = f" from {event.address}" if event.address else ""
    version = f" version {', '.join(map(str, event.versions))}" if event.versions else ""
    things = [*event.paths, event.object, f"into {event.target}" if event.target else ""]
    about = "".join(f" {thing}" for thing in things if thing)
    run = f" ({event.run})" if event.run else ""
    why = f": {event.reason}" if event.reason else f" [{event.cause}]" if event.cause else ""
    who = event.actor or "?"
    return (
        f"{time_text(event.at)}  {event.outcome:<9}  {event.door:<9}  {who}{where}  "
        f"{event.action} {place}{version}{about}{run}{why}"
    )


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return read_entry(line)
    except DamagedError as error:
        note(f"warning: {error}; `appshield audit verify` says more")
        return None


def _say(report: Report) -> None:
    say_fields(
        (
            ("chain", report.chain or "none yet"),
            ("entries", f"{report.first} to {report.last}" if report.last else "none"),
            ("archived", f"to {report.archived_to}, {report.segments} objects"),
            ("remembered", f"to {report.remembered_to}" if report.remembered_to else "nothing"),
            ("head", report.head if report.last else ""),
        )
    )
    for finding in report.findings:
        say(f"wrong: {finding.what}")
    if report.ok:
        say("whole: nothing was changed or left out")


def _moment(text: str) -> datetime | None:
    """Read a moment, or how long ago it was; None for an empty text.

    Raises:
        InvalidInputError: it is neither.
    """
    from appshield.language.values import seconds

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - timedelta(seconds=seconds(text))
        except (ValueError, InvalidInputError) as error:
            raise InvalidInputError(
                f"{text!r} is no moment",
                next_step="Write how long ago, such as 2h, or a date such as 2026-11-24T12:00.",
            ) from error
    return found.astimezone(UTC)
