"""What a command shows: results on standard output, everything else on standard error.

A terminal gets colours; a pipe gets plain lines. JSON is the contracts' own: lists of records as
they are on the bus, dates in ISO 8601, one document a command (one line an event).
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from appshield.contracts.applications import Pause
from appshield.contracts.runs import Wait

_COLOURS = {
    "succeeded": "green",
    "active": "green",
    "done": "green",
    "ready": "green",
    "failed": "red",
    "damaged": "red",
    "running": "cyan",
    "cancelled": "yellow",
    "orphaned": "yellow",
    "kept": "green",
    "at-risk": "yellow",
    "broken": "red",
    "paused": "yellow",
    "awaiting-approval": "yellow",
}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def quiet_logs() -> None:
    """Let libraries log trouble only, to standard error; a traceback shows no variables."""
    import logging

    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def say(line: str = "") -> None:
    """Write one line of a result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Write one line about the work: no result, so that scripts do not see it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:  # noqa: ANN401  whatever msgspec writes
    """Write a value as an indented JSON document."""
    say(msgspec.json.format(msgspec.json.encode(value)).decode())


def say_json_line(value: Any) -> None:  # noqa: ANN401  as above
    """Write a value as one line of JSON."""
    say(msgspec.json.encode(value).decode())


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Write rows below each other under headings; `empty` is said to the person when none is."""
    if not rows:
        note(empty)
        return
    widths = [max(len(line[at]) for line in (columns, *rows)) for at in range(len(columns))]
    if sys.stdout.isatty():
        _say_coloured(columns, rows)
        return
    for line in (columns, *rows):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        say("  ".join(padded).rstrip())


def say_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Write named values, one a line; empty ones are left out. Without a name it goes on."""
    given = [(name, text) for name, text in fields if text]
    width = max((len(name) for name, _ in given), default=0)
    for name, text in given:
        say(f"{name.ljust(width)}  {text}")


def size_text(size_bytes: int) -> str:
    """Write a size for people: `12.3 MB`, in powers of ten."""
    size, at = float(size_bytes), 0
    while size >= 1000 and at < len(_UNITS) - 1:
        size, at = size / 1000, at + 1
    return f"{size:.0f} {_UNITS[at]}" if at == 0 else f"{size:.1f} {_UNITS[at]}"


def time_text(at: datetime | None) -> str:
    """Write a moment in local time, empty for none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def pause_text(pause: Pause) -> str:
    """Write since when, by whom and why an application is paused."""
    who = f" by {pause.actor}" if pause.actor else ""
    why = f": {pause.reason}" if pause.reason else ""
    return f"since {time_text(pause.at)}{who}{why}"


def wait_text(wait: Wait) -> str:
    """Write why a run does not begin yet, and until when."""
    until = f", until {time_text(wait.until)}" if wait.until else ""
    return f"{wait.reason}: {wait.why}{until}"


def duration_text(since: datetime | None, until: datetime | None) -> str:
    """Write how long something took or has taken so far, empty before it began."""
    if since is None:
        return ""
    seconds = ((until or datetime.now(UTC)) - since).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _say_coloured(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style=_COLOURS.get(text, "")) for text in row))
    Console().print(table)
