"""Versions of an application: what can be brought back."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import TriggerKind
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.sources import Consistency
from appshield.doors.actions import SEE_VERSIONS
from appshield.errors import NotFoundError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.entity_tags import tagged
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    History,
    InNamespace,
    Limit,
    Named,
    Number,
    sorting,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.responses import UNCHANGED
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_to_read

_TAGS = ["Versions"]
_PATH = "/applications/{namespace:str}/{name:str}/versions"


class VersionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list: sizes are what was read and what was newly stored for it.

    `vaults` hold it; `damaged` are those in which something of it could not be read.
    """

    number: int
    app_id: str
    run: str
    cut_at: datetime
    stored_at: datetime
    consistency: Consistency
    trigger: TriggerKind
    trigger_name: str
    actor: str
    quiesced_ms: int
    read_bytes: int
    stored_bytes: int
    warnings: int
    pinned: bool
    verified_at: datetime | None
    vaults: tuple[str, ...]
    damaged: tuple[str, ...]


SORT_KEYS: dict[str, SortKey[VersionRecord]] = {
    "number": lambda version: version.facts.number,
    "cut_at": lambda version: version.facts.cut_at,
    "stored_bytes": lambda version: sum(one.bytes_stored for one in version.facts.sources),
}


@get(_PATH, opt=in_namespace(SEE_VERSIONS), tags=_TAGS)
async def list_versions(
    backend: OnBackend,
    namespace: InNamespace,
    name: Named,
    *,
    history: History = "",
    pinned: Annotated[
        bool | None, QueryParameter(description="Only pinned ones, or others.")
    ] = None,
    sort: Annotated[str, sorting(*SORT_KEYS)] = "-number",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[VersionSummary]:
    """List the versions of an application, the newest first."""
    record = await record_to_read(backend, namespace, name, history)
    found = await backend.views.versions(record.app_id)
    page = page_of(
        [version for version in found if pinned in {None, version.pinned}],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=SORT_KEYS,
        name=lambda version: f"{version.facts.number:012}",
    )
    return Page(
        items=[version_summary(one) for one in page.items], total=page.total, next=page.next
    )


@get(_PATH + "/{number:int}", opt=in_namespace(SEE_VERSIONS), tags=_TAGS, responses=UNCHANGED)
async def show_version(
    request: AnyRequest,
    backend: OnBackend,
    namespace: InNamespace,
    name: Named,
    number: Number,
    *,
    history: History = "",
) -> Response[VersionRecord | None]:
    """Show one version: what it holds, how consistent it is, and where it came from."""
    return tagged(request, await version_at(backend, namespace, name, number, history))


async def version_at(
    backend: Backend, namespace: str, name: str, number: int, history: str = ""
) -> VersionRecord:
    """Return the version that a path means.

    Raises:
        NotFoundError: there is none of that number; says which there are.
    """
    record = await record_to_read(backend, namespace, name, history)
    versions = await backend.views.versions(record.app_id)
    for version in versions:
        if version.facts.number == number:
            return version
    numbers = ", ".join(str(version.facts.number) for version in versions[-10:])
    raise NotFoundError(
        f"application {record.app} has no version {number}",
        why=f"its newest are {numbers}" if numbers else "it has no version yet",
    )


def version_summary(version: VersionRecord) -> VersionSummary:
    """Say the most important about a version. Pure."""
    facts = version.facts
    places = [here for vault in version.vaults if (here := version.at(vault)) is not None]
    return VersionSummary(
        number=facts.number,
        app_id=facts.app_id,
        run=facts.run,
        cut_at=facts.cut_at,
        stored_at=version.stored_at,
        consistency=facts.consistency,
        trigger=facts.trigger,
        trigger_name=facts.trigger_name,
        actor=facts.actor,
        quiesced_ms=facts.quiesced_ms,
        read_bytes=sum(source.bytes_read for source in facts.sources),
        stored_bytes=sum(source.bytes_stored for source in facts.sources),
        warnings=len(facts.warnings),
        pinned=version.pinned,
        verified_at=version.verified_at,
        vaults=version.vaults,
        damaged=tuple(one.vault for one in places if one.damage is not None),
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (list_versions, show_version)
