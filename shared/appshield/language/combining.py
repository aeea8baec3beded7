"""How policies and an application's own document come together. Pure; ADR 16 has the reasons.

1.  Policies apply in the order of their names; that order decides what is shown first, and no more.
2.  All rules of the application and of every policy that matches are in force. A policy's rule is
    called POLICY/RULE in effect, so that rules of different policies never meet in a name.
3.  A rule of the application stands in for each policy's rule of the same RULE name (overridden).
4.  Rules that several policies state in the same words are one rule, of the first policy (same).
5.  Different rules that policies call by one name are all in force, and this is told (conflict).
6.  A rule's targets are its own, else those of its policy, else the application's. The
    application's are those of its document, else all that the policies name (targets), else the
    default.
7.  Every reaction and every verification is in force; the same one of several policies once.
8.  Of alerts about the same thing the strictest is in force (looser).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from appshield.language import defaults
from appshield.language.effective import (
    EffectiveAlert,
    EffectiveProtection,
    EffectiveReaction,
    EffectiveRule,
    EffectiveVerify,
    Finding,
    Objective,
    PolicyMatch,
)
from appshield.language.kinds import Application
from appshield.language.resolved import ResolvedPolicy, ResolvedProtection
from appshield.language.resolving import resolve_protection
from appshield.language.values import duration


class Rule(Protocol):
    """A rule as documents state it: equal to one that says the same; targets may be empty."""

    @property
    def name(self) -> str:
        """Its name in its document."""
        ...

    @property
    def targets(self) -> tuple[str, ...]:
        """The Vaults that it names."""
        ...


RuleT = TypeVar("RuleT", bound=Rule)
T = TypeVar("T")
Completed = Callable[[RuleT, str, tuple[str, ...]], RuleT]
"""Gives a rule its name and its targets in effect."""


class Offer(msgspec.Struct, Generic[RuleT], frozen=True, kw_only=True):
    """What a policy that matches, or the application's document, asks for."""

    policy: str
    rules: tuple[RuleT, ...]
    targets: tuple[str, ...]


class CombinedRules(msgspec.Struct, Generic[RuleT], frozen=True, kw_only=True):
    """Rules in force, each with the policy that it comes from, and the application's targets."""

    rules: tuple[tuple[str, RuleT], ...]
    targets: tuple[str, ...]
    targets_from: tuple[str, ...]
    findings: tuple[Finding, ...]


def effective_name(policy: str, rule: str) -> str:
    """Name a policy's rule in effect; a rule of the application keeps its name."""
    return f"{policy}/{rule}" if policy else rule


def combine_rules(
    own: Offer[RuleT], policies: Sequence[Offer[RuleT]], completed: Completed[RuleT]
) -> CombinedRules[RuleT]:
    """Bring rules and targets together; the order of `policies` does not matter."""
    ordered = sorted(policies, key=lambda offer: offer.policy)
    targets, targets_from = _targets(own, ordered)
    findings = list(_target_findings(targets_from, ordered))
    rules = [("", completed(rule, rule.name, rule.targets or targets)) for rule in own.rules]
    for name, group in _by_name(ordered):
        if any(rule.name == name for rule in own.rules):
            findings.append(_overridden(name, tuple(policy for policy, _ in group)))
            continue
        different = _once(group)
        findings += _equal_names(name, group, different)
        rules += [
            (policy, completed(rule, effective_name(policy, name), rule.targets or targets))
            for policy, rule in different
        ]
    places = {offer.policy: place for place, offer in enumerate(ordered)}
    rules.sort(key=lambda one: places.get(one[0], -1))
    return CombinedRules(
        rules=tuple(rules),
        targets=targets,
        targets_from=targets_from,
        findings=tuple(findings),
    )


def combine(
    application: Application, decided: Sequence[tuple[ResolvedPolicy, PolicyMatch]]
) -> EffectiveProtection:
    """Return what protects an application, given every policy and whether it matches."""
    spec = application.spec
    ordered = sorted(decided, key=lambda one: one[0].name)
    matching = [policy for policy, match in ordered if match.outcome == "matches"]
    own = Offer(
        policy="",
        rules=tuple(resolve_protection(rule, ()) for rule in spec.protect),
        targets=spec.targets,
    )
    combined = combine_rules(own, [_offer(policy) for policy in matching], _completed)
    alerts, looser = [], []
    for about in get_args(Objective):
        strictest, weaker = _strictest(matching, about)
        alerts += strictest
        looser += weaker
    reactions = [(policy.name, reaction) for policy in matching for reaction in policy.react]
    verifications = [(policy.name, policy.verify) for policy in matching if policy.verify]
    return EffectiveProtection(
        policies=tuple(match for _, match in ordered),
        rules=tuple(EffectiveRule(policy=policy, rule=rule) for policy, rule in combined.rules),
        targets=combined.targets,
        targets_from=combined.targets_from,
        reactions=tuple(
            EffectiveReaction(policy=policy, reaction=reaction)
            for policy, reaction in _once(reactions)
        ),
        verifications=tuple(
            EffectiveVerify(policy=policy, verify=verify) for policy, verify in _once(verifications)
        ),
        alerts=tuple(alerts),
        findings=(
            *combined.findings,
            *_stated_again("reaction", reactions),
            *_stated_again("verification", verifications),
            *looser,
        ),
    )


