"""How promises about recovery stand, as conditions of an Application. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appshield.contracts.applications import (
    ApplicationRecord,
    MeasuredRestore,
    Rpo,
    RpoState,
    Rto,
    RtoState,
)
from appshield.language.values import duration

WITHIN_RPO = "WithinRPO"
WITHIN_RTO = "WithinRTO"
PROMISES = {WITHIN_RPO: "RecoveryPoint", WITHIN_RTO: "RecoveryTime"}
AT_FIRST = {WITHIN_RPO: "Kept", WITHIN_RTO: "Unproved"}
REASONS: Mapping[RpoState | RtoState, str] = {
    "kept": "Kept",
    "unproved": "Unproved",
    "at-risk": "AtRisk",
    "broken": "Broken",
}


def within_rpo(record: ApplicationRecord) -> list[dict[str, Any]]:
    """State whether the newest good version is as young as promised; nothing without a promise."""
    if record.rpo is None:
        return []
    return [
        {
            "type": WITHIN_RPO,
            "status": "False" if record.rpo.state == "broken" else "True",
            "reason": REASONS[record.rpo.state],
            "message": rpo_text(record.rpo, record.expected_backup_s),
            "lastTransitionTime": written(record.rpo.since),
        }
    ]


def within_rto(record: ApplicationRecord) -> list[dict[str, Any]]:
    """State whether a restore is as fast as promised; nothing without a promise."""
    if record.rto is None:
        return []
    status = {"unproved": "Unknown", "broken": "False"}.get(record.rto.state, "True")
    return [
        {
            "type": WITHIN_RTO,
            "status": status,
            "reason": REASONS[record.rto.state],
            "message": rto_text(record.rto, record.last_restore),
            "lastTransitionTime": written(record.rto.since),
        }
    ]


def rpo_text(rpo: Rpo, expected_s: float) -> str:
    """Say how the promise stands, and since when the age counts."""
    since = f"version {rpo.version} of" if rpo.version else "there is no good version; known since"
    promised = f"at most {duration(rpo.promised_s)} old is promised"
    text = f"{promised}; {since} {written(rpo.counted_from)}"
    if rpo.state == "at-risk":
        text += f"; the next backup, which takes about {expected_s:.0f} s, would end too late"
    return text


def rto_text(rto: Rto, last: MeasuredRestore | None) -> str:
    """Say how the promise about a restore stands, and what is expected of the next one."""
    text = f"at most {duration(rto.promised_s)} is promised; "
    text += f"the last restore took {last.took_s:.0f} s" if last else "nobody has restored it yet"
    if rto.expected_s > rto.promised_s and (last is None or rto.run != last.run):
        return f"{text}; {rto.run}, which is under way, takes about {rto.expected_s:.0f} s"
    if rto.state == "at-risk":
        more = f"one of version {rto.version}, which holds more"
        return f"{text}; {more}, would take about {rto.expected_s:.0f} s"
    return text


def written(at: datetime) -> str:
    """Write a moment as the API server does."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
