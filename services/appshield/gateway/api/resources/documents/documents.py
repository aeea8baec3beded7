"""Documents in the cluster: listed, read, checked, replaced and deleted.

What is written is written in the caller's name, so that the cluster's own rights and admission
rules decide, as they do for kubectl.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, get, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, RawBody
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import (
    SEE_APPLICATIONS,
    SEE_POLICIES,
    SEE_PROFILES,
    SEE_VAULTS,
    Action,
)
from appshield.doors.documents import (
    KINDS,
    generation_text,
    named_document,
    replacement,
    shown_document,
)
from appshield.doors.listing import objects_of
from appshield.errors import InvalidInputError, NotFoundError
from appshield.gateway.api.frame.audit import Act, audited
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.entity_tags import demand_match, tag_of
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Containing,
    Cursor,
    Limit,
    Namespace,
    sorting,
)
from appshield.gateway.api.frame.problems import (
    AnyRequest,
    PreconditionFailedError,
    UnprocessableError,
)
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.responses import problem
from appshield.gateway.api.frame.rights import anyone
from appshield.gateway.api.resources.documents.bodies import (
    StoredDocument,
    TakesDocuments,
    the_document,
    unwrapped,
)
from appshield.kubernetes import (
    AlreadyExistsError,
    Cluster,
    ConflictError,
    Kind,
    Object,
)
from appshield.rights.access import EVERYWHERE

TAGS = ["Documents"]
IN_NO_NAMESPACE = "-"
_TRIES = 5
DOCUMENT_PATH = "/documents/{kind:str}/{namespace:str}/{name:str}"
_SEE: Mapping[str, Action] = {
    "Application": SEE_APPLICATIONS,
    "Policy": SEE_POLICIES,
    "Profile": SEE_PROFILES,
    "Vault": SEE_VAULTS,
}

KindName = Annotated[
    Literal["Application", "Policy", "Profile", "Vault"],
    PathParameter(description="The kind of the document."),
]
Place = Annotated[
    str,
    PathParameter(max_length=253, description="Its namespace; - for a kind that stands in none."),
]
DocumentName = Annotated[str, PathParameter(max_length=253, description="Its name.")]
DryRun = Annotated[
    bool, QueryParameter(description="Let the cluster check it, and change nothing.")
]


_WRITES = {
    409: problem("The cluster does not take it in its present state."),
    412: problem("The document is not in the state that `If-Match` names."),
    422: problem("Something is wrong with the document; each thing at its line and column."),
    428: problem("The document exists, and `If-Match` does not say in which state it is meant."),
}


class ListedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document in a list."""

    kind: str
    namespace: str
    name: str
    etag: str
    generation: int
    created_at: datetime
    labels: dict[str, str]


_SORT_KEYS: dict[str, SortKey[ListedDocument]] = {
    "name": lambda one: f"{one.namespace}/{one.name}",
    "created_at": lambda one: one.created_at,
}


