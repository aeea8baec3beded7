"""Revisions: every accepted content of a document that is an object of the cluster."""

from litestar import get
from litestar.types import ControllerRouterHandler

from appshield.doors.documents import KINDS
from appshield.doors.revisions import (
    Listed,
    changed_lines,
    chosen,
    listed_of_object,
    revisions_of_object,
    text_of,
)
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, Wanted
from appshield.gateway.api.frame.parameters import LIMIT, Cursor, FromTime, Limit
from appshield.gateway.api.frame.rights import anyone
from appshield.gateway.api.resources.applications.revisions import (
    Digest,
    FromDigest,
    RevisionChanges,
    RevisionText,
    SortRevisions,
    ToDigest,
    page_of_revisions,
)
from appshield.gateway.api.resources.documents.documents import (
    DOCUMENT_PATH,
    TAGS,
    DocumentName,
    KindName,
    Place,
    visible_document,
)

_PATH = f"{DOCUMENT_PATH}/revisions"


@get(_PATH, opt=anyone(), tags=TAGS)
async def list_document_revisions(
    backend: OnBackend,
    caller: AsCaller,
    *,
    kind: KindName,
    namespace: Place,
    name: DocumentName,
    since: FromTime = None,
    sort: SortRevisions = "-generation",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[Listed]:
    """List what a document said, the newest first, and which content is in force."""
    found = await _listed(backend, caller, kind, namespace, name)
    return page_of_revisions(found, since, Wanted(sort=sort, limit=limit, cursor=cursor))


@get(_PATH + "/{digest:str}", opt=anyone(), tags=TAGS)
async def show_document_revision(
    backend: OnBackend,
    caller: AsCaller,
    *,
    kind: KindName,
    namespace: Place,
    name: DocumentName,
    digest: Digest,
) -> RevisionText:
    """Show one revision of a document."""
    listed = await _listed(backend, caller, kind, namespace, name)
    one = chosen([one.revision for one in listed], digest, f"{kind} {name}")
    return RevisionText(revision=one, text=text_of(one))


@get(_PATH + "/diff", opt=anyone(), tags=TAGS)
async def compare_document_revisions(
    backend: OnBackend,
    caller: AsCaller,
    *,
    kind: KindName,
    namespace: Place,
    name: DocumentName,
    before: FromDigest,
    after: ToDigest,
) -> RevisionChanges:
    """Show what changed from one revision of a document to another."""
    listed = await _listed(backend, caller, kind, namespace, name)
    found, whose = [one.revision for one in listed], f"{kind} {name}"
    one, other = chosen(found, before, whose), chosen(found, after, whose)
    lines = tuple(changed_lines(one, other))
    return RevisionChanges(before=one.digest, after=other.digest, lines=lines)


async def _listed(
    backend: Backend, caller: Caller, kind: str, namespace: str, name: str
) -> list[Listed]:
    """List the revisions of a document that the caller may see.

    Raises:
        DeniedError: they may not.
        NotFoundError: there is no such document.
    """
    obj = await visible_document(backend, caller, kind, namespace, name)
    found = await revisions_of_object(backend.clusters.own(), KINDS[kind], obj)
    return listed_of_object(found, obj)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    list_document_revisions,
    show_document_revision,
    compare_document_revisions,
)
