"""Revisions: every accepted content of an application's document."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import ApplicationRecord
from appshield.doors.actions import SEE_APPLICATIONS
from appshield.doors.revisions import (
    Listed,
    changed_lines,
    chosen,
    listed_revisions,
    revisions_of,
    text_of,
)
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    FromTime,
    InNamespace,
    Limit,
    Named,
    in_utc,
    sorting,
)
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_of
from appshield.language.revisions import Revision

_TAGS = ["Applications"]
_PATH = "/applications/{namespace:str}/{name:str}/revisions"

SORT_KEYS: dict[str, SortKey[Listed]] = {
    "generation": lambda one: one.revision.generation,
    "since": lambda one: one.revision.since,
}

Digest = Annotated[
    str, PathParameter(max_length=64, description="The revision's digest, or its beginning.")
]
FromDigest = Annotated[
    str, QueryParameter(name="from", max_length=64, description="The one digest.")
]
ToDigest = Annotated[str, QueryParameter(name="to", max_length=64, description="The other digest.")]


SortRevisions = Annotated[str, sorting(*SORT_KEYS)]


class RevisionText(msgspec.Struct, frozen=True, kw_only=True):
    """One revision, and its document as YAML."""

    revision: Revision
    text: str


class RevisionChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the documents of two revisions, as the lines of a unified diff."""

    before: str
    after: str
    lines: tuple[str, ...]


@get(_PATH, opt=in_namespace(SEE_APPLICATIONS), tags=_TAGS)
async def list_revisions(
    backend: OnBackend,
    *,
    namespace: InNamespace,
    name: Named,
    since: FromTime = None,
    sort: SortRevisions = "-generation",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[Listed]:
    """List what the document said, the newest first, and which versions that made."""
    record, found = await _revisions(backend, namespace, name)
    made = await backend.views.versions(record.app_id)
    wanted = Wanted(sort=sort, limit=limit, cursor=cursor)
    return page_of_revisions(listed_revisions(found, record, made), since, wanted)


@get(_PATH + "/{digest:str}", opt=in_namespace(SEE_APPLICATIONS), tags=_TAGS)
async def show_revision(
    backend: OnBackend, namespace: InNamespace, name: Named, digest: Digest
) -> RevisionText:
    """Show one revision of the document."""
    record, found = await _revisions(backend, namespace, name)
    one = chosen(found, digest, f"application {record.app}")
    return RevisionText(revision=one, text=text_of(one))


@get(_PATH + "/diff", opt=in_namespace(SEE_APPLICATIONS), tags=_TAGS)
async def compare_revisions(
    backend: OnBackend,
    *,
    namespace: InNamespace,
    name: Named,
    before: FromDigest,
    after: ToDigest,
) -> RevisionChanges:
    """Show what changed from one revision of the document to another."""
    record, found = await _revisions(backend, namespace, name)
    one, other = (
        chosen(found, before, f"application {record.app}"),
        chosen(found, after, f"application {record.app}"),
    )
    return RevisionChanges(
        before=one.digest, after=other.digest, lines=tuple(changed_lines(one, other))
    )


def page_of_revisions(
    found: Iterable[Listed], since: datetime | None, wanted: Wanted
) -> Page[Listed]:
    """Cut the wanted part out of the revisions of a document, of those since a time."""
    begin = in_utc(since)
    return page_of(
        [one for one in found if begin is None or one.revision.since >= begin],
        wanted,
        keys=SORT_KEYS,
        name=lambda one: one.revision.digest,
    )


async def _revisions(
    backend: Backend, namespace: str, name: str
) -> tuple[ApplicationRecord, list[Revision]]:
    record = await record_of(backend, namespace, name)
    return record, await revisions_of(backend.clusters.own(), record)


ROUTES: tuple[ControllerRouterHandler, ...] = (list_revisions, show_revision, compare_revisions)