@get("/documents/{kind:str}", opt=anyone(), tags=TAGS)
async def list_documents(
    backend: OnBackend,
    caller: AsCaller,
    kind: KindName,
    *,
    namespace: Namespace = "",
    containing: Containing = "",
    sort: Annotated[str, sorting(*_SORT_KEYS)] = "name",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[ListedDocument]:
    """List the documents of a kind that the caller may see."""
    found = [
        one
        for obj in await _objects(backend, KINDS[kind], namespace)
        if containing in (one := _listed(obj)).name
    ]
    if KINDS[kind].namespaced:
        visible = await backend.access.visible(caller, _SEE[kind], {one.namespace for one in found})
        found = [one for one in found if one.namespace in visible]
    else:
        await backend.access.require(caller, _SEE[kind], EVERYWHERE)
    return page_of(
        found,
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_SORT_KEYS,
        name=lambda one: f"{one.namespace}/{one.name}",
    )


@get(DOCUMENT_PATH, opt=anyone(), tags=TAGS)
async def show_document(
    backend: OnBackend, caller: AsCaller, kind: KindName, namespace: Place, name: DocumentName
) -> Response[StoredDocument]:
    """Show one document as it stands in the cluster; its ETag is what a change has to name."""
    return _stored(await visible_document(backend, caller, kind, namespace, name))


@put(
    DOCUMENT_PATH,
    opt=anyone(),
    tags=TAGS,
    operation_class=TakesDocuments,
    responses={
        201: ResponseSpec(StoredDocument, description="It was made.", generate_examples=False),
        **_WRITES,
    },
)
async def put_document(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    body: RawBody,
    *,
    kind: KindName,
    namespace: Place,
    name: DocumentName,
    dry_run: DryRun = False,
) -> Response[StoredDocument]:
    """Write a document: make it, or replace it as a whole in the state that `If-Match` names.

    What was read may be sent back changed: its `etag` says then which state is meant. It is written
    in the caller's name: the cluster decides whether they may, and what it accepts.
    """
    place = _place(kind, namespace)
    content, named = unwrapped(body)
    written = _meant(content, kind, place, name)
    cluster = backend.clusters.in_name_of(caller)
    act = _act(
        request, caller, "write-document", named_document(kind, place, name), dry_run=dry_run
    )
    async with audited(backend.auditor, act) as noted:
        present, stored = await _write(request, cluster, written, named=named, dry_run=dry_run)
        noted.generation = generation_text(_listed(stored).generation)
    backend.workloads.forget()
    return _stored(stored, HTTPStatus.OK if present or dry_run else HTTPStatus.CREATED)


@delete(DOCUMENT_PATH, opt=anyone(), tags=TAGS, status_code=204, responses=_WRITES)
async def delete_document(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    *,
    kind: KindName,
    namespace: Place,
    name: DocumentName,
    dry_run: DryRun = False,
) -> None:
    """Delete a document in the state that `If-Match` names; versions of an application stay."""
    place = _place(kind, namespace)
    cluster = backend.clusters.in_name_of(caller)
    act = _act(
        request, caller, "delete-document", named_document(kind, place, name), dry_run=dry_run
    )
    async with audited(backend.auditor, act):
        for _ in range(_TRIES):
            present = await cluster.get(KINDS[kind], name, place)
            if present is None:
                raise _no_document(kind, place, name)
            _demand(request, present)
            meta = present["metadata"]
            with contextlib.suppress(ConflictError):
                await cluster.delete(
                    KINDS[kind],
                    name,
                    namespace=place,
                    uid=meta["uid"],
                    resource_version=meta["resourceVersion"],
                    dry_run=dry_run,
                )
                backend.workloads.forget()
                return
        raise _has_changed()


async def visible_document(
    backend: Backend, caller: Caller, kind: str, namespace: str, name: str
) -> Object:
    """Return the object of a document that the caller may see.

    Raises:
        DeniedError: they may not.
        NotFoundError: there is none.
    """
    place = _place(kind, namespace)
    await backend.access.require(caller, _SEE[kind], place)
    found = await backend.clusters.own().get(KINDS[kind], name, place)
    if found is None:
        raise _no_document(kind, place, name)
    return found


async def _write(
    request: AnyRequest, cluster: Cluster, written: Object, *, named: str, dry_run: bool
) -> tuple[Object | None, Object]:
    """Make a document, or replace it in the state that is meant; return what was and what is.

    Its status may be written meanwhile, which is no other state of the document.
    """
    kind, meta = KINDS[written["kind"]], written["metadata"]
    name, place = meta["name"], meta.get("namespace", "")
    for _ in range(_TRIES):
        present = await cluster.get(kind, name, place)
        _demand(request, present, named)
        try:
            if present is None:
                return None, await cluster.create(kind, written, namespace=place, dry_run=dry_run)
            changed = replacement(written, present)
            return present, await cluster.replace(kind, changed, dry_run=dry_run)
        except InvalidInputError as error:
            raise UnprocessableError(
                error.what, why=error.why, next_step=error.next_step
            ) from error
        except (AlreadyExistsError, ConflictError):
            continue
    raise _has_changed()


def _place(kind: str, namespace: str) -> str:
    """Return the namespace that a path means.

    Raises:
        NotFoundError: the kind stands in none, or has to stand in one.
    """
    if KINDS[kind].namespaced != (namespace != IN_NO_NAMESPACE):
        where = (
            f"a namespace, not in {IN_NO_NAMESPACE}" if KINDS[kind].namespaced else "no namespace"
        )
        raise NotFoundError(f"{KINDS[kind].plural} stand in {where}")
    return "" if namespace == IN_NO_NAMESPACE else namespace


def _meant(body: bytes, kind: str, place: str, name: str) -> Object:
    """Read the document of a body, which has to be the one of the path.

    Raises:
        UnprocessableError: it is another one, or something is wrong with it.
    """
    document = the_document(body)
    written = document.object
    meta = written["metadata"]
    if place:
        meta.setdefault("namespace", place)
    said = (written["kind"], meta.get("namespace", ""), meta["name"])
    if said != (kind, place, name):
        raise UnprocessableError(
            f"the body is about {named_document(*said)}",
            why=f"the path is about {named_document(kind, place, name)}",
            next_step="Send it to its own path.",
        )
    return written


def _demand(request: AnyRequest, present: Object | None, named: str = "") -> None:
    """Let a write go on that is about the present state; what is not there needs no tag.

    Raises:
        PreconditionRequiredError, PreconditionFailedError: it is not.
    """
    if present is not None:
        demand_match(request, _etag(present), named=named)
    elif request.headers.get("If-Match") or named:
        raise _has_changed()


def _has_changed() -> PreconditionFailedError:
    return PreconditionFailedError(
        "the document has changed meanwhile", next_step="Read it again, and decide again."
    )


def _no_document(kind: str, place: str, name: str) -> NotFoundError:
    where = f" in namespace {place}" if place else ""
    return NotFoundError(f"there is no {kind} {name}{where}")


async def _objects(backend: Backend, kind: Kind, namespace: str) -> list[Object]:
    return await objects_of(backend.clusters.own(), kind, namespace if kind.namespaced else "")


def _listed(obj: Object) -> ListedDocument:
    meta = obj["metadata"]
    return ListedDocument(
        kind=obj["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        etag=_etag(obj),
        generation=meta.get("generation", 0),
        created_at=datetime.fromisoformat(meta["creationTimestamp"]),
        labels=meta.get("labels") or {},
    )


def _stored(obj: Object, status: HTTPStatus = HTTPStatus.OK) -> Response[StoredDocument]:
    tag = _etag(obj)
    return Response(
        StoredDocument(etag=tag, document=shown_document(obj)),
        status_code=status,
        headers={"ETag": tag, "Cache-Control": "private, no-cache"},
    )


def _etag(obj: Object) -> str:
    """Name the state of a document: what people write in it, without what AppShield adds."""
    meta = obj["metadata"]
    said = (meta["uid"], meta.get("labels"), meta.get("annotations"), obj.get("spec"))
    return tag_of(msgspec.json.encode(said, order="sorted"))


def _act(request: AnyRequest, caller: Caller, action: str, about: str, *, dry_run: bool) -> Act:
    return Act(
        caller=caller,
        action=f"{action}-dry-run" if dry_run else action,
        outcome="succeeded",
        object=about,
        request_id=request_id(request.scope),
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (
    list_documents,
    show_document,
    put_document,
    delete_document,
)
