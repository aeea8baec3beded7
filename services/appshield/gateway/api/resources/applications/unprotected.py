"""What nothing protects yet, each with a document that would."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import SEE_APPLICATIONS
from appshield.doors.unprotected import Unprotected
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    InNamespace,
    Limit,
    Namespace,
    sorting,
)
from appshield.gateway.api.frame.responses import REFUSED
from appshield.gateway.api.frame.rights import by_handler, in_namespace

_TAGS = ["Applications"]


class ProposedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document to begin with, as YAML with comments that say why; nothing is applied."""

    namespace: str
    text: str


_SORT_KEYS: dict[str, SortKey[Unprotected]] = {
    "name": lambda one: f"{one.namespace}/{one.kind}/{one.name}",
    "data": lambda one: 0 if one.keeps_data else 1,
}


@get("/unprotected", opt=by_handler(SEE_APPLICATIONS), tags=_TAGS)
async def list_unprotected(
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: Namespace = "",
    keeps_data: Annotated[
        bool | None, QueryParameter(description="Only what keeps data, or what does not.")
    ] = None,
    sort: Annotated[str, sorting(*_SORT_KEYS)] = "data",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[Unprotected]:
    """List the workloads that belong to no application, in namespaces that the caller may see.

    Sorted by `data`, what keeps data comes first.
    """
    found = [
        one
        for one in await backend.workloads.found()
        if namespace in {"", one.namespace} and keeps_data in {None, one.keeps_data}
    ]
    visible = await backend.access.visible(
        caller, SEE_APPLICATIONS, {one.namespace for one in found}
    )
    return page_of(
        [one for one in found if one.namespace in visible],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_SORT_KEYS,
        name=lambda one: f"{one.namespace}/{one.kind}/{one.name}",
    )


@get(
    "/unprotected/{namespace:str}",
    opt=in_namespace(SEE_APPLICATIONS),
    tags=_TAGS,
    responses=REFUSED,
)
async def propose_document(backend: OnBackend, namespace: InNamespace) -> ProposedDocument:
    """Propose a document for what nothing protects in a namespace, as `appshield init` does."""
    return ProposedDocument(namespace=namespace, text=await backend.workloads.proposal(namespace))


ROUTES: tuple[ControllerRouterHandler, ...] = (list_unprotected, propose_document)
