"""What a Policy would do before it is applied: whom it matches, and when its rules would act. Pure.

Decided as the planner decides it, on what it keeps about each application.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from appshield.application.facts import facts_of
from appshield.contracts.applications import ApplicationRecord
from appshield.doors.explanation import Document, Rule, explained_rule
from appshield.language.combining import effective_name
from appshield.language.describing import decide
from appshield.language.effective import Outcome
from appshield.language.kinds import Policy
from appshield.language.resolved import ResolvedPolicy
from appshield.language.resolving import resolve_policy


class PreviewedApplication(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy would be for an application.

    `matched` says whether the policy of that name that is in force matches it now; `rules` are
    those that it would get, none where it does not match.
    """

    app_id: str
    namespace: str
    name: str
    outcome: Outcome
    why: str
    matched: bool
    rules: tuple[Rule, ...] = ()


class PolicyPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy would do; counts are of all applications, `applications` may be a part."""

    policy: str
    matches: int
    differs: int
    undecided: int
    applications: tuple[PreviewedApplication, ...]


def preview_policy(
    policy: Policy, records: Iterable[ApplicationRecord], now: datetime, *, limit: int
) -> PolicyPreview:
    """Ask a policy about each active application; those that it matches come first."""
    resolved = resolve_policy(policy)
    decided = [
        (record, decide(resolved.name, resolved.match, facts_of(record)))
        for record in records
        if record.state == "active"
    ]
    order: Sequence[Outcome] = ("matches", "undecided", "differs")
    decided.sort(key=lambda one: (order.index(one[1].outcome), one[0].app))
    counts = {outcome: sum(one.outcome == outcome for _, one in decided) for outcome in order}
    return PolicyPreview(
        policy=resolved.name,
        matches=counts["matches"],
        differs=counts["differs"],
        undecided=counts["undecided"],
        applications=tuple(
            PreviewedApplication(
                app_id=record.app_id,
                namespace=record.app.namespace,
                name=record.app.name,
                outcome=found.outcome,
                why=found.why,
                matched=resolved.name in record.policies,
                rules=_rules(resolved, record, now) if found.outcome == "matches" else (),
            )
            for record, found in decided[:limit]
        ),
    )


def _rules(policy: ResolvedPolicy, record: ApplicationRecord, now: datetime) -> tuple[Rule, ...]:
    """Explain the rules that an application would get; its own of the same name stand in."""
    own = {rule.name for rule in record.own.protections} if record.own else set()
    said = Document(told="", app_id=record.app_id, last_backup_at=record.last_backup_at)
    return tuple(
        explained_rule(
            replace(
                rule,
                name=effective_name(policy.name, rule.name),
                targets=rule.targets or policy.targets or record.targets,
            ),
            f"policy {policy.name}",
            now,
            said,
        )
        for rule in policy.protect
        if rule.name not in own
    )
