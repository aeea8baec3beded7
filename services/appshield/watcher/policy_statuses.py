"""Write back what became of policies: whether they are in force, and how many they match."""

import asyncio
from datetime import datetime
from typing import Any

import structlog

from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POLICY
from appshield.language.in_force import IN_FORCE, spec_in_force
from appshield.service import Clock, pause
from appshield.watcher.conditions import condition, timed
from appshield.watcher.matched import Matched, Protected
from appshield.watcher.revisions import keep_revision

_PAUSE_S = 0.1
"""Many applications may change at once: their number is written once for all of them."""
_NAMED_MAX = 5


class PolicyStatuses:
    """Keeps the status of Policy objects in line with the registry."""

    def __init__(
        self,
        *,
        policies: Watchable[PolicyRecord],
        records: Watchable[ApplicationRecord],
        cluster: Cluster,
        cluster_name: str,
        clock: Clock,
    ) -> None:
        self._watched = policies
        self._records = records
        self._clock = clock
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._policies: dict[str, PolicyRecord] = {}
        self._matched = Matched()
        self._concerned: set[str] = set()
        self._written: dict[str, tuple[PolicyRecord, Protected]] = {}
        self._news = asyncio.Event()

    async def keep_written(self, stopping: asyncio.Event) -> None:
        """Write the status of every policy for which something changes, until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_policies(stopping))
            tasks.create_task(self._watch_applications(stopping))
            tasks.create_task(self._write_all(stopping))

    async def _watch_policies(self, stopping: asyncio.Event) -> None:
        async for change in self._watched.watch(stopping=stopping):
            if change.value is None:
                self._policies.pop(change.key, None)
            elif change.value.app.cluster == self._cluster_name:
                self._policies[change.key] = change.value
                self._concerned.add(change.value.app.name)
            self._news.set()
        self._news.set()

    async def _watch_applications(self, stopping: asyncio.Event) -> None:
        async for change in self._records.watch(stopping=stopping):
            record = change.value
            counts = record is not None and record.state == "active"
            ours = record is not None and record.app.cluster == self._cluster_name
            if concerned := self._matched.take(change.key, record if counts and ours else None):
                self._concerned |= concerned
                self._news.set()

    async def _write_all(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._news.wait()
            self._news.clear()
            concerned, self._concerned = self._concerned, set()
            for record in list(self._policies.values()):
                if record.app.name in concerned:
                    await self._write(record)
            await pause(stopping, _PAUSE_S)

    async def _write(self, record: PolicyRecord) -> None:
        protected = self._matched.of(record.app.name)
        written = self._written.get(record.uid)
        if written == (record, protected):
            return
        try:
            obj = await self._cluster.get(POLICY, record.app.name)
            if obj is None or obj["metadata"]["uid"] != record.uid:
                return
            if written is None or written[0].revision != record.revision:
                await keep_revision(self._cluster, obj, record.revision)
            status = status_of(record, protected, obj, self._clock.now())
            if status != obj.get("status"):
                await self._cluster.patch_status(POLICY, record.app.name, status)
            self._written[record.uid] = (record, protected)
        except AppShieldError as error:
            structlog.get_logger().warning("status not written", problem=str(error))
            if isinstance(error, UnavailableError):
                self._concerned.add(record.app.name)
                self._news.set()


def status_of(
    record: PolicyRecord, protected: Protected, obj: Object, now: datetime
) -> dict[str, Any]:
    """Say in a status what the registry knows; a condition keeps its time while it stays so."""
    accepted = condition("Accepted", record.refused, "Refused", "the document is in force")
    conditions = [accepted, _ready(record, protected)]
    status: dict[str, Any] = {
        "observedGeneration": record.generation,
        "revision": record.revision,
        "applications": protected.matched,
        "conditions": [timed(one, obj, now) for one in conditions],
    }
    if spec := spec_in_force(obj):
        status[IN_FORCE] = spec
    return status


def _ready(record: PolicyRecord, protected: Protected) -> dict[str, Any]:
    well = f"it matches {protected.matched} applications"
    if record.refused:
        kept = "the last document that was accepted stays in force"
        return condition("Ready", kept if record.match else "it has no rule", "Refused", well)
    if not record.settled:
        return condition("Ready", "applications are brought in line with it", "Settling", well)
    named = [f"{app}: {why}" for app, why in sorted(protected.undecided.items())[:_NAMED_MAX]]
    more = len(protected.undecided) - len(named)
    listed = "; ".join((*named, *([f"and {more} more"] if more > 0 else [])))
    return condition("Ready", listed and f"no answer for {listed}", "Undecided", well)
