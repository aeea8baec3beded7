"""`appshield revisions`: what an application's document said, and which versions that made."""

import difflib
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import yaml
from cyclopts import Parameter

from appshield.cli.options import AppName, Namespace
from appshield.cli.output import say, say_json, say_table, time_text
from appshield.cli.reaching import Reach
from appshield.contracts.applications import ApplicationRecord
from appshield.doors.naming import histories, wanted
from appshield.doors.records import applications, versions_of
from appshield.errors import InvalidInputError, NotFoundError
from appshield.language.revisions import OWNER_LABEL, Revision, read_revision

_SHOWN_DIGITS = 12


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What `revisions -o json` gives for each: `versions` are those that it made."""

    revision: Revision
    in_force: bool
    versions: tuple[int, ...]


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
        made = [one.facts for one in await versions_of(bus, record.app_id)]
    found = await _kept(reach, record)
    if revision:
        one = _chosen(found, revision, record)
        _show(one, _chosen(found, other, record) if other else None, output)
        return
    listed = [
        Listed(
            revision=kept,
            in_force=kept.digest == record.revision,
            versions=tuple(facts.number for facts in made if facts.revision == kept.digest),
        )
        for kept in found
    ]
    if output == "json":
        say_json(listed)
        return
    say_table(
        ("REVISION", "SINCE", "VERSIONS", ""),
        [_row(one) for one in listed],
        empty=f"no revision of {record.app} is kept: its object is gone; `appshield version` "
        "names the one that made a version, which holds its document itself",
    )


async def _kept(reach: Reach, record: ApplicationRecord) -> list[Revision]:
    """Read the revisions of an application, the newest first."""
    from appshield.kubernetes.kinds import CONTROLLER_REVISION

    async with reach.cluster() as cluster:
        objects = await cluster.list(
            CONTROLLER_REVISION,
            namespace=record.app.namespace,
            label_selector=f"{OWNER_LABEL}={record.uid}",
        )
    return sorted(map(read_revision, objects), key=lambda one: one.generation, reverse=True)


def _chosen(found: Sequence[Revision], given: str, record: ApplicationRecord) -> Revision:
    """Choose the revision whose digest begins so.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several.
    """
    chosen = [one for one in found if one.digest.startswith(given.lower())]
    if len(chosen) > 1:
        raise InvalidInputError(f"{given} is the beginning of several revisions of {record.app}")
    if not chosen:
        raise NotFoundError(
            f"application {record.app} has no revision {given}",
            why=f"it has {', '.join(one.digest[:_SHOWN_DIGITS] for one in found) or 'none'}",
            next_step=f"`appshield revisions {record.app}` lists them.",
        )
    return chosen[0]


def _show(one: Revision, other: Revision | None, output: str) -> None:
    if output == "json":
        say_json([one, other] if other else one)
        return
    before = _text(one)
    if other is None:
        say(before.rstrip("\n"))
        return
    lines = difflib.unified_diff(
        before.splitlines(),
        _text(other).splitlines(),
        one.digest[:_SHOWN_DIGITS],
        other.digest[:_SHOWN_DIGITS],
        lineterm="",
    )
    for line in lines:
        say(line)


def _text(one: Revision) -> str:
    return yaml.safe_dump(one.document, sort_keys=False, allow_unicode=True)


def _row(one: Listed) -> tuple[str, ...]:
    return (
        one.revision.digest[:_SHOWN_DIGITS],
        time_text(one.revision.since),
        ", ".join(map(str, one.versions)),
        "in force" if one.in_force else "",
    )
