"""Which rules a signal is for, and where signals come from beside their own subjects.

An administrator maps subjects of other tools to signals, as `SUBJECT=SIGNAL`, or as
`STREAM:SUBJECT=SIGNAL` where a stream holds them already: no two streams can have one subject.
"""

import functools
import re
from collections.abc import Iterable

from msgspec.structs import replace

from appshield.application.facts import facts_of
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.changes import Signal, signal_place
from appshield.contracts.stream_specs import MIB, SourceSpec, StreamSpec
from appshield.contracts.streams import DAY_S, SIGNALS
from appshield.contracts.subjects import ROOT
from appshield.errors import InvalidInputError
from appshield.language.expression_values import EventFacts, payload_of
from appshield.language.expressions import SIGNAL, Condition

MAPPED = "APPSHIELD_MAPPED"
_CONDITIONS_MAX = 1024
_MAPPING = re.compile(r"(?:(?P<stream>[^\s.*>:=]+):)?(?P<subject>[^\s:=]+)=(?P<signal>[^\s:=]+)")


def waits_for(record: ApplicationRecord, rule: Protection, signal: Signal) -> bool:
    """Say whether a rule waits for this very signal.

    Raises:
        UndecidedError: its expression has no answer for it.
        ExpressionError: it is one of another version of the language.
    """
    if rule.signal != signal.name:
        return False
    if not rule.when:
        return True
    event = EventFacts(
        id=signal.event_id,
        source=signal.source,
        type=signal.event_type,
        subject=signal.event_subject,
    )
    values = SIGNAL.values(payload=payload_of(signal.content), event=event, app=facts_of(record))
    return _condition(rule.when).holds(values)


def mapped_streams(mappings: Iterable[str]) -> tuple[StreamSpec, ...]:
    """Return the streams that bring other tools' subjects in as signals, the last one's first.

    Raises:
        InvalidInputError: a mapping is not in the form above, or names no signal.
    """
    moves: dict[str, list[tuple[str, str]]] = {}
    for mapping in mappings:
        stream, subject, signal = _parts(mapping)
        moves.setdefault(stream or MAPPED, []).append((subject, _destination(subject, signal)))
    sources = tuple(SourceSpec(stream=name, moves=tuple(of)) for name, of in moves.items())
    signals = replace(SIGNALS, sources=sources)
    if MAPPED not in moves:
        return (signals,)
    mapped = StreamSpec(
        name=MAPPED,
        purpose="messages of other tools that are signals, on their way there",
        subjects=tuple(subject for subject, _ in moves[MAPPED]),
        discard="old",
        bytes_max=64 * MIB,
        age_max_s=DAY_S,
    )
    return (mapped, signals)


def _parts(mapping: str) -> tuple[str, str, str]:
    found = _MAPPING.fullmatch(mapping)
    if found is None:
        raise InvalidInputError(
            f"{mapping!r} maps no subject to a signal",
            next_step="Write SUBJECT=SIGNAL, or STREAM:SUBJECT=SIGNAL, such as ci.done.>=deployed.",
        )
    try:
        signal_place(found["signal"])
    except ValueError as error:
        raise InvalidInputError(f"{mapping!r} names no signal", why=str(error)) from error
    return found["stream"] or "", found["subject"], found["signal"]


def _destination(subject: str, signal: str) -> str:
    """Return where a subject is moved; the server demands that no wildcard gets lost."""
    parts = subject.split(".")
    kept = "".join(f".{{{{wildcard({place + 1})}}}}" for place in range(parts.count("*")))
    rest = ".>" if parts[-1] == ">" else ""
    return f"{ROOT}.signal.{signal}{kept}{rest}"


@functools.lru_cache(maxsize=_CONDITIONS_MAX)
def _condition(text: str) -> Condition:
    return SIGNAL.condition(text)