def _offer(policy: ResolvedPolicy) -> Offer[ResolvedProtection]:
    return Offer(policy=policy.name, rules=policy.protect, targets=policy.targets)


def _completed(rule: ResolvedProtection, name: str, targets: tuple[str, ...]) -> ResolvedProtection:
    return replace(rule, name=name, targets=targets)


def _targets(
    own: Offer[RuleT], policies: Sequence[Offer[RuleT]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if own.targets:
        return own.targets, ()
    named = tuple(dict.fromkeys(target for offer in policies for target in offer.targets))
    origins = tuple(offer.policy for offer in policies if offer.targets)
    return named or (defaults.TARGET,), origins


def _target_findings(
    targets_from: tuple[str, ...], policies: Sequence[Offer[RuleT]]
) -> Iterator[Finding]:
    named = {offer.targets for offer in policies if offer.policy in targets_from}
    if len(named) > 1:
        text = f"{_listed(targets_from)} name different targets; all of them are used"
        yield Finding(kind="targets", about="targets", policies=targets_from, text=text)


def _by_name(
    policies: Sequence[Offer[RuleT]],
) -> Iterator[tuple[str, list[tuple[str, RuleT]]]]:
    groups: dict[str, list[tuple[str, RuleT]]] = {}
    for offer in policies:
        for rule in offer.rules:
            groups.setdefault(rule.name, []).append((offer.policy, rule))
    yield from groups.items()


def _overridden(name: str, policies: tuple[str, ...]) -> Finding:
    text = f"the application's own rule {name} stands in for that of {_listed(policies)}"
    return Finding(kind="overridden", about=name, policies=policies, text=text)


def _equal_names(
    name: str, group: Sequence[tuple[str, RuleT]], different: Sequence[tuple[str, RuleT]]
) -> Iterator[Finding]:
    yield from _stated_again(f"rule {name}", group)
    if len(different) > 1:
        policies = tuple(policy for policy, _ in different)
        text = f"{_listed(policies)} call different rules {name}; all of them are in force"
        yield Finding(kind="conflict", about=f"rule {name}", policies=policies, text=text)


def _stated_again(what: str, stated: Sequence[tuple[str, T]]) -> Iterator[Finding]:
    """Tell of each statement that several policies make in the same words."""
    for first, one in _once(stated):
        policies = tuple(dict.fromkeys(policy for policy, other in stated if other == one))
        if len(policies) > 1:
            text = f"{_listed(policies)} state the same {what}; it is in force once, as {first}'s"
            yield Finding(kind="same", about=what, policies=policies, text=text)


def _once(stated: Sequence[tuple[str, T]]) -> list[tuple[str, T]]:
    """Return each different statement with the first policy that makes it."""
    found: list[tuple[str, T]] = []
    for policy, one in stated:
        if all(other != one for _, other in found):
            found.append((policy, one))
    return found


def _strictest(
    policies: Sequence[ResolvedPolicy], about: Objective
) -> tuple[list[EffectiveAlert], list[Finding]]:
    promised = {
        policy.name: policy.rpo_alert_s if about == "rpo" else policy.rto_alert_s
        for policy in policies
    }
    asked = [(allowed_s, name) for name, allowed_s in promised.items() if allowed_s]
    if not asked:
        return [], []
    strictest, name = min(asked)
    looser = tuple(policy for allowed, policy in asked if allowed > strictest)
    text = (
        f"the alert of {name} about {about.upper()} after {duration(strictest)} "
        f"is stricter than of {_listed(looser)}"
    )
    told = [Finding(kind="looser", about=f"alerts.{about}", policies=looser, text=text)]
    alert = EffectiveAlert(policy=name, about=about, promised_s=strictest)
    return [alert], told if looser else []


def _listed(policies: Sequence[str]) -> str:
    *first, last = policies or ("nobody",)
    return f"{', '.join(first)} and {last}" if first else last
