"""Which applications have a gate, kept in step with the registry; only what the gate needs."""

import asyncio
from collections.abc import Mapping

import msgspec

from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.gates import Operation
from appshield.contracts.identities import AppRef


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """An application of which some operations wait; `rules` names the gate of each."""

    app: AppRef
    app_id: str
    rules: Mapping[Operation, str]
    last_version: int


class GatedApplications:
    """The gated applications of one cluster, and the runs that are changing any application."""

    def __init__(self, records: Watchable[ApplicationRecord], cluster: str) -> None:
        self._records = records
        self._cluster = cluster
        self._gated: dict[str, Gated] = {}
        self._active: dict[str, str] = {}
        self.complete = False

    async def keep(self, stopping: asyncio.Event) -> None:
        """Follow the registry until told to stop."""
        async for change in self._records.watch(stopping=stopping):
            if change.key:
                self._take_in(change.key, change.value)
            else:
                self.complete = True

    def of(self, namespace: str, operation: Operation) -> list[Gated]:
        """Return the applications of a namespace of which this operation waits."""
        return [
            one
            for one in self._gated.values()
            if one.app.namespace == namespace and operation in one.rules
        ]

    def active_runs(self) -> list[str]:
        """Return the runs that are changing applications of this cluster."""
        return list(self._active.values())

    def _take_in(self, app_id: str, record: ApplicationRecord | None) -> None:
        self._gated.pop(app_id, None)
        self._active.pop(app_id, None)
        if record is None or record.app.cluster != self._cluster:
            return
        if record.active_run:
            self._active[app_id] = record.active_run
        rules = rules_of(record)
        if rules:
            self._gated[app_id] = Gated(
                app=record.app, app_id=app_id, rules=rules, last_version=record.last_version
            )


def rules_of(record: ApplicationRecord) -> dict[Operation, str]:
    """Name the rule that holds each operation; of several the first one makes the version."""
    found: dict[Operation, str] = {}
    for rule in record.protections if record.state == "active" else ():
        for operation in rule.before:
            found.setdefault(operation, rule.name)
    return found
