"""What a `Backup` or `Restore` object asks for, and what becomes of it in its status. Pure.

An object is done once: the request has its uid for an identity, so asking again is the same run.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appshield.contracts.health import RestoreChoice
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run, RunState
from appshield.doors.requesting import request_by
from appshield.kubernetes import Object
from appshield.language import defaults
from appshield.language.kinds import Backup, Restore
from appshield.language.object_reading import read_object
from appshield.language.requesters import RUN_ANYWAY, UNKNOWN, Requester, requester_of
from appshield.language.resolving import resolve_keep
from appshield.triggers.rules import keep_of

_PHASES: Mapping[RunState, str] = {
    "pending": "Waiting",
    "awaiting-approval": "Waiting",
    "running": "Running",
    "ending": "Running",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "folded": "Waiting",
}
_CHOICES: Mapping[str, RestoreChoice] = {"last-good": "last-good", "last-verified": "last-verified"}
_ADMITTED: Mapping[str, str] = {"True": "Admitted", "False": "Refused"}
_SUCCEEDED: Mapping[str, str] = {"Succeeded": "True", "Failed": "False", "Cancelled": "False"}
ENDED = frozenset({"Succeeded", "Failed", "Cancelled", "LeftAlone"})
"""Phases in which nothing more becomes of an object."""


def request_of(obj: Object, cluster: str) -> RequestBackup | RequestRestore:
    """Return what an object asks for.

    Raises:
        DocumentError: the object says nothing that can be understood.
    """
    meta, document = obj["metadata"], read_object(obj)
    place = {"cluster": cluster, "namespace": meta["namespace"]}
    about = f"{obj['kind']} {meta['namespace']}/{meta['name']}"
    written_by = requester(obj)
    actor = written_by.name if written_by else UNKNOWN
    if isinstance(document, Backup):
        saved = document.spec
        keep = keep_of(resolve_keep(saved.keep)) if saved.keep is not None else None
        return RequestBackup(
            app=AppRef(name=saved.application, **place),
            reason=saved.reason or "",
            keep=keep,
            targets=saved.targets,
            request_id=request_by(obj),
            actor=actor,
            about=about,
            door="object",
        )
    if not isinstance(document, Restore):
        raise TypeError(f"a {obj['kind']} asks for nothing")
    wanted = document.spec
    existing = wanted.existing or defaults.EXISTING
    number = 0 if wanted.version in _CHOICES else int(wanted.version)
    return RequestRestore(
        app=AppRef(name=wanted.application, **place),
        version=number,
        choice=_CHOICES.get(wanted.version),
        app_id=wanted.history or "",
        target_namespace=wanted.to or "",
        paths=wanted.paths,
        existing=existing != "refuse",
        delete_extra=existing == "mirror",
        vault=wanted.vault or "",
        needs_approval=(wanted.approve or defaults.RESTORE_APPROVAL) == "manual",
        request_id=request_by(obj),
        actor=actor,
        about=about,
        door="object",
    )


def requester(obj: Object) -> Requester | None:
    """Say who wrote an object; None where nobody knows."""
    return requester_of(obj["metadata"].get("annotations") or {})


def why_left_alone(obj: Object, installed_at: datetime) -> str:
    """Say why an object is not done, or nothing where it is."""
    meta = obj["metadata"]
    made_at = datetime.fromisoformat(meta["creationTimestamp"])
    anyway = (meta.get("annotations") or {}).get(RUN_ANYWAY) == "true"
    if anyway or made_at >= installed_at:
        return ""
    return (
        f"it was made at {meta['creationTimestamp']}, before AppShield was installed here at "
        f"{written(installed_at)}: annotate it with {RUN_ANYWAY}=true to have it done, or delete it"
    )


def left_alone(obj: Object, why: str, now: datetime) -> dict[str, Any]:
    """Give the status of an object that is not done."""
    condition = _condition(
        obj, "Admitted", "False", reason="OlderThanInstallation", message=why, now=now
    )
    return {"phase": "LeftAlone", "message": why, "conditions": [condition]}


def refused(obj: Object, why: str, now: datetime) -> dict[str, Any]:
    """Give the status of an object that cannot be understood."""
    condition = _condition(obj, "Admitted", "False", reason="Refused", message=why, now=now)
    return {"phase": "Failed", "message": why, "conditions": [condition]}


def waiting(obj: Object, run: str, why: str, now: datetime) -> dict[str, Any]:
    """Give the status of an object that has not been admitted yet."""
    condition = _condition(obj, "Admitted", "Unknown", reason="Pending", message=why, now=now)
    return {"phase": "Pending", "run": run, "message": why, "conditions": [condition]}


def status_of(run: Run, obj: Object, now: datetime) -> dict[str, Any]:
    """Give the status of an object whose run exists; null takes back what was said before."""
    phase, message = _PHASES[run.state], _message(run)
    succeeded = _SUCCEEDED.get(phase, "Unknown")
    admitted = "False" if phase == "Failed" and run.started_at is None else "True"
    return {
        "phase": phase,
        "run": run.id,
        "progress": _progress(run) or None,
        "message": message or None,
        "version": run.version,
        "startedAt": written(run.started_at),
        "completedAt": written(run.finished_at),
        "conditions": [
            _condition(obj, "Admitted", admitted, reason=_ADMITTED[admitted], message="", now=now),
            _condition(obj, "Succeeded", succeeded, reason=phase, message=message, now=now),
        ],
    }


def written(at: datetime | None) -> str | None:
    """Write a moment as Kubernetes does."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z") if at else None


def _message(run: Run) -> str:
    if run.failure is not None:
        return str(run.failure)
    if run.state == "awaiting-approval":
        return f"it waits for `appshield approve {run.id}`"
    return "it waits for its turn" if run.state == "pending" else ""


def _progress(run: Run) -> str:
    """Say what is being done, and how much of the run is behind it."""
    if not run.steps:
        return ""
    done = sum(step.state == "done" for step in run.steps)
    now = [step.name for step in run.steps if step.state == "running"]
    return f"{', '.join(now)} ({done} steps done)" if now else f"{done} steps done"


def _condition(
    obj: Object, kind: str, status: str, *, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    """Make a condition; it keeps its time while it stays so."""
    conditions = (obj.get("status") or {}).get("conditions", [])
    before = next((one for one in conditions if one["type"] == kind), None)
    same = before is not None and before["status"] == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else written(now),
        "observedGeneration": obj["metadata"].get("generation", 0),
    }
