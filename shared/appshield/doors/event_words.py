"""What was told about an application in words: an English sentence, a code for other languages.

A code stands for one sentence, its values for what changes in it, as text: numbers in digits,
moments as RFC 3339. `why` is what others have written, and the same in every language.
"""

from typing import Literal

from appshield.contracts.applications import (
    ApplicationObserved,
    PauseChanged,
    Rpo,
    RpoChanged,
    Rto,
    RtoChanged,
)
from appshield.contracts.backups import BackupUnchanged
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.health import HealthChanged, Reaction
from appshield.contracts.message import Message, StepEvent
from appshield.contracts.runs import RunChanged, StepFailed

EventCode = Literal[
    "run",
    "step",
    "step-failed",
    "step-failed-again",
    "unchanged",
    "change",
    "change-gone",
    "health",
    "document-in-force",
    "document-refused",
    "document-gone",
    "paused",
    "resumed",
    "rpo",
    "rto",
    "reaction",
    "other",
]
Coded = tuple[EventCode, dict[str, str]]
REASONS_MAX = 3


def coded(message: Message) -> Coded:
    """Return the code of a fact, and its values; what is empty is left out. Pure."""
    code, values = _coded(message)
    return code, {name: value for name, value in values.items() if value}


def coded_reaction(reaction: Reaction) -> Coded:
    """Return the same of a reaction that acted. Pure."""
    values = {"policy": reaction.policy, "when": reaction.when, "action": _action(reaction)}
    return "reaction", {name: value for name, value in values.items() if value}


def sentence(message: Message) -> str:
    """Write a fact in one line, without the name of the application. Pure."""
    match message:
        case RunChanged():
            version = f" (version {message.version})" if message.version is not None else ""
            text = f"{message.kind} {message.run} {message.state}{version}"
            return f"{text}: {message.failure}" if message.failure else text
        case StepFailed():
            again = "; it is tried again" if message.again else ""
            return f"{message.run} {message.step} failed: {message.failure}{again}"
        case BackupUnchanged():
            return f"{message.run}: nothing changed since version {message.number}"
        case StepEvent():
            return f"{message.run} {message.step}: {message.verb}"
        case ChangeMatched():
            gone = "is gone" if message.deleted else "changed"
            return f"{message.object} {gone}: rule {message.protection} waits for that"
    return _of_state(message)


def reaction_sentence(reaction: Reaction) -> str:
    """Write in one line what a reaction did. Pure."""
    source = f" of policy {reaction.policy}" if reaction.policy else ""
    return f"reaction{source} to {reaction.when}: {_action(reaction)}"


def _coded(message: Message) -> Coded:
    match message:
        case RunChanged(kind=kind, run=run, state=state, version=version, failure=failure):
            number = "" if version is None else str(version)
            why = str(failure or "")
            return "run", {"kind": kind, "run": run, "state": state, "version": number, "why": why}
        case StepFailed(run=run, step=step, failure=failure, again=again):
            code: EventCode = "step-failed-again" if again else "step-failed"
            return code, {"run": run, "step": step, "why": str(failure)}
        case BackupUnchanged(run=run, number=number_unchanged):
            return "unchanged", {"run": run, "version": str(number_unchanged)}
        case StepEvent(run=run, step=step):
            return "step", {"run": run, "step": step, "verb": message.verb}
        case ChangeMatched(object=changed, protection=rule, deleted=deleted):
            return "change-gone" if deleted else "change", {"object": changed, "rule": rule}
    return _coded_state(message)


def _coded_state(message: Message) -> Coded:
    match message:
        case HealthChanged(health=health, before=before):
            return "health", {"health": health.status, "before": before, "why": _why(message)}
        case ApplicationObserved(refused=refused, exists=exists):
            seen: EventCode = "document-in-force" if exists else "document-gone"
            return "document-refused" if refused else seen, {"why": refused}
        case PauseChanged(paused=paused, actor=actor, reason=reason):
            return "paused" if paused else "resumed", {"actor": actor, "why": reason}
        case RpoChanged(rpo=rpo):
            since = rpo.counted_from.isoformat()
            return "rpo", {"state": rpo.state, "promised_s": str(rpo.promised_s), "since": since}
        case RtoChanged(rto=rto):
            expected = f"{rto.expected_s:.0f}" if rto.expected_s else ""
            values = {"state": rto.state, "promised_s": str(rto.promised_s)}
            return "rto", {**values, "expected_s": expected}
    return "other", {"why": type(message).__name__}


def _of_state(message: Message) -> str:
    match message:
        case HealthChanged():
            why = _why(message)
            text = f"health {message.health.status}, before {message.before}"
            return f"{text}: {why}" if why else text
        case ApplicationObserved():
            if message.refused:
                return f"document refused: {message.refused}"
            return "document in force" if message.exists else "the object is gone"
        case PauseChanged():
            by = f" by {message.actor}" if message.actor else ""
            text = f"{'paused' if message.paused else 'not paused any more'}{by}"
            return f"{text}: {message.reason}" if message.reason else text
        case RpoChanged(rpo=promise) | RtoChanged(rto=promise):
            return _of_promise(promise)
    return type(message).__name__


def _of_promise(promise: Rpo | Rto) -> str:
    stands = f"{promise.state}: {promise.promised_s} s promised"
    if isinstance(promise, Rpo):
        return f"recovery point {stands} since {promise.counted_from:%Y-%m-%d %H:%M} UTC"
    expected = f", about {promise.expected_s:.0f} s expected" if promise.expected_s else ""
    return f"recovery time {stands}{expected}"


def _why(message: HealthChanged) -> str:
    return "; ".join(f"{one.object}: {one.why}" for one in message.health.reasons[:REASONS_MAX])


def _action(reaction: Reaction) -> str:
    return type(reaction.action).__name__.removesuffix("Action").lower()
