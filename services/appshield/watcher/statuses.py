"""Write back what became of an application: its status, its revisions, an event for a refusal."""

import asyncio
from datetime import datetime
from typing import Any

import structlog
from msgspec.structs import replace

from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord, Described
from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION
from appshield.kubernetes.retrying import pause_s
from appshield.language.in_force import IN_FORCE, spec_in_force
from appshield.language.values import duration
from appshield.service import pause
from appshield.watcher.folding import described
from appshield.watcher.promises import (
    AT_FIRST,
    PROMISES,
    REASONS,
    within_rpo,
    within_rto,
    written,
)
from appshield.watcher.revisions import keep_revision

_AT_ONCE = 16
"""Statuses are written side by side; of one application one after the other."""
SIGNALS_UNDERSTOOD = "SignalsUnderstood"


class Statuses:
    """Keeps the status of Application objects in line with the registry."""

    def __init__(
        self, *, records: Watchable[ApplicationRecord], cluster: Cluster, cluster_name: str
    ) -> None:
        self._records = records
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._written: dict[str, tuple[ApplicationRecord, int]] = {}
        self._newest: dict[str, ApplicationRecord] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def keep_written(self, stopping: asyncio.Event) -> None:
        """Write the status of every application that changes, until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            async for change in self._records.watch(stopping=stopping):
                record = change.value
                if record is None or record.state != "active":
                    self._written.pop(change.key, None)
                elif record.app.cluster == self._cluster_name:
                    if record.app_id not in self._newest:
                        if self._is_written(record):
                            continue
                        tasks.create_task(self._write_newest(record.app_id, stopping))
                    self._newest[record.app_id] = record

    async def _write_newest(self, app_id: str, stopping: asyncio.Event) -> None:
        """Write the status of one application until nothing newer of it has come meanwhile."""
        written: ApplicationRecord | None = None
        async with self._at_once:
            while self._newest[app_id] is not written and not stopping.is_set():
                written = self._newest[app_id]
                await self._until_written(written, stopping)
            del self._newest[app_id]

    async def refused(self, obj: Object, why: str) -> None:
        """Record an event about a refused document."""
        try:
            await self._cluster.record_event(
                obj, reason="DocumentRefused", message=why, warning=True
            )
        except AppShieldError as error:
            structlog.get_logger().warning("event not recorded", problem=str(error))

    async def _until_written(self, record: ApplicationRecord, stopping: asyncio.Event) -> None:
        """Write a status; while the cluster cannot be reached, wait for it."""
        failures = 0
        while not stopping.is_set():
            try:
                await self._write(record)
            except AppShieldError as error:
                structlog.get_logger().warning("status not written", problem=str(error))
                if not isinstance(error, UnavailableError):
                    return
            else:
                return
            failures += 1
            await pause(stopping, pause_s(failures, None))

    def _is_written(self, record: ApplicationRecord) -> bool:
        """Say whether its status is as it should be: a policy may change thousands of records."""
        return self._written.get(record.app_id) == _said(record)

    async def _write(self, record: ApplicationRecord) -> None:
        if self._is_written(record):
            return
        obj = await self._cluster.get(APPLICATION, record.app.name, record.app.namespace)
        if obj is None or obj["metadata"]["uid"] != record.uid:
            return
        if (obj.get("status") or {}).get("revision") != record.revision:
            await keep_revision(self._cluster, obj, record.revision)
        status = status_of(record, obj)
        await self._alert(obj, status)
        if status != obj.get("status"):
            await self._cluster.patch_status(
                APPLICATION, record.app.name, status, namespace=record.app.namespace
            )
        self._written[record.app_id] = _said(record)

    async def _alert(self, obj: Object, status: dict[str, Any]) -> None:
        """Record events about promises that are late or in time again, and of signals in vain."""
        for promise, about in PROMISES.items():
            before, now = _condition(obj, promise), _condition({"status": status}, promise)
            if now is None or now["reason"] == (before["reason"] if before else AT_FIRST[promise]):
                continue
            warning = now["status"] == "False" or now["reason"] == REASONS["at-risk"]
            await self._cluster.record_event(
                obj, reason=f"{about}{now['reason']}", message=now["message"], warning=warning
            )
        before, now = (_condition(one, SIGNALS_UNDERSTOOD) for one in (obj, {"status": status}))
        if now is not None and now["message"] != (before["message"] if before else ""):
            await self._cluster.record_event(
                obj, reason="SignalNotUnderstood", message=now["message"], warning=True
            )


def _condition(obj: Object, kind: str) -> dict[str, Any] | None:
    conditions = (obj.get("status") or {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == kind), None)


def status_of(record: ApplicationRecord, obj: Object) -> dict[str, Any]:
    """Say in a status what the registry knows; a condition keeps its time while it stays so."""
    status: dict[str, Any] = {
        "applicationId": record.app_id,
        "revision": record.revision,
        "conditions": [
            _accepted(record, obj),
            *_paused(record),
            *_healthy(record),
            *within_rpo(record),
            *within_rto(record),
            *_signals_understood(record),
        ],
    }
    if record.health is not None:
        status["health"] = record.health.status
    if spec := spec_in_force(obj):
        status[IN_FORCE] = spec
    status |= _promise(record, obj)
    if record.last_version:
        status["lastVersion"] = record.last_version
    if record.last_backup_at is not None:
        status["lastBackupAt"] = written(record.last_backup_at)
    return status


def _promise(record: ApplicationRecord, obj: Object) -> dict[str, Any]:
    """Say how old the newest version may become; null takes an earlier promise away."""
    if promised_s := _rpo_s(record):
        return {"rpo": duration(promised_s)}
    return {"rpo": None} if "rpo" in (obj.get("status") or {}) else {}


def _rpo_s(record: ApplicationRecord) -> int:
    """Return the strictest promise of all rules in force, those of policies included."""
    return min((rule.rpo_s for rule in record.protections if rule.rpo_s), default=0)


def _said(record: ApplicationRecord) -> tuple[ApplicationRecord, int]:
    """Return what of a record a status depends on: of what policies make of it just the promise.

    Runs come and go without a word of theirs in it.
    """
    told = replace(
        record,
        active_run="",
        pending_runs=(),
        awaiting_approval=(),
        begun={},
        highest_version=None,
        protections=(),
        policies=(),
        undecided={},
        findings=(),
        own=None,
        described=Described(),
        targets=(),
    )
    return told, _rpo_s(record)


def _accepted(record: ApplicationRecord, obj: Object) -> dict[str, Any]:
    accepted = "False" if record.refused else "True"
    return {
        "type": "Accepted",
        "status": accepted,
        "reason": "Refused" if record.refused else "Accepted",
        "message": record.refused or "the document is in force",
        "lastTransitionTime": _changed_at(obj, "Accepted", accepted),
        "observedGeneration": obj["metadata"].get("generation", 0),
    }


def _changed_at(obj: Object, kind: str, now: str, otherwise: datetime | None = None) -> str:
    """Return since when a condition stands so: it keeps its time while it does."""
    before = _condition(obj, kind)
    if before is not None and before["status"] == now:
        return str(before["lastTransitionTime"])
    return written(otherwise) if otherwise else str(obj["metadata"]["creationTimestamp"])


def _paused(record: ApplicationRecord) -> list[dict[str, Any]]:
    """Say that nothing begins by itself, and who said so; nothing while that is not so."""
    if record.paused is None:
        return []
    who = f" by {record.paused.actor}" if record.paused.actor else ""
    return [
        {
            "type": "Paused",
            "status": "True",
            "reason": "Paused",
            "message": f"paused{who}: {record.paused.reason or 'no reason was given'}",
            "lastTransitionTime": written(record.paused.at),
        }
    ]


def _signals_understood(record: ApplicationRecord) -> list[dict[str, Any]]:
    """State which rules have no answer for the signals that come; nothing while all have one."""
    problems = sorted(record.signal_problems.items())
    if not problems:
        return []
    return [
        {
            "type": SIGNALS_UNDERSTOOD,
            "status": "False",
            "reason": "NoAnswer",
            "message": "; ".join(f"rule {name}: {one.why}" for name, one in problems),
            "lastTransitionTime": written(min(one.since for _, one in problems)),
        }
    ]


def _healthy(record: ApplicationRecord) -> list[dict[str, Any]]:
    """State how the application is; nothing while nobody knows."""
    if record.health is None:
        return []
    known = {"Healthy": "True", "Unknown": "Unknown"}
    return [
        {
            "type": "Healthy",
            "status": known.get(record.health.status, "False"),
            "reason": record.health.status,
            "message": described(record.health),
            "lastTransitionTime": written(record.health.since),
        }
    ]
