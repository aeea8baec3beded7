"""What protects an application in effect: its own rules, and those of the policies that match it.

Values of these types are made by `combining`, which states the rules. Everything says where it
comes from: `policy` is the name of a policy, and empty for the application's own document.
"""

from typing import Literal

from appshield.language.resolved import (
    Resolved,
    ResolvedProtection,
    ResolvedReaction,
    ResolvedVerify,
)

Outcome = Literal["matches", "differs", "undecided"]
Objective = Literal["rpo", "rto"]
FindingKind = Literal["overridden", "same", "conflict", "looser", "targets"]


class PolicyMatch(Resolved, frozen=True, kw_only=True):
    """Whether a policy is for the application.

    `why` names what decided: the values that the expression read, and if it differs the part that
    does not hold; of an undecided one, why it has no answer. An undecided policy does not apply.
    """

    policy: str
    outcome: Outcome
    why: str


class EffectiveRule(Resolved, frozen=True, kw_only=True):
    """A rule in force; `rule.name` is its name in effect, `rule.targets` are never empty."""

    policy: str
    rule: ResolvedProtection


class EffectiveReaction(Resolved, frozen=True, kw_only=True):
    """A reaction in force."""

    policy: str
    reaction: ResolvedReaction


class EffectiveVerify(Resolved, frozen=True, kw_only=True):
    """A verification in force."""

    policy: str
    verify: ResolvedVerify


class EffectiveAlert(Resolved, frozen=True, kw_only=True):
    """People are told when it takes longer than promised.

    rpo: the newest version is older than `promised_s`
    rto: the last restore took longer
    """

    policy: str
    about: Objective
    promised_s: int


class Finding(Resolved, frozen=True, kw_only=True):
    """Where documents say something about the same thing: nothing is dropped without one.

    overridden: a rule of the application stands in for that of a policy
    same:       policies ask for one rule in the same words, which is in force once
    conflict:   policies call different rules by one name; all of them are in force
    looser:     an alert gives way to a stricter one
    targets:    policies name different targets for an application that names none; all are used
    """

    kind: FindingKind
    about: str
    policies: tuple[str, ...]
    text: str


class EffectiveProtection(Resolved, frozen=True, kw_only=True):
    """All that protects one application, in the order of the rules of `combining`."""

    policies: tuple[PolicyMatch, ...]
    rules: tuple[EffectiveRule, ...]
    targets: tuple[str, ...]
    targets_from: tuple[str, ...]
    """Policies that named the targets; empty: the application's document, or the default."""
    reactions: tuple[EffectiveReaction, ...]
    verifications: tuple[EffectiveVerify, ...]
    alerts: tuple[EffectiveAlert, ...]
    findings: tuple[Finding, ...]
