"""Which applications have a gate, kept in step with records and policies; only what it needs.

A gate of a policy holds from when the policy is in force, also where the application's record does
not say so yet: what holds is worked out for the applications of a namespace when it is asked.
"""

import asyncio
from collections.abc import Mapping

import msgspec

from appshield.application.rules_in_force import RulesInForce
from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.gates import Operation
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """An application of which some operations wait; `rules` names the gate of each."""

    app: AppRef
    app_id: str
    rules: Mapping[Operation, str]
    last_version: int


class GatedApplications:
    """The gated applications of one cluster, and the runs that are changing any application."""

    def __init__(
        self,
        records: Watchable[ApplicationRecord],
        policies: Watchable[PolicyRecord],
        cluster: str,
    ) -> None:
        self._records = records
        self._policies = policies
        self._cluster = cluster
        self._in_force = RulesInForce(lambda rule: bool(rule.before))
        self._in: dict[str, dict[str, ApplicationRecord]] = {}
        self._places: dict[str, str] = {}
        self._gated: dict[str, Gated | None] = {}
        self._active: dict[str, str] = {}
        self._records_known = False

    @property
    def complete(self) -> bool:
        """Whether all applications and policies are known."""
        return self._records_known and self._in_force.complete

    async def keep(self, stopping: asyncio.Event) -> None:
        """Follow records and policies until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_records(stopping), name="records")
            tasks.create_task(self._follow_policies(stopping), name="policies")

    def of(self, namespace: str, operation: Operation) -> list[Gated]:
        """Return the applications of a namespace of which this operation waits."""
        here = (self._gated_as(record) for record in self._in.get(namespace, {}).values())
        return [one for one in here if one is not None and operation in one.rules]

    def active_runs(self) -> list[str]:
        """Return the runs that are changing applications of this cluster."""
        return list(self._active.values())

    async def _follow_records(self, stopping: asyncio.Event) -> None:
        async for change in self._records.watch(stopping=stopping):
            if change.is_marker:
                self._records_known = True
            else:
                self._take_in(change.key, change.value)

    async def _follow_policies(self, stopping: asyncio.Event) -> None:
        async for change in self._policies.watch(stopping=stopping):
            if change.is_marker:
                self._in_force.complete = True
                continue
            policy = change.value
            if policy is not None and policy.app.cluster != self._cluster:
                continue
            if self._in_force.take(change.key, policy):
                self._gated.clear()

    def _take_in(self, app_id: str, record: ApplicationRecord | None) -> None:
        self._gated.pop(app_id, None)
        self._active.pop(app_id, None)
        self._in.get(self._places.pop(app_id, ""), {}).pop(app_id, None)
        if record is None or record.app.cluster != self._cluster:
            return
        if record.active_run:
            self._active[app_id] = record.active_run
        self._places[app_id] = record.app.namespace
        self._in.setdefault(record.app.namespace, {})[app_id] = record

    def _gated_as(self, record: ApplicationRecord) -> Gated | None:
        """Return how an application is gated; worked out once for a record and the policies."""
        app_id = record.app_id
        if app_id not in self._gated:
            rules: dict[Operation, str] = {}
            for rule in self._in_force.of(record):
                for operation in rule.before:  # of several the first one makes the version
                    rules.setdefault(operation, rule.name)
            self._gated[app_id] = (
                Gated(app=record.app, app_id=app_id, rules=rules, last_version=record.last_version)
                if rules
                else None
            )
        return self._gated[app_id]
