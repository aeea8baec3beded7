"""Rules that are in force for an application: where each comes from, when it acts next. Pure."""

from datetime import datetime

import msgspec

from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.triggers.upcoming import NEXT_RUNS, NextRuns, next_runs_by


class RuleInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force; `policy` is empty for one of the application's own document.

    `next_times` say when its next runs may begin, `next_runs` also what holds them back until
    then; what waits for something to happen has no times. While the application is paused there
    are none at all.
    """

    rule: Protection
    policy: str
    targets: tuple[str, ...]
    next_times: tuple[datetime, ...]
    next_runs: NextRuns | None


def rules_in_force(record: ApplicationRecord, now: datetime) -> tuple[RuleInForce, ...]:
    """Return the rules by which the planner makes versions of an application."""
    return tuple(
        RuleInForce(
            rule=rule,
            policy=rule.name.partition("/")[0] if "/" in rule.name else "",
            targets=rule.targets or record.targets,
            next_times=next_times(record, rule, now),
            next_runs=next_runs_by(rule, record, now),
        )
        for rule in record.protections
    )


def next_times(
    record: ApplicationRecord, rule: Protection, now: datetime, *, count: int = NEXT_RUNS
) -> tuple[datetime, ...]:
    """Return when the next runs of a rule may begin; it need not be in force yet."""
    found = next_runs_by(rule, record, now, count=count)
    return tuple(run.begins_at for run in found.runs) if found is not None else ()
