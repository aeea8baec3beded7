"""What is kept of the objects of a cluster for the health of applications: very little of each.

Of kinds that say how they are, the whole object is looked at as it comes and judged at once; of all
others the metadata. A change tells in which namespace something is another way now.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import msgspec

from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    NAMESPACE,
    POD,
    PVC,
    REPLICA_SET,
    SERVICE,
    STATEFUL_SET,
)
from appshield.manifests.kinds import BUILT_IN_GROUPS
from appshield.manifests.objects import (
    Reference,
    controller_of,
    labels_of,
    metadata,
    reference_of,
)
from appshield.manifests.references import references
from appshield.watcher.assessing import HealthRule, assess
from appshield.watcher.folding import Known, Seen

JUDGED = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB, POD, PVC, SERVICE)
ALWAYS = (*JUDGED, REPLICA_SET, NAMESPACE)
"""Kinds that are needed as soon as there is an application."""
_WHY_CHARACTERS_MAX = 300

Sighting = tuple[Reference, Seen]
Rules = Callable[[Kind], Sequence[HealthRule]]


def is_judged(kind: Kind) -> bool:
    """Say whether objects of a kind are looked at as a whole."""
    return kind in JUDGED or kind.group not in BUILT_IN_GROUPS


class Sightings:
    """The objects of a cluster, by namespace."""

    def __init__(self, changed: Callable[[str], None], rules: Rules) -> None:
        self._changed = changed
        self._rules = rules
        self._objects: dict[str, dict[Reference, Seen]] = {}
        self._unknown: set[tuple[str, str]] = set()
        self.judged = Looking(self, metadata_only=False)
        self.named = Looking(self, metadata_only=True)

    def looking(self, kind: Kind) -> "Looking":
        """Return who follows a kind."""
        return self.judged if is_judged(kind) else self.named

    def of(self, namespace: str, unread: frozenset[tuple[str, str]] = frozenset()) -> Known:
        """Return what is known in a namespace; nothing is of `unread` kinds."""
        inside, outside = self._objects.get(namespace, {}), self._objects.get("", {})
        both: Mapping[Reference, Seen] = dict(chain(outside.items(), inside.items()))
        return Known(both, frozenset(self._unknown) | unread)

    def namespace(self, name: str) -> Seen | None:
        """Return what is kept of a namespace, None when it is not there."""
        return self._objects.get("", {}).get(Reference("", "Namespace", "", name))

    def is_unknown(self, kind: Kind) -> bool:
        """Say whether a kind that was followed is served no more."""
        return (kind.group, kind.kind) in self._unknown

    def see(self, kind: Kind, obj: Object) -> Sighting:
        """Return what is kept of an object."""
        assessment = None
        refers_to: tuple[Reference, ...] = ()
        if is_judged(kind):
            assessment = assess(obj, self._rules(kind))
            assessment = msgspec.structs.replace(
                assessment, why=assessment.why[:_WHY_CHARACTERS_MAX]
            )
            refers_to = tuple(edge.to for edge in references(obj) if not edge.optional)
        meta = metadata(obj)
        seen = Seen(
            uid=str(meta.get("uid") or ""),
            labels=labels_of(obj),
            controller=controller_of(obj),
            assessment=assessment,
            refers_to=refers_to,
            going=bool(meta.get("deletionTimestamp")),
        )
        return reference_of(obj), seen

    def replace(self, kind: Kind, found: list[Sighting]) -> None:
        """Take all objects of a kind."""
        self._unknown.discard((kind.group, kind.kind))
        present = dict(found)
        for objects in list(self._objects.values()):
            for reference in [one for one in objects if _is_of(one, kind)]:
                if reference not in present:
                    self.forget(reference)
        for reference, seen in found:
            self.remember(reference, seen)
        self._changed("")

    def remember(self, reference: Reference, seen: Seen) -> None:
        """Take one object."""
        objects = self._objects.setdefault(reference.namespace, {})
        if objects.get(reference) != seen:
            objects[reference] = seen
            self._tell(reference)

    def forget(self, reference: Reference) -> None:
        """Take that an object is gone."""
        objects = self._objects.get(reference.namespace, {})
        if objects.pop(reference, None) is not None:
            self._tell(reference)
        if not objects:
            self._objects.pop(reference.namespace, None)

    def lose(self, kind: Kind) -> None:
        """Take that nothing is known of a kind."""
        self._unknown.add((kind.group, kind.kind))
        self._changed("")

    def _tell(self, reference: Reference) -> None:
        is_namespace = (reference.group, reference.kind) == ("", "Namespace")
        self._changed(reference.name if is_namespace else reference.namespace)


class Looking:
    """The follower of judged kinds, or of those whose metadata is enough."""

    def __init__(self, sightings: Sightings, *, metadata_only: bool) -> None:
        self._sightings = sightings
        self.metadata_only = metadata_only

    def keep(self, kind: Kind, obj: Object) -> Sighting:
        """See `Follower`."""
        return self._sightings.see(kind, obj)

    async def replace(self, kind: Kind, kept: list[Sighting]) -> None:
        """See `Follower`."""
        self._sightings.replace(kind, kept)

    async def changed(self, _kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        self._sightings.remember(*kept)

    async def deleted(self, _kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        self._sightings.forget(kept[0])

    async def unknown(self, kind: Kind) -> None:
        """See `Follower`."""
        self._sightings.lose(kind)


def _is_of(reference: Reference, kind: Kind) -> bool:
    return (reference.group, reference.kind) == (kind.group, kind.kind)
