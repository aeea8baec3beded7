"""What each policy means for the applications that there are, counted as they change. Pure.

A changed application costs what its own policies are, however many applications there are.
"""

from collections import Counter

import msgspec

from appshield.contracts.applications import ApplicationRecord


class Protected(msgspec.Struct, frozen=True):
    """How many applications a policy matches, and for which it has no answer and why."""

    matched: int
    undecided: dict[str, str]


class _Seen(msgspec.Struct, frozen=True):
    """What an application said of policies when it was counted."""

    app: str
    policies: tuple[str, ...]
    undecided: dict[str, str]


_NOTHING = _Seen("", (), {})


class Matched:
    """The counts of all policies of one cluster, by the name of the policy."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._matched: Counter[str] = Counter()
        self._undecided: dict[str, dict[str, str]] = {}

    def of(self, policy: str) -> Protected:
        """Say what a policy means."""
        return Protected(self._matched[policy], dict(self._undecided.get(policy, {})))

    def take(self, app_id: str, record: ApplicationRecord | None) -> set[str]:
        """Count an application anew, None for one that is gone; name the policies concerned."""
        before = self._seen.pop(app_id, _NOTHING)
        now = _NOTHING
        if record is not None:
            now = _Seen(str(record.app), record.policies, record.undecided)
            self._seen[app_id] = now
        if now == before:
            return set()
        self._matched.subtract(before.policies)
        self._matched.update(now.policies)
        for policy in before.undecided:
            del self._undecided[policy][before.app]
        for policy, why in now.undecided.items():
            self._undecided.setdefault(policy, {})[now.app] = why
        return {*before.policies, *before.undecided, *now.policies, *now.undecided}
