"""The health of applications in words. Pure."""

from collections.abc import Iterator

from appshield.cli.output import time_text
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Health

LINE_CHARACTERS = 60


def health_line(record: ApplicationRecord) -> str:
    """Say in a few words how an application is, and the first reason."""
    health = record.health
    if health is None or record.state != "active":
        return ""
    (first, *_) = (*reasons_of(health), "")
    text = ": ".join(filter(None, (health.status, first)))
    return text if len(text) <= LINE_CHARACTERS else f"{text[: LINE_CHARACTERS - 1]}…"


def reasons_of(health: Health | None) -> Iterator[str]:
    """Say why an application is as it is, a line for each object."""
    if health is None:
        return
    if health.deliberate:
        yield f"{health.deliberate}: nothing is brought back by itself"
    for reason in health.reasons:
        yield f"{reason.object}: {reason.why}" if reason.object else reason.why
    if (more := health.reasons_total - len(health.reasons)) > 0:
        yield f"and {more} more"


def since_text(health: Health) -> str:
    """Say how an application is and since when."""
    return f"{health.status} since {time_text(health.since)}"
