"""The audit: who did what, as lines of its chain, and whether that is whole."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from appshield.audit import (
    Finding,
    Place,
    Wish,
    is_wanted,
    lines_of,
    newest_first,
    oldest_first,
    read_entry,
    verify,
)
from appshield.audit.finding import archive_of
from appshield.audit.remembering import Memory
from appshield.bus import Bus
from appshield.contracts.audit import AuditDoor, AuditEntry, AuditOutcome
from appshield.doors.actions import SEE_AUDIT
from appshield.errors import DamagedError, InvalidInputError
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    FromTime,
    Limit,
    Namespace,
    in_utc,
    sorting,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import in_cluster

JSON_LINES = "application/jsonl"
SCANNED_MAX = 20_000
"""So many entries are looked at for one page; a page may be short, and others follow."""
_TAGS = ["Audit"]


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the audit: `next` is the cursor of what comes behind it."""

    items: list[AuditEntry]
    next: str | None = None


class AuditVerification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit is as it was written: `whole`, or what is wrong, and where.

    It was compared with what is archived, but for the Vaults in `vaults_unread`, and with the
    newest entry that the cluster remembers, `remembered_to`.
    """

    whole: bool
    chain: str
    first: int
    last: int
    head: str
    archived_to: int
    remembered_to: int
    segments: int
    findings: tuple[Finding, ...]
    findings_total: int
    vaults_unread: tuple[str, ...]


@get("/audit", opt=in_cluster(SEE_AUDIT), tags=_TAGS)
async def list_audit(
    backend: OnBackend,
    *,
    actor: Annotated[str, QueryParameter(description="A part of who did it.")] = "",
    namespace: Namespace = "",
    name: Annotated[str, QueryParameter(description="Only on this application.")] = "",
    action: Annotated[str, QueryParameter(description="Only this.")] = "",
    door: Annotated[AuditDoor | None, QueryParameter(description="Only through this door.")] = None,
    outcome: Annotated[
        AuditOutcome | None, QueryParameter(description="Only with this outcome.")
    ] = None,
    run: Annotated[str, QueryParameter(description="Only of this run.")] = "",
    since: FromTime = None,
    until: Annotated[datetime | None, QueryParameter(description="Only before this time.")] = None,
    sort: Annotated[Literal["at", "-at"], sorting("at")] = "-at",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> AuditPage:
    """Show who did what, the newest first, or with `sort=at` the oldest."""
    wish = Wish(
        actor=actor,
        app=name,
        namespace=namespace,
        action=action,
        door=door or "",
        outcome=outcome or "",
        run=run,
        since=in_utc(since),
        until=in_utc(until),
    )
    place = _place(cursor)
    upwards = sort == "at"
    lines = (
        oldest_first(backend.bus, after=place, since=wish.since)
        if upwards
        else newest_first(backend.bus, before=place)
    )
    return await _page(lines, wish, limit, upwards=upwards)


@get(
    "/audit/export",
    opt=in_cluster(SEE_AUDIT),
    tags=_TAGS,
    responses={
        200: ResponseSpec(
            bytes,
            media_type=JSON_LINES,
            description="One entry a line, as it is stored.",
            generate_examples=False,
        )
    },
)
async def export_audit(
    request: AnyRequest, backend: OnBackend, caller: AsCaller, since: FromTime = None
) -> Stream:
    """Write the audit as it is stored: each line names the SHA-256 of the line before it."""
    await backend.auditor.record(
        Act(
            caller=caller,
            action=SEE_AUDIT.name,
            outcome="allowed",
            object="export",
            request_id=request_id(request.scope),
        )
    )
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return Stream(_lines(backend.bus, in_utc(since)), media_type=JSON_LINES, headers=headers)


@get("/audit/verification", opt=in_cluster(SEE_AUDIT), tags=_TAGS)
async def verify_audit(
    backend: OnBackend,
    ended: Annotated[
        list[str] | None,
        QueryParameter(description="Chains that ended when their message bus was lost."),
    ] = None,
) -> AuditVerification:
    """Verify that nothing in the audit was changed, left out or written anew."""
    cluster = backend.clusters.own()
    archive, away = await archive_of(cluster)
    memory = await Memory.of(cluster)
    lines = lines_of(backend.bus)
    report = await verify(lines, archive, remembered=memory.heads, ended=frozenset(ended or ()))
    return AuditVerification(
        whole=report.ok,
        chain=report.chain,
        first=report.first,
        last=report.last,
        head=report.head,
        archived_to=report.archived_to,
        remembered_to=report.remembered_to,
        segments=report.segments,
        findings=report.findings,
        findings_total=report.findings_total,
        vaults_unread=tuple(away),
    )


async def _page(
    found: AsyncGenerator[tuple[Place, bytes], None], wish: Wish, limit: int, *, upwards: bool
) -> AuditPage:
    items: list[AuditEntry] = []
    scanned, place = 0, None
    async with aclosing(found) as lines:
        async for place, line in lines:
            scanned += 1
            entry = _entry(line)
            if entry is not None and _is_past(entry, wish, upwards=upwards):
                return AuditPage(items=items)
            if entry is not None and is_wanted(entry, wish):
                items.append(entry)
            if len(items) >= limit or scanned >= SCANNED_MAX:
                return AuditPage(items=items, next=f"{place.stored}.{place.at}")
    return AuditPage(items=items)


def _is_past(entry: AuditEntry, wish: Wish, *, upwards: bool) -> bool:
    """Say whether nothing that is wanted comes behind an entry."""
    if upwards:
        return wish.until is not None and entry.recorded_at >= wish.until
    return wish.since is not None and entry.recorded_at < wish.since


async def _lines(bus: Bus, since: datetime | None) -> AsyncIterator[bytes]:
    async for line in lines_of(bus, since=since):
        yield line + b"\n"


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return read_entry(line)
    except DamagedError:  # verifying names it
        return None


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    stored, dot, at = cursor.partition(".")
    if not (dot and stored.isdecimal() and at.isdecimal()):
        raise InvalidInputError(
            "the cursor is none of the audit", next_step="Begin again without a cursor."
        )
    return Place(int(stored), int(at))


ROUTES: tuple[ControllerRouterHandler, ...] = (list_audit, export_audit, verify_audit)
