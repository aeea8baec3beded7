"""Structured logs: JSON lines for machines, readable lines for a person at a terminal.

Secrets never reach a log: values under telling names are replaced whatever code says, and a
traceback shows no variables.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import msgspec
import structlog

LogFormat = Literal["json", "console"]

_TELLING = ("password", "secret", "token", "credential", "authorization", "root_key", "seed")
_HIDDEN = "[hidden]"


def set_up_logs(service: str, *, form: LogFormat = "json", level: str = "info") -> None:
    """Send structlog's and the standard library's lines to standard error, in one form."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, *_rendering(form)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


def _rendering(form: LogFormat) -> list[Any]:
    if form == "console":
        plain = structlog.dev.plain_traceback  # others show what every variable holds
        colors = sys.stderr.isatty()
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def _to_json(value: Any, **_: Any) -> str:  # noqa: ANN401  whatever a line holds
    return msgspec.json.encode(value, enc_hook=str).decode()


def _hide_secrets(
    _logger: Any,  # noqa: ANN401  structlog's own type
    _method: str,
    line: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    for name in line:
        if any(part in name.lower() for part in _TELLING):
            line[name] = _HIDDEN
    return line
