"""Rules that are in force for an application: where each comes from, when it acts next. Pure."""

from datetime import datetime

import msgspec

from appshield.application.times import jitter_key, rpo_due_at, schedule_of
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.language.scheduling import upcoming

NEXT_TIMES = 3


class RuleInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force; `policy` is empty for one of the application's own document.

    `next_times` are those of a schedule, or when an rpo needs its next version if anything
    changed; what waits for something to happen has none. While the application is paused there are
    none at all.
    """

    rule: Protection
    policy: str
    targets: tuple[str, ...]
    next_times: tuple[datetime, ...]


def rules_in_force(record: ApplicationRecord, now: datetime) -> tuple[RuleInForce, ...]:
    """Return the rules by which the planner makes versions of an application."""
    return tuple(
        RuleInForce(
            rule=rule,
            policy=rule.name.partition("/")[0] if "/" in rule.name else "",
            targets=rule.targets or record.targets,
            next_times=next_times(record, rule, now),
        )
        for rule in record.protections
    )


def next_times(
    record: ApplicationRecord, rule: Protection, now: datetime, *, count: int = NEXT_TIMES
) -> tuple[datetime, ...]:
    """Return when a rule acts next; it need not be in force yet."""
    if record.paused is not None or record.state != "active":
        return ()
    if rule.trigger == "schedule":
        return upcoming(schedule_of(rule), now, count=count, key=jitter_key(record, rule))
    if rule.trigger == "rpo":
        return (max(rpo_due_at(record, rule) or now, now),)
    return ()
