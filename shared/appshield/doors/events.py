"""What was told about one application: its runs, its health, its document, its reactions.

The bus keeps it for a while: outcomes until they are far behind the planner, of health and document
the last few of each application (`HISTORY`). When reactions acted is in the application's record.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from appshield.bus import Bus, Stored
from appshield.contracts import decode
from appshield.contracts.applications import (
    ApplicationObserved,
    ApplicationRecord,
    PauseChanged,
    Rpo,
    RpoChanged,
    Rto,
    RtoChanged,
)
from appshield.contracts.backups import BackupStored, BackupUnchanged
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.health import HealthChanged, Reaction
from appshield.contracts.message import Message, StepEvent
from appshield.contracts.runs import Failure, RunChanged, StepFailed
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import HISTORY, OUTCOMES
from appshield.contracts.subjects import event, told

EventKind = Literal[
    "run",
    "step",
    "version",
    "repository",
    "health",
    "document",
    "objective",
    "pause",
    "change",
    "reaction",
]
OF_RUNS: frozenset[EventKind] = frozenset({"run", "step", "version", "repository"})
"""Kinds that are about runs."""
READ_MAX = 5_000
"""So many of the newest events of an application are read."""
_WELL = frozenset({"Healthy", "Progressing", "Unknown"})


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told about an application, `text` in words.

    `state` is what it entered: a run `succeeded`, its health `Degraded`, a promise `at-risk`, its
    document `refused`. `problem` says that somebody may have to do something about it. What does
    not belong to a kind of event is empty.
    """

    id: str
    at: datetime
    kind: EventKind
    state: str
    text: str
    problem: bool = False
    run: str = ""
    step: str = ""
    version: int | None = None
    actor: str = ""
    failure: Failure | None = None


async def events_of(bus: Bus, record: ApplicationRecord) -> list[ToldEvent]:
    """Read what was told about an application, the newest first.

    Raises:
        UnavailableError: the bus does not answer.
    """
    newest: deque[ToldEvent] = deque(maxlen=READ_MAX)
    async for stored in bus.read(OUTCOMES, filters=(event("*", "*", record.app),)):
        newest.append(_of(OUTCOMES, stored))
    kept = [stored async for stored in bus.read(HISTORY, filters=(told("*", "*", record.app),))]
    found = [*newest, *_changes(_of(HISTORY, stored) for stored in kept), *acted(record)]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)[:READ_MAX]


def event_of(message: Message, event_id: str, at: datetime) -> ToldEvent:
    """Put a fact into the form that people and tools are shown. Pure."""
    kind, state, problem = _standing(message)
    base = ToldEvent(
        id=event_id, at=at, kind=kind, state=state, text=sentence(message), problem=problem
    )
    match message:
        case RunChanged(run=run, version=version, failure=failure):
            return replace(base, run=run, version=version, failure=failure)
        case StepEvent():
            number = message.facts.number if isinstance(message, BackupStored) else None
            failed = message.failure if isinstance(message, StepFailed) else None
            return replace(base, run=message.run, step=message.step, version=number, failure=failed)
        case PauseChanged(actor=actor):
            return replace(base, actor=actor)
    return base


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


def acted(record: ApplicationRecord) -> Iterator[ToldEvent]:
    """Tell when reactions acted, as far back as their rates make the planner remember. Pure."""
    reactions = {one.digest: one for one in record.reactions}
    for reacted in record.reacted:
        if (reaction := reactions.get(reacted.digest)) is None:
            continue
        for at in reacted.acted_at:
            event_id, text = f"{reaction.digest}.{at.timestamp():.0f}", _reaction_text(reaction)
            yield ToldEvent(id=event_id, at=at, kind="reaction", state="acted", text=text)


def _of(stream: StreamSpec, stored: Stored) -> ToldEvent:
    return event_of(decode(stored.body), f"{stream.name}.{stored.sequence}", stored.time)


def _standing(message: Message) -> tuple[EventKind, str, bool]:
    """Say of which kind a fact is, what was entered, and whether that is a problem."""
    match message:
        case RunChanged(state=state):
            return "run", state, state == "failed"
        case HealthChanged(health=health):
            return "health", health.status, health.status not in _WELL
        case RpoChanged(rpo=promise) | RtoChanged(rto=promise):
            return "objective", promise.state, promise.state in {"at-risk", "broken"}
        case PauseChanged(paused=paused):
            return "pause", "paused" if paused else "resumed", False
        case ApplicationObserved(refused=refused, exists=exists):
            seen = "observed" if exists else "gone"
            return "document", "refused" if refused else seen, bool(refused)
    return _kind_of_step(message), message.verb, isinstance(message, StepFailed)


def _kind_of_step(message: Message) -> EventKind:
    if isinstance(message, BackupStored) or message.noun == "version":
        return "version"
    if message.noun == "repository":
        return "repository"
    return "step" if isinstance(message, StepEvent) else "change"


def _of_state(message: Message) -> str:
    match message:
        case HealthChanged():
            health = message.health
            why = "; ".join(f"{one.object}: {one.why}" for one in health.reasons[:3])
            text = f"health {health.status}, before {message.before}"
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


def _changes(events: Iterable[ToldEvent]) -> Iterator[ToldEvent]:
    """Leave out what says the same as the one of its kind before: facts are told again."""
    before: dict[EventKind, tuple[str, str]] = {}
    for one in events:
        if before.get(one.kind) != (one.state, one.text):
            before[one.kind] = (one.state, one.text)
            yield one


def _reaction_text(reaction: Reaction) -> str:
    action = type(reaction.action).__name__.removesuffix("Action").lower()
    source = f" of policy {reaction.policy}" if reaction.policy else ""
    return f"reaction{source} to {reaction.when}: {action}"
