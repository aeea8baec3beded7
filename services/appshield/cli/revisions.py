"""`appshield revisions`: what a document said, and which versions an application's made."""

from typing import Annotated, Literal

from cyclopts import Parameter

from appshield.cli.options import Namespace
from appshield.cli.output import say, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.doors.documents import KINDS
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, versions_of
from appshield.doors.revisions import (
    SHOWN_DIGITS,
    Listed,
    changed_lines,
    chosen,
    listed_of_object,
    listed_revisions,
    revisions_of,
    revisions_of_object,
    text_of,
)
from appshield.errors import NotFoundError
from appshield.kubernetes import Kind
from appshield.language.revisions import Revision


async def revisions(
    name: Annotated[str, Parameter(name="NAME", help="The document: [NAMESPACE/]NAME.")],
    revision: Annotated[
        str, Parameter(name="REVISION", help="Show this one: the beginning of its digest.")
    ] = "",
    other: Annotated[str, Parameter(name="OTHER", help="Show what this one changed.")] = "",
    /,
    *,
    kind: Annotated[
        Literal["Application", "Policy", "Profile", "Vault"],
        Parameter(name="--kind", help="The document's kind."),
    ] = "Application",
    namespace: Namespace = "",
    output: Annotated[
        Literal["text", "json"], Parameter(name=("--output", "-o"), help="Text, or JSON.")
    ] = "text",
) -> None:
    """List the accepted contents of a document, show one, or compare two."""
    whose = f"{kind.lower()} {name}"
    if kind == "Application":
        listed = await _of_application(Reach.here(), name, namespace)
    else:
        listed = await _of_object(Reach.here(), KINDS[kind], name)
    if revision:
        found = [one.revision for one in listed]
        one = chosen(found, revision, whose)
        _show(one, chosen(found, other, whose) if other else None, output)
    elif output == "json":
        say_json(listed)
    else:
        say_table(
            ("REVISION", "SINCE", "VERSIONS", ""),
            [_row(one) for one in listed],
            empty=f"no revision of {whose} is kept: its object is gone, or no content of it was "
            "accepted yet; a version of an application holds its document itself",
        )


async def _of_application(reach: Reach, name: str, namespace: str) -> list[Listed]:
    want = wanted(name, namespace)
    async with reach.bus() as bus:
        record = histories(await applications(bus), want)[0]
        made = await versions_of(bus, record.app_id)
    async with reach.cluster() as cluster:
        return listed_revisions(await revisions_of(cluster, record), record, made)


async def _of_object(reach: Reach, kind: Kind, name: str) -> list[Listed]:
    async with reach.cluster() as cluster:
        obj = await cluster.get(kind, name)
        if obj is None:
            raise NotFoundError(
                f"{kind.kind} {name} does not exist",
                next_step=f"`kubectl get {kind.resource}` lists them.",
            )
        return listed_of_object(await revisions_of_object(cluster, kind, obj), obj)


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
