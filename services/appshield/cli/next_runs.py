"""The next runs of a rule, as text for people. Pure."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from appshield.triggers.upcoming import NextRun, NextRuns


def next_runs_text(found: NextRuns) -> str:
    """Write when a rule's next runs begin, each with what holds it back.

    Of a rule that waits for something only what would hold it back now, empty for nothing.
    """
    zone = ZoneInfo(found.timezone)
    if found.if_now is not None:
        why = found.if_now.why
        return f"not before {_time(found.if_now.begins_at, zone)}: {why}" if why else ""
    return ", ".join(_runs(found, zone)) or "never within fifty years"


def _runs(found: NextRuns, zone: ZoneInfo) -> Iterator[str]:
    for run in found.runs:
        yield _time(run.begins_at, zone) + _held(run, zone)


def _held(run: NextRun, zone: ZoneInfo) -> str:
    return f" (due {_time(run.due_at, zone)}; {run.why})" if run.why else ""


def _time(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(sep=" ", timespec="seconds")
