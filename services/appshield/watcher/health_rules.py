"""What Profiles say about the health of kinds: the rules in force, by kind.

A changed rule makes objects of its kind be looked at again.
"""

from collections.abc import Callable, Sequence

from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import PROFILE
from appshield.language.expressions import HEALTH
from appshield.language.kinds import HealthOfKind, Profile
from appshield.language.object_reading import read_object
from appshield.language.problems import DocumentError
from appshield.manifests.kinds import matches_kind
from appshield.watcher.assessing import HealthRule, State
from appshield.watcher.informers import Informers

Stated = tuple[str, tuple[HealthOfKind, ...]]
"""The name of a Profile, and what it says about kinds."""


class HealthRules:
    """The follower of Profiles."""

    def __init__(self, informers: Informers, followed: Callable[[], Sequence[Kind]]) -> None:
        self.metadata_only = False
        self._informers = informers
        self._followed = followed
        self._stated: dict[str, tuple[HealthOfKind, ...]] = {}
        self._compiled: dict[Kind, tuple[HealthRule, ...]] = {}

    def follow(self) -> None:
        """Begin to follow Profiles."""
        self._informers.follow(PROFILE, self)

    def of(self, kind: Kind) -> tuple[HealthRule, ...]:
        """Return the rules for a kind: those of Profiles in the order of their names."""
        known = self._compiled.get(kind)
        if known is None:
            known = self._compiled[kind] = tuple(
                rule
                for _, stated in sorted(self._stated.items())
                for one in stated
                if matches_kind([one.of], kind.group, kind.kind, kind.plural)
                for rule in _rules(one)
            )
        return known

    def keep(self, _kind: Kind, obj: Object) -> Stated:
        """See `Follower`; of a Profile that is refused nothing is kept."""
        name = str(obj["metadata"]["name"])
        try:
            document = read_object(obj)
        except DocumentError:
            return name, ()
        return name, document.spec.health if isinstance(document, Profile) else ()

    async def replace(self, _kind: Kind, kept: list[Stated]) -> None:
        """See `Follower`."""
        self._take(dict(kept))

    async def changed(self, _kind: Kind, kept: Stated) -> None:
        """See `Follower`."""
        self._take({**self._stated, kept[0]: kept[1]})

    async def deleted(self, _kind: Kind, kept: Stated) -> None:
        """See `Follower`."""
        self._take({name: said for name, said in self._stated.items() if name != kept[0]})

    async def unknown(self, _kind: Kind) -> None:
        """See `Follower`: what was said stays true."""

    def _take(self, stated: dict[str, tuple[HealthOfKind, ...]]) -> None:
        before = {kind: self.of(kind) for kind in self._followed()}
        self._stated = stated
        self._compiled = {}
        for kind, rules in before.items():
            if [(one.state, one.condition.text, one.why) for one in rules] != [
                (one.state, one.condition.text, one.why) for one in self.of(kind)
            ]:
                self._informers.read_again(kind)


def _rules(stated: HealthOfKind) -> list[HealthRule]:
    texts: list[tuple[State, str | None]] = [
        ("Degraded", stated.degraded),
        ("Progressing", stated.progressing),
        ("Healthy", stated.healthy),
    ]
    return [
        HealthRule(state, HEALTH.condition(text), stated.why or "") for state, text in texts if text
    ]
