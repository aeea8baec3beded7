"""Cron expressions: five fields or an alias, checked, and the moments they name.

Daylight saving follows Debian's cron, as cronsim does: a job at 02:30 runs at 03:00 in the night
that has no 02:30, and once in the night that has two; a job of every half hour runs in both.
Moments are returned in UTC, where they compare and subtract without surprises.
"""

import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from appshield.errors import InvalidInputError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = ("minute", "hour", "day of month", "month", "day of week")
EXPRESSION_MAX = 120

_CRONSIM_FIELDS = {
    "Bad minute": "minute (0-59)",
    "Bad hour": "hour (0-23)",
    "Bad day-of-month": "day of month (1-31)",
    "Bad month": "month (1-12)",
    "Bad day-of-week": "day of week (0-7, 0 and 7 are Sunday)",
}
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_EXAMPLE = 'Write for example "30 2 * * *" or @daily.'


def zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Raises:
        InvalidInputError: no time zone has that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"{name[:60]!r} is not a time zone", next_step="Write for example Europe/Berlin or UTC."
        ) from error


@functools.lru_cache(maxsize=4096)
def expanded(text: str) -> str:
    """Return the five fields of an expression that is known to fire.

    Raises:
        InvalidInputError: it is no cron expression, or names a moment that never comes.
    """
    if text.startswith("@"):
        if text not in ALIASES:
            raise InvalidInputError(
                f"{text[:60]!r} is not a schedule", next_step=f"Write one of {', '.join(ALIASES)}."
            )
        return ALIASES[text]
    parts = text.split() if len(text) <= EXPRESSION_MAX else []
    if len(parts) != len(FIELDS):
        raise InvalidInputError(
            f"a schedule has five fields ({', '.join(FIELDS)}), this has {len(parts)}",
            next_step=_EXAMPLE,
        )
    _require_fields(parts)
    _require_days(" ".join(parts[2:]))
    return " ".join(parts)


def moments(text: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments strictly after one, in UTC and in order."""
    return _moments(text, timezone, after, backwards=False)


def moments_before(text: str, timezone: str, before: datetime) -> Iterator[datetime]:
    """Yield the moments strictly before one, in UTC, the newest first."""
    return _moments(text, timezone, before, backwards=True)


def _moments(text: str, timezone: str, start: datetime, *, backwards: bool) -> Iterator[datetime]:
    local = start.astimezone(zone(timezone))
    bound = start.astimezone(UTC)
    for moment in CronSim(expanded(text), local, reverse=backwards):
        at = moment.astimezone(UTC)
        # In a night that has one hour twice cronsim may name a moment on the wrong side.
        if at < bound if backwards else at > bound:
            yield at
            bound = at


def _require_fields(parts: list[str]) -> None:
    """Refuse a field that is wrong in itself: each is tried with stars for the others."""
    for index, part in enumerate(parts):
        alone = ["*"] * len(parts)
        alone[index] = part
        try:
            CronSim(" ".join(alone), _SOME_DAY)
        except (CronSimError, ValueError, OverflowError) as error:
            name = _CRONSIM_FIELDS.get(str(error), FIELDS[index])
            raise InvalidInputError(
                f"{part[:40]!r} does not fit the field {name}", next_step=_EXAMPLE
            ) from error


@functools.lru_cache(maxsize=4096)
def _require_days(days: str) -> None:
    """Refuse days that no calendar has, such as the 31st of February."""
    try:
        comes = next(CronSim(f"0 0 {days}", _SOME_DAY), None)
    except (CronSimError, ValueError, OverflowError):
        comes = None
    if comes is None:
        raise InvalidInputError(
            f"this schedule never comes: no calendar has the days {days!r}",
            next_step="Change day of month, month or day of week.",
        )
