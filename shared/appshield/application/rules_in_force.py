"""Rules in force for an application by the policies themselves, before its record says so. Pure.

Records follow a policy one by one (ADR 62). Whoever decides by rules brings together what the
record says of the application and what the policies say, as the planner does (ADR 74).
"""

from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import replace

from appshield.application.facts import facts_of
from appshield.contracts.applications import ApplicationRecord, OwnProtection, Protection
from appshield.contracts.policies import PolicyRecord
from appshield.language.combining import CombinedRules, Offer, combine_rules
from appshield.language.expression_errors import ExpressionError, UndecidedError
from appshield.language.expressions import MATCH, Condition, Values


class OfferedRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy offers of the rules that are asked for, and to whom."""

    policy: str
    match: str
    rules: tuple[Protection, ...]
    targets: tuple[str, ...]


class RulesInForce:
    """The rules for which `wanted` holds; `complete` once all policies were taken in."""

    def __init__(self, wanted: Callable[[Protection], bool]) -> None:
        self._wanted = wanted
        self._offered: dict[str, tuple[OfferedRules, Condition]] = {}
        self.complete = False

    def take(self, key: str, policy: PolicyRecord | None) -> bool:
        """Take in a policy, None when it is gone; say whether other rules are offered now.

        A document that is not in force yet leaves the one before it, if that is known.
        """
        if policy is not None and policy.in_force_since is None and self.complete:
            return False
        before = self._offered.pop(key, None)
        if policy is not None and (offered := self._offer_of(policy)) is not None:
            self._offered[key] = offered
        now = self._offered.get(key)
        return (before and before[0]) != (now and now[0])

    def offers(self) -> list[OfferedRules]:
        """List what policies offer, to whomever."""
        return [offered for offered, _ in self._offered.values()]

    def of(self, record: ApplicationRecord) -> tuple[Protection, ...]:
        """Return the rules in force for an application, whose record may be behind."""
        if record.state != "active":
            return ()
        own = own_protection(record)
        if not self._offered and not any(map(self._wanted, own.protections)):
            return ()
        values = MATCH.values(app=facts_of(record))
        matching = [one for one, condition in self._offered.values() if _holds(condition, values)]
        offers = [offer(one.policy, one.rules, one.targets) for one in matching]
        return tuple(rule for _, rule in combine(own, offers).rules if self._wanted(rule))

    def _offer_of(self, policy: PolicyRecord) -> tuple[OfferedRules, Condition] | None:
        rules = tuple(filter(self._wanted, policy.protections))
        if not rules or not policy.match:
            return None
        try:
            condition = MATCH.condition(policy.match)
        except ExpressionError:  # of another version of the language; the planner says so
            return None
        name, targets = policy.app.name, policy.targets
        offered = OfferedRules(policy=name, match=policy.match, rules=rules, targets=targets)
        return offered, condition


def own_protection(record: ApplicationRecord) -> OwnProtection:
    """Return what an application's document says by itself."""
    return record.own or OwnProtection(protections=record.protections, targets=record.targets)


def offer(policy: str, rules: Iterable[Protection], targets: tuple[str, ...]) -> Offer[Protection]:
    """Return what a policy asks for; its rules go where it says, unless they say so themselves."""
    completed = tuple(replace(rule, targets=rule.targets or targets) for rule in rules)
    return Offer(policy=policy, rules=completed, targets=targets)


def combine(own: OwnProtection, offers: list[Offer[Protection]]) -> CombinedRules[Protection]:
    """Bring an application's own rules together with those of the policies that match it."""
    mine = Offer(policy="", rules=own.protections, targets=own.targets)
    return combine_rules(mine, offers, _completed)


def _completed(rule: Protection, name: str, targets: tuple[str, ...]) -> Protection:
    return replace(rule, name=name, targets=targets)


def _holds(condition: Condition, values: Values) -> bool:
    try:
        return condition.holds(values)
    except UndecidedError:
        return False
