"""What an application's document said, and which versions that made."""

import difflib
from collections.abc import Iterable, Sequence

import msgspec
import yaml

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.errors import InvalidInputError, NotFoundError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import CONTROLLER_REVISION
from appshield.language.revisions import OWNER_LABEL, Revision, read_revision

SHOWN_DIGITS = 12
"""So much of a digest is shown, and is enough to name it."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A revision; `versions` are those that it made."""

    revision: Revision
    in_force: bool
    versions: tuple[int, ...]


async def revisions_of(cluster: Cluster, record: ApplicationRecord) -> list[Revision]:
    """Read the revisions of an application, the newest first."""
    objects = await cluster.list(
        CONTROLLER_REVISION,
        namespace=record.app.namespace,
        label_selector=f"{OWNER_LABEL}={record.uid}",
    )
    return sorted(map(read_revision, objects), key=lambda one: one.generation, reverse=True)


def listed_revisions(
    found: Iterable[Revision], record: ApplicationRecord, made: Sequence[VersionRecord]
) -> list[Listed]:
    """Say of each revision whether it is in force, and which versions it made."""
    return [
        Listed(
            revision=kept,
            in_force=kept.digest == record.revision,
            versions=tuple(one.facts.number for one in made if one.facts.revision == kept.digest),
        )
        for kept in found
    ]


def chosen(found: Sequence[Revision], given: str, record: ApplicationRecord) -> Revision:
    """Choose the revision whose digest begins so.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several.
    """
    fitting = [one for one in found if one.digest.startswith(given.lower())]
    if len(fitting) > 1:
        raise InvalidInputError(f"{given} is the beginning of several revisions of {record.app}")
    if not fitting:
        raise NotFoundError(
            f"application {record.app} has no revision {given}",
            why=f"it has {', '.join(one.digest[:SHOWN_DIGITS] for one in found) or 'none'}",
            next_step=f"`appshield revisions {record.app}` lists them.",
        )
    return fitting[0]


def changed_lines(one: Revision, other: Revision) -> list[str]:
    """Write what differs between two revisions as a unified diff of their documents."""
    lines = difflib.unified_diff(
        text_of(one).splitlines(),
        text_of(other).splitlines(),
        one.digest[:SHOWN_DIGITS],
        other.digest[:SHOWN_DIGITS],
        lineterm="",
    )
    return list(lines)


def text_of(one: Revision) -> str:
    """Write the document of a revision as YAML."""
    return yaml.safe_dump(one.document, sort_keys=False, allow_unicode=True)
