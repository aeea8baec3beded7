"""Which annotations documents ask for: no other leaves the cluster with a fact.

People keep all kinds of things in annotations, secrets too. So the fact about an Application
carries just those that an expression of some policy, or of its own document, names; an expression
that goes through all of them has all of them told.
"""

import asyncio
from typing import Protocol

from appshield.kubernetes import Object
from appshield.language.describing import asked_annotations, chosen_annotations
from appshield.language.expression_tree import Read
from appshield.language.in_force import policy_in_force
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve_policy
from appshield.watcher.volumes import Changed

EVERYWHERE = ""


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
        self._seen: frozenset[Read] = frozenset()

    def of(self, application: ResolvedApplication) -> dict[str, str]:
        """Return those of an Application's annotations that some document asks for."""
        reads = asked_annotations(application) | _asked(self._reads)
        return chosen_annotations(application.annotations, reads)

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
        self._reads = reads
        asked = _asked(reads)
        if asked != self._seen:
            await self._changed(EVERYWHERE)
            self._seen = asked  # only now: whoever cannot be told is told when this comes again


def _asked(reads: dict[str, frozenset[Read]]) -> frozenset[Read]:
    """Return what some policy asks for."""
    return frozenset[Read]().union(*reads.values())


def _reads(obj: Object) -> frozenset[Read]:
    """Return what the policy in force asks for; its expressions were checked with the document."""
    policy, _ = policy_in_force(obj)
    return frozenset() if policy is None else asked_annotations(resolve_policy(policy))
