"""Policies with the applications that they match. Pure."""

from collections.abc import Iterable

import msgspec

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, what it matches, and where it has no answer.

    `undecided` gives the reason for each application.
    """

    policy: PolicyRecord
    applications: tuple[str, ...]
    undecided: dict[str, str]


def policy_view(policy: PolicyRecord, active: Iterable[ApplicationRecord]) -> PolicyView:
    """Say which of the active applications a policy matches."""
    name = policy.app.name
    here = [one for one in active if one.app.cluster == policy.app.cluster]
    return PolicyView(
        policy=policy,
        applications=tuple(str(one.app) for one in here if name in one.policies),
        undecided={str(one.app): one.undecided[name] for one in here if name in one.undecided},
    )
