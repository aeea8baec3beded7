"""Which annotations policies ask for: no other leaves the cluster with a fact.

People keep all kinds of things in annotations, secrets too. So the fact about an Application
carries just those that the expression of some policy names; an expression that goes through all of
them has all of them told.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from appshield.kubernetes import Object
from appshield.language.describing import visible_annotations
from appshield.language.expression_tree import Read
from appshield.language.expressions import MATCH
from appshield.language.in_force import policy_in_force
from appshield.watcher.surroundings import Changed

EVERYWHERE = ""
_ANNOTATIONS = ("app", "annotations")


class Sink(Protocol):
    """Who is told of policies after this."""

    async def replace(self, objects: list[Object]) -> None:
        """Take the complete set."""

    async def changed(self, obj: Object) -> None:
        """Take an object that was added or modified."""

    async def deleted(self, obj: Object) -> None:
        """Take the last state of an object that is gone."""


class AskedAnnotations:
    """Stands before the sink of the watch on policies.

    Applications are looked at again before a policy is told, so that whoever hears of the policy
    knows of them what it asks for.
    """

    def __init__(self, told: Sink, changed: Changed) -> None:
        self.listed = asyncio.Event()
        self._told = told
        self._changed = changed
        self._reads: dict[str, frozenset[Read]] = {}

    def of(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Return those of an Application's annotations that some policy asks for."""
        reads = frozenset().union(*self._reads.values())
        visible = visible_annotations(annotations)
        if any(read == _ANNOTATIONS[: len(read)] for read in reads):
            return visible
        names = {read[2] for read in reads if read[:2] == _ANNOTATIONS}
        return {name: text for name, text in visible.items() if name in names}

    async def replace(self, objects: list[Object]) -> None:
        """See `Sink`."""
        await self._take({obj["metadata"]["uid"]: _reads(obj) for obj in objects})
        self.listed.set()
        await self._told.replace(objects)

    async def changed(self, obj: Object) -> None:
        """See `Sink`."""
        await self._take({**self._reads, obj["metadata"]["uid"]: _reads(obj)})
        await self._told.changed(obj)

    async def deleted(self, obj: Object) -> None:
        """See `Sink`."""
        await self._told.deleted(obj)
        uid = obj["metadata"]["uid"]
        await self._take({other: reads for other, reads in self._reads.items() if other != uid})

    async def _take(self, reads: dict[str, frozenset[Read]]) -> None:
        before, self._reads = self._reads, reads
        if set(before.values()) != set(reads.values()):
            await self._changed(EVERYWHERE)


def _reads(obj: Object) -> frozenset[Read]:
    """Return what the expression of the policy in force reads of an application's annotations."""
    policy, _ = policy_in_force(obj)
    if policy is None:
        return frozenset()
    reads = MATCH.condition(policy.spec.match).reads  # it was checked with the document
    return frozenset(read for read in reads if read[:2] == _ANNOTATIONS[: len(read)])
