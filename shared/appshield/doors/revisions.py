"""What documents said, and which versions an application's made."""

import difflib
from collections.abc import Iterable, Sequence

import msgspec
import yaml

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import InvalidInputError, NotFoundError
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.kinds import APPLICATION, CONTROLLER_REVISION
from appshield.language.revisions import Revision, owner_label, read_revision

SHOWN_DIGITS = 12
"""So much of a digest is shown, and is enough to name it."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A revision; `versions` are those that it made."""

    revision: Revision
    in_force: bool
    versions: tuple[int, ...]


async def revisions_of(cluster: Cluster, record: ApplicationRecord) -> list[Revision]:
    """Read the revisions of an application, the newest first."""
    return await _kept(cluster, APPLICATION, record.app.namespace, record.uid)


async def revisions_of_object(cluster: Cluster, kind: Kind, obj: Object) -> list[Revision]:
    """Read the revisions of any document that is an object of the cluster, the newest first."""
    meta = obj["metadata"]
    return await _kept(cluster, kind, meta.get("namespace") or SYSTEM_NAMESPACE, meta["uid"])


async def _kept(cluster: Cluster, kind: Kind, namespace: str, uid: str) -> list[Revision]:
    objects = await cluster.list(
        CONTROLLER_REVISION,
        namespace=namespace,
        label_selector=f"{owner_label(kind.kind)}={uid}",
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


def listed_of_object(found: Iterable[Revision], obj: Object) -> list[Listed]:
    """Say of each revision of a document whether it is in force; it makes no version by itself."""
    in_force = (obj.get("status") or {}).get("revision")
    return [Listed(revision=kept, in_force=kept.digest == in_force, versions=()) for kept in found]


def chosen(found: Sequence[Revision], given: str, whose: str) -> Revision:
    """Choose the revision whose digest begins so; `whose` names the document in messages.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several.
    """
    fitting = [one for one in found if one.digest.startswith(given.lower())]
    if len(fitting) > 1:
        raise InvalidInputError(f"{given} is the beginning of several revisions of {whose}")
    if not fitting:
        raise NotFoundError(
            f"{whose} has no revision {given}",
            why=f"it has {', '.join(one.digest[:SHOWN_DIGITS] for one in found) or 'none'}",
            next_step="`appshield revisions` lists them.",
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
