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
    RpoChanged,
    RtoChanged,
)
from appshield.contracts.backups import BackupStored
from appshield.contracts.health import HealthChanged
from appshield.contracts.message import Message, StepEvent
from appshield.contracts.runs import Failure, RunChanged, StepFailed
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import HISTORY, OUTCOMES
from appshield.contracts.subjects import event, told
from appshield.doors.event_words import (
    EventCode,
    coded,
    coded_reaction,
    reaction_sentence,
    sentence,
)

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

    `code` and `values` say the same for other languages (`event_words`). `state` is what it
    entered: a run `succeeded`, its health `Degraded`, a promise `at-risk`, its document `refused`.
    `problem` says that somebody may have to do something about it. What does not belong to a kind
    of event is empty.
    """

    id: str
    at: datetime
    kind: EventKind
    state: str
    text: str
    code: EventCode
    values: dict[str, str] = {}
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
    code, values = coded(message)
    base = ToldEvent(
        id=event_id,
        at=at,
        kind=kind,
        state=state,
        text=sentence(message),
        code=code,
        values=values,
        problem=problem,
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


def acted(record: ApplicationRecord) -> Iterator[ToldEvent]:
    """Tell when reactions acted, as far back as their rates make the planner remember. Pure."""
    reactions = {one.digest: one for one in record.reactions}
    for reacted in record.reacted:
        if (reaction := reactions.get(reacted.digest)) is None:
            continue
        for at in reacted.acted_at:
            code, values = coded_reaction(reaction)
            yield ToldEvent(
                id=f"{reaction.digest}.{at.timestamp():.0f}",
                at=at,
                kind="reaction",
                state="acted",
                text=reaction_sentence(reaction),
                code=code,
                values=values,
            )


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


def _changes(events: Iterable[ToldEvent]) -> Iterator[ToldEvent]:
    """Leave out what says the same as the one of its kind before: facts are told again."""
    before: dict[EventKind, tuple[str, str]] = {}
    for one in events:
        if before.get(one.kind) != (one.state, one.text):
            before[one.kind] = (one.state, one.text)
            yield one
