"""`appshield report`: which promises about recovery were kept."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from appshield.cli.options import Namespace
from appshield.cli.output import duration_text, say, say_json, say_table
from appshield.cli.reaching import Reach
from appshield.doors.objectives import ObjectiveRow
from appshield.doors.records import applications
from appshield.doors.records import runs as all_runs
from appshield.doors.reporting import LONGEST, By, as_csv, objectives, span_of
from appshield.doors.run_rows import row_of
from appshield.errors import InvalidInputError

_COLUMNS = (
    "NAME",
    "APPLICATIONS",
    "RPO PROMISED",
    "RPO KEPT",
    "RPO BROKEN FOR",
    "RTO PROMISED",
    "RTO PROVED",
    "RESTORES",
    "RTO KEPT",
    "LAST TOOK",
    "WORST TOOK",
)


async def report(
    *,
    days: Annotated[
        int, Parameter(help=f"Over how many days until now, 1 to {LONGEST.days}.")
    ] = 30,
    by: Annotated[By, Parameter(help="What makes one row.")] = "criticality",
    namespace: Namespace = "",
    output: Annotated[
        Literal["text", "json", "csv"],
        Parameter(name=("--output", "-o"), help="Text, JSON as REST gives it, or CSV."),
    ] = "text",
) -> None:
    """Report which promises about recovery were kept, by criticality or application."""
    if not 1 <= days <= LONGEST.days:
        raise InvalidInputError(
            f"there is no report over {days} days", next_step=f"Say --days 1 to {LONGEST.days}."
        )
    now = datetime.now(UTC)
    async with Reach.here().bus() as bus:
        records = [
            record
            for record in await applications(bus)
            if record.state == "active" and namespace in {"", record.app.namespace}
        ]
        runs = [row_of(run) for run in await all_runs(bus)]
        span = span_of(now - timedelta(days=days), now, now)
        told = await objectives(bus, records, runs, by=by, span=span, now=now)
    match output:
        case "json":
            say_json(told)
        case "csv":
            say(as_csv(told.items).decode().replace("\r\n", "\n").rstrip())
        case "text":
            say_table(_COLUMNS, [_row(row) for row in told.items], empty="no application is known")


def _row(row: ObjectiveRow) -> tuple[str, ...]:
    return (
        row.name or "none",
        str(row.applications),
        str(row.promised),
        _part(row.rpo_kept),
        _lasting(row.rpo_broken_s) if row.promised else "",
        str(row.rto_promised),
        str(row.rto_proved),
        str(row.rto_measured),
        _part(row.rto_kept),
        _lasting(row.rto_last_s),
        _lasting(row.rto_worst_s),
    )


def _part(part: float | None) -> str:
    """Write a part as a percentage that never says all where something is missing."""
    if part is None:
        return ""
    return "100 %" if part == 1 else f"{min(part * 100, 99.99):.2f} %"


def _lasting(lasted_s: float | None) -> str:
    if lasted_s is None:
        return ""
    epoch = datetime.fromtimestamp(0, UTC)
    return duration_text(epoch, epoch + timedelta(seconds=lasted_s))
