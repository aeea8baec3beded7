"""Events of one application: what was told about it, the newest first."""

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import SEE_APPLICATIONS, SEE_RUNS
from appshield.doors.events import OF_RUNS, EventKind, ToldEvent, events_of
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    FromTime,
    History,
    InNamespace,
    Limit,
    Named,
    in_utc,
    sorting,
)
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_of

_SORT_KEYS: dict[str, SortKey[ToldEvent]] = {"at": lambda one: one.at}


@get(
    "/applications/{namespace:str}/{name:str}/events",
    opt=in_namespace(SEE_APPLICATIONS),
    tags=["Applications"],
)
async def list_events(
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: InNamespace,
    name: Named,
    kind: Annotated[
        list[EventKind] | None, QueryParameter(description="Only of these kinds.")
    ] = None,
    since: FromTime = None,
    history: History = "",
    sort: Annotated[str, sorting(*_SORT_KEYS)] = "-at",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[ToldEvent]:
    """List what was told about an application, the newest first; of its runs to who may see them.

    It is kept for a while only: for longer, see runs, versions and the audit.
    """
    since = in_utc(since)
    record = await record_of(backend, namespace, name, history)
    hidden = frozenset() if await backend.access.may(caller, SEE_RUNS, namespace) else OF_RUNS
    found = [
        one
        for one in await events_of(backend.bus, record)
        if one.kind not in hidden
        and (not kind or one.kind in kind)
        and (since is None or one.at >= since)
    ]
    return page_of(
        found,
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=_SORT_KEYS,
        name=lambda one: one.id,
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (list_events,)
