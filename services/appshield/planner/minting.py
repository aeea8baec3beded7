"""Runs as they are born: pending, under the identity that their trigger gives them. Pure."""

from collections.abc import Mapping
from datetime import datetime

from appshield.contracts.applications import ApplicationRecord, TriggerKind
from appshield.contracts.identities import AppRef, RunKind, run_id
from appshield.contracts.message import Request
from appshield.contracts.runs import Run, Trigger

_PRIORITIES: Mapping[TriggerKind, int] = {"manual": 100, "gate": 100}
"""What a person or a gate asks for goes before what happens by itself."""


def asked(request: Request, now: datetime, *, reason: str = "") -> Trigger:
    """Give the trigger that a request is."""
    return Trigger(
        kind="manual",
        identity=f"request/{request.request_id}",
        actor=request.actor,
        reason=reason,
        at=now,
        door=request.door,
    )


def new_run(kind: RunKind, app: AppRef, trigger: Trigger, now: datetime) -> Run:
    """Make a run of a place that may be unknown."""
    return Run(
        id=run_id(kind, trigger.identity),
        kind=kind,
        app=app,
        app_id="",
        vault="",
        trigger=trigger,
        state="pending",
        priority=_PRIORITIES.get(trigger.kind, 0),
        epoch=0,
        requested_at=now,
    )


def run_of_history(
    kind: RunKind, record: ApplicationRecord, trigger: Trigger, now: datetime, *, vault: str = ""
) -> Run:
    """Make a run of a known history, in its first Vault or in the one that is named."""
    return Run(
        id=run_id(kind, trigger.identity),
        kind=kind,
        app=record.app,
        app_id=record.app_id,
        uid=record.uid,
        vault=vault or record.vault,
        trigger=trigger,
        state="pending",
        priority=_PRIORITIES.get(trigger.kind, 0),
        epoch=0,
        requested_at=now,
    )
