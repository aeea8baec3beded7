"""Which policies match which applications: an index that evaluates each expression seldom.

Policies that read the same attributes share a view of the applications: those with equal values of
these attributes are one group, and an expression is evaluated once for a group. What changes is
evaluated anew and nothing else: a changed application where its values are new to a view, a changed
policy once for each group. Expressions are compiled when they come in, never again.
"""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from appshield.language.describing import read_value
from appshield.language.expression_errors import UndecidedError
from appshield.language.expression_tree import Read
from appshield.language.expression_values import AppFacts
from appshield.language.expressions import MATCH, Condition, Values

Key = TypeVar("Key", bound=Hashable)


class _Group(Generic[Key]):
    """Applications that look the same in one view, and what policies say about them."""

    def __init__(self, seen: Hashable) -> None:
        self.seen = seen
        self.members: set[Key] = set()
        self.matching: set[str] = set()
        self.undecided: dict[str, str] = {}

    def decide(self, policy: str, condition: Condition, values: Values) -> None:
        """Ask a policy about the group."""
        try:
            if condition.holds(values):
                self.matching.add(policy)
        except UndecidedError as error:
            self.undecided[policy] = str(error)

    def forget(self, policy: str) -> None:
        """Forget what a policy said."""
        self.matching.discard(policy)
        self.undecided.pop(policy, None)


class _View(Generic[Key]):
    """All applications, by the attributes that some policies read."""

    def __init__(self, reads: frozenset[Read]) -> None:
        self._reads = sorted(reads)
        self.conditions: dict[str, Condition] = {}
        self.groups: dict[Hashable, _Group[Key]] = {}
        self.group_of: dict[Key, _Group[Key]] = {}

    def put(self, key: Key, app: AppFacts, values: Values) -> None:
        """Put an application where its values belong."""
        self.remove(key)
        seen = tuple(read_value(app, read) for read in self._reads)
        group = self.groups.get(seen)
        if group is None:
            group = self.groups[seen] = _Group(seen)
            for policy, condition in self.conditions.items():
                group.decide(policy, condition, values)
        group.members.add(key)
        self.group_of[key] = group

    def remove(self, key: Key) -> None:
        """Take an application out; what is known about a group stays while it has members."""
        group = self.group_of.pop(key, None)
        if group is None:
            return
        group.members.remove(key)
        if not group.members:
            del self.groups[group.seen]


class Matching(Generic[Key]):
    """The index. Applications have a key of the caller's, policies their name."""

    def __init__(self) -> None:
        self._apps: dict[Key, tuple[AppFacts, Values]] = {}
        self._views: dict[frozenset[Read], _View[Key]] = {}
        self._policies: dict[str, Condition] = {}

    def put_application(self, key: Key, app: AppFacts) -> None:
        """Take in a new or changed application."""
        known = self._apps.get(key)
        if known is not None and known[0] == app:
            return
        values = MATCH.values(app=app)
        self._apps[key] = (app, values)
        for view in self._views.values():
            view.put(key, app, values)

    def remove_application(self, key: Key) -> None:
        """Forget an application."""
        if self._apps.pop(key, None) is not None:
            for view in self._views.values():
                view.remove(key)

    def put_policy(self, name: str, match: str) -> None:
        """Take in a new or changed policy.

        Raises:
            ExpressionError: its expression cannot be accepted; the policy is as it was.
        """
        known = self._policies.get(name)
        if known is not None and known.text == match:
            return
        condition = MATCH.condition(match)
        self.remove_policy(name)
        self._policies[name] = condition
        view = self._view(condition.reads)
        view.conditions[name] = condition
        for group in view.groups.values():
            _, values = self._apps[next(iter(group.members))]
            group.decide(name, condition, values)

    def remove_policy(self, name: str) -> None:
        """Forget a policy."""
        condition = self._policies.pop(name, None)
        if condition is None:
            return
        view = self._views[condition.reads]
        del view.conditions[name]
        for group in view.groups.values():
            group.forget(name)
        if not view.conditions:
            del self._views[condition.reads]

    def policies_of(self, key: Key) -> tuple[str, ...]:
        """Name the policies that match an application, in their order."""
        names: list[str] = []
        for view in self._views.values():
            if group := view.group_of.get(key):
                names += group.matching
        return tuple(sorted(names))

    def undecided_of(self, key: Key) -> dict[str, str]:
        """Name the policies that have no answer for an application, each with the reason."""
        undecided: dict[str, str] = {}
        for view in self._views.values():
            if (group := view.group_of.get(key)) and group.undecided:
                undecided |= group.undecided
        return undecided

    def applications_of(self, policy: str) -> set[Key]:
        """Return the applications that a policy matches."""
        groups = self._groups_in_view(policy)
        return {key for group in groups if policy in group.matching for key in group.members}

    def undecided_by(self, policy: str) -> dict[Key, str]:
        """Return the applications for which a policy has no answer, each with the reason."""
        return {
            key: group.undecided[policy]
            for group in self._groups_in_view(policy)
            if policy in group.undecided
            for key in group.members
        }

    def _view(self, reads: frozenset[Read]) -> _View[Key]:
        view = self._views.get(reads)
        if view is None:
            view = self._views[reads] = _View(reads)
            for key, (app, values) in self._apps.items():
                view.put(key, app, values)
        return view

    def _groups_in_view(self, policy: str) -> Iterable[_Group[Key]]:
        condition = self._policies.get(policy)
        return () if condition is None else self._views[condition.reads].groups.values()
