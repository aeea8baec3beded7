"""When a person means: a time, or a duration before now. Pure."""

from datetime import datetime, timedelta

from appshield.errors import InvalidInputError
from appshield.language.values import seconds


def moment(text: str, now: datetime) -> datetime:
    """Read `30m`, `7d` (before `now`) or a time with its zone, such as `2026-11-29T12:00Z`.

    Raises:
        InvalidInputError: it is neither, or a time without a zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - timedelta(seconds=seconds(text))
        except (InvalidInputError, OverflowError):
            raise _unclear(text, "it is neither a duration nor a time") from None
    if at.tzinfo is None:
        raise _unclear(text, "it has no time zone")
    return at


def _unclear(text: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{text[:60]!r} names no time",
        why=why,
        next_step="Write for example 30m, 7d or 2026-11-29T12:00Z.",
    )
