"""Which applications have gates, and so in which namespaces operations wait."""

import asyncio
from collections.abc import AsyncIterator

from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.gates import Operation
from appshield.contracts.identities import AppRef


class GatedApplications:
    """The gated applications of one cluster, as the registry knows them."""

    def __init__(self, records: Watchable[ApplicationRecord], cluster: str) -> None:
        self._records = records
        self._cluster = cluster
        self._held: dict[str, tuple[AppRef, frozenset[str]]] = {}

    async def changes(self, stopping: asyncio.Event) -> AsyncIterator[None]:
        """Give a turn when all is known, and whenever a gate comes, changes or goes."""
        known = False
        async for change in self._records.watch(stopping=stopping):
            before = self._held.pop(change.key, None)
            record = change.value
            ours = record is not None and record.app.cluster == self._cluster
            if record is not None and ours and (operations := _held_by(record)):
                self._held[change.key] = (record.app, operations)
            first = not change.key and not known
            known = known or not change.key
            if known and (first or before != self._held.get(change.key)):
                yield

    @property
    def any(self) -> bool:
        """Whether any application has a gate."""
        return bool(self._held)

    def is_gated(self, namespace: str) -> bool:
        """Say whether anything waits in a namespace."""
        return any(app.namespace == namespace for app, _ in self._held.values())

    def of(self, namespace: str, operation: Operation) -> list[AppRef]:
        """List the applications of a namespace of which an operation waits."""
        return [
            app
            for app, operations in self._held.values()
            if app.namespace == namespace and operation in operations
        ]


def _held_by(record: ApplicationRecord) -> frozenset[str]:
    """Name the operations that wait at an application's gates."""
    rules = record.protections if record.state == "active" else ()
    return frozenset(operation for rule in rules for operation in rule.before)
