"""Reports: which promises about recovery were kept, by criticality or by application."""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import ApplicationRecord
from appshield.doors.actions import SEE_APPLICATIONS, SEE_RUNS
from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.rights import by_handler
from appshield.gateway.api.known.views import RunRow
from appshield.gateway.objectives import ObjectiveDay, ObjectiveRow, Span, report

_USUAL = timedelta(days=30)
_LONGEST = timedelta(days=92)
_CSV = "text/csv"

Moment = datetime | None
By = Literal["criticality", "application"]


class Objectives(msgspec.Struct, frozen=True, kw_only=True, rename={"begin": "from", "end": "to"}):
    """How promises were kept in a span of time: over all of it, and on each day."""

    begin: datetime
    end: datetime
    by: By
    items: list[ObjectiveRow]
    days: list[ObjectiveDay]


@dataclass
class _AlsoCsv(Operation):
    """Says of a route that it answers with CSV, too."""

    def __post_init__(self) -> None:
        """Add it to the answer."""
        found = (self.responses or {}).get("200")
        if isinstance(found, OpenAPIResponse) and found.content is not None:
            found.content[_CSV] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get(
    "/reports/objectives",
    operation_class=_AlsoCsv,
    opt=by_handler(SEE_APPLICATIONS),
    tags=["Reports"],
    responses={
        200: ResponseSpec(
            Objectives,
            description="The report; with `format=csv` its rows as CSV.",
            generate_examples=False,
        )
    },
)
async def report_objectives(
    backend: OnBackend,
    caller: AsCaller,
    *,
    by: Annotated[By, QueryParameter(description="What makes one row.")] = "criticality",
    begin: Annotated[
        Moment, QueryParameter(name="from", description="Where it begins: 30 days ago.")
    ] = None,
    end: Annotated[Moment, QueryParameter(name="to", description="Where it ends: now.")] = None,
    written: Annotated[
        Literal["json", "csv"], QueryParameter(name="format", description="How it is written.")
    ] = "json",
) -> Response[bytes]:
    """Report which promises about recovery were kept, of applications that the caller may see."""
    span = _span(begin, end, backend.clock.now())
    records = [
        record
        for record in await backend.views.applications()
        if record.app.cluster == backend.cluster and record.state == "active"
    ]
    namespaces = {record.app.namespace for record in records}
    seen = await backend.access.visible(caller, SEE_APPLICATIONS, namespaces)
    seen &= await backend.access.visible(caller, SEE_RUNS, namespaces)
    groups: dict[str, list[ApplicationRecord]] = defaultdict(list)
    for record in records:
        if record.app.namespace in seen:
            groups[str(record.app) if by == "application" else record.criticality].append(record)
    runs: dict[str, list[RunRow]] = defaultdict(list)
    for run in await backend.views.runs():
        runs[run.app_id].append(run)
    rows, days = report(groups, runs, span)
    if written == "csv":
        name = f"objectives-{span.begin:%Y-%m-%d}-{span.end:%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(rows), media_type=_CSV, headers=headers)
    told = Objectives(begin=span.begin, end=span.end, by=by, items=rows, days=days)
    return Response(msgspec.json.encode(told), media_type="application/json")


def as_csv(rows: list[ObjectiveRow]) -> bytes:
    """Write rows as CSV; what a sheet would take for a formula is written as text. Pure."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(ObjectiveRow.__struct_fields__)
    for row in rows:
        cells = ["" if cell is None else cell for cell in msgspec.structs.astuple(row)]
        table.writerow([_plain(cell) for cell in cells])
    return written.getvalue().encode()


def _plain(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell


def _span(begin: Moment, end: Moment, now: datetime) -> Span:
    """Read which span is meant.

    Raises:
        InvalidInputError: it ends before it begins, or is too long.
    """
    until = _utc(end) if end else now
    since = _utc(begin) if begin else until - _USUAL
    if not timedelta() < until - since <= _LONGEST:
        raise InvalidInputError(
            "the report has no such span of time",
            why=f"it has to end after it begins, within {_LONGEST.days} days",
        )
    return Span(since, until)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError("the report has no such span of time", why=str(error)) from error


ROUTES: tuple[ControllerRouterHandler, ...] = (report_objectives,)
