"""What the planner has seen done, as it tells the audit: wishes, and how runs ended. Pure.

Names and our own words only: why something failed may quote what an application said, and that may
hold anything, so it stays in the run.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from appshield.contracts import encode
from appshield.contracts.audit import AuditDoor, AuditEvent, AuditOutcome
from appshield.contracts.gates import GateOverridden
from appshield.contracts.health import Reaction, RestoreAction
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Door, Request
from appshield.contracts.requests import (
    RequestApprove,
    RequestCancel,
    RequestCatalog,
    RequestPause,
    RequestPin,
    RequestRestore,
)
from appshield.contracts.runs import FINAL_STATES, Run

TELLER: Final = "planner"
ASKED: Final = "request/"
"""How the identity of a trigger begins that is a request."""
TEXT_MAX: Final = 500
_PATHS_MAX = 20
_NAMES: Mapping[type[Request], str] = {
    RequestCancel: "cancel",
    RequestApprove: "approve",
    RequestCatalog: "rebuild-catalog",
}
_DOORS: Mapping[str, AuditDoor] = {"gate": "gate", "reaction": "policy"}
_ENDS: Mapping[str, AuditOutcome] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}


def asked(
    request: Request,
    run: Run | None,
    now: datetime,
    *,
    refused: str = "",
    denied: bool = False,
    asker: tuple[Door, str] | None = None,
    trace_id: str = "",
) -> AuditEvent:
    """Tell what became of a wish: of its `run`, or of the one that it was about, as it is now.

    One that was `refused` as a message is parked; sent again from there, it is told again. The
    `asker` is whom its subject names, where that is not what it says itself.
    """
    outcome, reason = _outcome(request, run, refused)
    if denied:
        outcome = "denied"
    said = getattr(request, "reason", "")
    door, actor = asker or (request.door, request.actor)
    return AuditEvent(
        app=request.app,
        # its own words are part of what names it: nobody hides a wish behind the id of another
        id=f"{request.message_id()}.{_digest(request)}{'.parked' if refused else ''}",
        teller=TELLER,
        at=now,
        action=action_of(request),
        outcome=outcome,
        door=door,
        actor=plain(actor),
        address=plain(request.address),
        cause=plain(said),
        versions=_versions(request),
        paths=tuple(map(plain, getattr(request, "paths", ())[:_PATHS_MAX])),
        target=plain(getattr(request, "target_namespace", "")),
        vault=plain(getattr(request, "vault", "")),
        object=plain(getattr(request, "about", "")),
        run=run.id if run is not None else plain(getattr(request, "run", "")),
        reason=plain(reason),
        request_id=plain(request.request_id),
        trace_id=trace_id,
    )


def ended(run: Run) -> AuditEvent | None:
    """Tell how a run ended; a wish that was refused has told that already."""
    if run.state not in _ENDS or run.finished_at is None:
        return None
    was_refused = run.state == "failed" and run.started_at is None
    if was_refused and run.trigger.identity.startswith(ASKED):
        return None
    trigger = run.trigger
    restored = run.restore
    return AuditEvent(
        app=run.app,
        id=f"{run.id}.{run.state}",
        teller=TELLER,
        at=run.finished_at,
        action=run.kind,
        outcome="refused" if was_refused else _ENDS[run.state],
        door=trigger.door or _DOORS.get(trigger.kind, "appshield"),
        actor=plain(trigger.actor),
        cause=plain(trigger.reason or f"{trigger.kind} {trigger.name}".strip()),
        versions=() if run.version is None else (run.version,),
        paths=tuple(map(plain, restored.paths[:_PATHS_MAX])) if restored else (),
        target=plain(restored.target_namespace) if restored else "",
        vault=run.vault,
        run=run.id,
        reason=plain(run.failure.what) if run.failure else "",
        request_id=plain(trigger.identity.removeprefix(ASKED)) if trigger.door else "",
    )


def reacted(
    app: AppRef,
    reaction: Reaction,
    identity: str,
    now: datetime,
    *,
    problem: str = "",
    action: str = "",
) -> AuditEvent:
    """Tell what a reaction of a policy did, or why it could not."""
    does = reaction.action
    return AuditEvent(
        app=app,
        id=identity,
        teller=TELLER,
        at=now,
        action=action or str(does.__struct_config__.tag),
        outcome="refused" if problem else "admitted",
        door="policy",
        actor=f"policy {reaction.policy}, reaction {reaction.digest}",
        cause=plain(f"{reaction.when} holds"),
        target=does.namespace if isinstance(does, RestoreAction) else "",
        reason=plain(problem),
    )


def overridden(fact: GateOverridden) -> AuditEvent:
    """Tell that somebody broke the glass of a gate."""
    return AuditEvent(
        app=fact.app,
        id=fact.message_id(),
        teller="gate",
        at=fact.at,
        action="break-glass",
        outcome="allowed",
        door="gate",
        actor=plain(fact.actor),
        object=plain(f"{fact.operation} of {fact.about}"),
        cause=plain(fact.reason),
        request_id=plain(fact.change),
    )


def action_of(request: Request) -> str:
    """Name what a request asks for, as a person would."""
    match request:
        case RequestPause(paused=False):
            return "resume"
        case RequestPin(pinned=False):
            return "unpin"
        case RequestRestore(dry_run=True):
            return "restore-dry-run"
        case _:
            return _NAMES.get(type(request), request.noun)


def plain(text: str) -> str:
    """Cut a text of somebody else to what an entry takes: one line, of some length."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= TEXT_MAX else f"{line[: TEXT_MAX - 1]}…"


def _outcome(request: Request, run: Run | None, refused: str) -> tuple[AuditOutcome, str]:
    if refused:
        return "refused", refused
    if isinstance(request, RequestCancel):
        return _cancelled(request, run)
    if run is not None and run.state == "failed" and run.started_at is None:
        return "refused", run.failure.what if run.failure else ""
    if run is not None and run.state == "folded":
        return "admitted", f"run {run.folded_into} does it, too"
    return "admitted", ""


def _cancelled(request: RequestCancel, run: Run | None) -> tuple[AuditOutcome, str]:
    if run is None:
        return "refused", f"there is no run {request.run}"
    if run.state in FINAL_STATES and run.state != "cancelled":
        return "refused", f"the run had {run.state} before"
    return "admitted", ""


def _versions(request: Request) -> tuple[int, ...]:
    version = getattr(request, "version", 0)
    return (version,) if version else tuple(getattr(request, "versions", ()))


def _digest(request: Request) -> str:
    return hashlib.sha256(encode(request)).hexdigest()[:16]
