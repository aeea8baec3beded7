"""Conditions in the status of an object, in the form that Kubernetes uses everywhere. Pure."""

from datetime import datetime
from typing import Any

from appshield.kubernetes import Object


def condition(kind: str, why_not: str, reason: str, well: str) -> dict[str, Any]:
    """Make a condition that holds unless there is a reason why not."""
    return {
        "type": kind,
        "status": "False" if why_not else "True",
        "reason": reason if why_not else kind,
        "message": why_not or well,
    }


def timed(said: dict[str, Any], obj: Object, now: datetime) -> dict[str, Any]:
    """Give a condition its time, which it keeps while it stays as it is."""
    conditions = (obj.get("status") or {}).get("conditions", [])
    before = next((one for one in conditions if one["type"] == said["type"]), None)
    same = before is not None and before["status"] == said["status"]
    written = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return said | {
        "lastTransitionTime": before["lastTransitionTime"] if before and same else written,
        "observedGeneration": obj["metadata"].get("generation", 0),
    }
