"""The health of applications in words. Pure."""

from collections.abc import Iterator

import msgspec

from appshield.cli.output import time_text
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Health, Reacted
from appshield.language.values import duration

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


def reactions_of(record: ApplicationRecord) -> Iterator[str]:
    """Say what is done about an application and how far that is, a line for each reaction."""
    known = {state.digest: state for state in record.reacted}
    for reaction in record.reactions:
        state = known.get(reaction.digest, Reacted(digest=reaction.digest))
        lasting = f" for {duration(reaction.lasts_s)}" if reaction.lasts_s else ""
        does = msgspec.to_builtins(reaction.action)["type"]
        yield f"reaction of {reaction.policy}: {does} when {reaction.when}{lasting}{_so_far(state)}"


def _so_far(state: Reacted) -> str:
    acted = f", acted at {time_text(state.acted_at[-1])}" if state.acted_at else ""
    if state.problem:
        return f"{acted}; {state.problem}"
    if state.held_since is not None and not state.done:
        return f"{acted}; it holds since {time_text(state.held_since)}"
    return acted


def since_text(health: Health) -> str:
    """Say how an application is and since when."""
    return f"{health.status} since {time_text(health.since)}"
