"""Reports: which promises about recovery were kept, by criticality or by application."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import SEE_APPLICATIONS, SEE_RUNS
from appshield.doors.reporting import By, Objectives, as_csv, objectives, span_of
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.rights import by_handler

_CSV = "text/csv"

Moment = datetime | None


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
    now = backend.clock.now()
    span = span_of(begin, end, now)
    records = [
        record
        for record in await backend.views.applications()
        if record.app.cluster == backend.cluster and record.state == "active"
    ]
    namespaces = {record.app.namespace for record in records}
    seen = await backend.access.visible(caller, SEE_APPLICATIONS, namespaces)
    seen &= await backend.access.visible(caller, SEE_RUNS, namespaces)
    told = await objectives(
        backend.bus,
        (record for record in records if record.app.namespace in seen),
        await backend.views.runs(),
        by=by,
        span=span,
        now=now,
    )
    if written == "csv":
        name = f"objectives-{span.begin:%Y-%m-%d}-{span.end:%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(as_csv(told.items), media_type=_CSV, headers=headers)
    return Response(msgspec.json.encode(told), media_type="application/json")


ROUTES: tuple[ControllerRouterHandler, ...] = (report_objectives,)
