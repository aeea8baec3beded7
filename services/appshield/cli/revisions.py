"""`appshield revisions`: what an application's document said, and which versions that made."""

from typing import Annotated, Literal

from cyclopts import Parameter

from appshield.cli.options import AppName, Namespace
from appshield.cli.output import say, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, versions_of
from appshield.doors.revisions import (
    SHOWN_DIGITS,
    Listed,
    changed_lines,
    chosen,
    listed_revisions,
    revisions_of,
    text_of,
)
from appshield.language.revisions import Revision


async def revisions(
    app: AppName,
    revision: Annotated[
        str, Parameter(name="REVISION", help="Show this one: the beginning of its digest.")
    ] = "",
    other: Annotated[str, Parameter(name="OTHER", help="Show what this one changed.")] = "",
    /,
    *,
    namespace: Namespace = "",
    output: Annotated[
        Literal["text", "json"], Parameter(name=("--output", "-o"), help="Text, or JSON.")
    ] = "text",
) -> None:
    """List the accepted contents of an application's document, show one, or compare two."""
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        record = histories(await applications(bus), want)[0]
        made = await versions_of(bus, record.app_id)
    async with reach.cluster() as cluster:
        found = await revisions_of(cluster, record)
    if revision:
        one = chosen(found, revision, record)
        _show(one, chosen(found, other, record) if other else None, output)
        return
    listed = listed_revisions(found, record, made)
    if output == "json":
        say_json(listed)
        return
    say_table(
        ("REVISION", "SINCE", "VERSIONS", ""),
        [_row(one) for one in listed],
        empty=f"no revision of {record.app} is kept: its object is gone; `appshield version` "
        "names the one that made a version, which holds its document itself",
    )


def _show(one: Revision, other: Revision | None, output: str) -> None:
    if output == "json":
        say_json([one, other] if other else one)
        return
    if other is None:
        say(text_of(one).rstrip("\n"))
        return
    for line in changed_lines(one, other):
        say(line)


def _row(one: Listed) -> tuple[str, ...]:
    return (
        one.revision.digest[:SHOWN_DIGITS],
        time_text(one.revision.since),
        ", ".join(map(str, one.versions)),
        "in force" if one.in_force else "",
    )
