"""What expressions see: the values that stand behind `app`, `health`, `rpo` and so on.

One frozen type for each; its fields in camelCase are the attributes that an expression may name, so
that what does not exist is found when a document is applied. Durations and times are CEL's own.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from appshield.language.expression_errors import UndecidedError

LEVELS_MAX: Final = 64
"""Levels of a value that is not ours, as of a document."""
_INTEGERS: Final = range(-(2**63), 2**63)


class Facts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Values that an expression may name."""


class ComponentFacts(Facts, frozen=True, kw_only=True):
    """A component of the application."""

    name: Annotated[str, Meta(description="The component's name.")]
    profile: Annotated[str, Meta(description="Its type, such as database/postgresql.")]
    strategy: Annotated[str, Meta(description="snapshot, one-replica, dump or none.")]
    workload_kind: Annotated[str, Meta(description="The kind of its workload.")]
    workload_name: Annotated[str, Meta(description="The name of its workload.")]


class VolumeFacts(Facts, frozen=True, kw_only=True):
    """A volume of the application."""

    claim: Annotated[str, Meta(description="The name of its claim.")]
    storage_class: Annotated[str, Meta(description="Its storage class; empty without one.")]
    size_bytes: Annotated[int, Meta(description="What the claim asks for, in bytes.")]


class AppFacts(Facts, frozen=True, kw_only=True):
    """An application, with every default of its document filled in."""

    name: Annotated[str, Meta(description="Its name.")]
    namespace: Annotated[str, Meta(description="Its namespace.")]
    namespace_labels: Annotated[dict[str, str], Meta(description="Labels of its namespace.")]
    type: Annotated[str, Meta(description="Such as database/postgresql.")]
    criticality: Annotated[str, Meta(description="Such as gold.")]
    labels: Annotated[dict[str, str], Meta(description="Labels of its document.")]
    annotations: Annotated[dict[str, str], Meta(description="Annotations of its document.")]
    components: Annotated[tuple[ComponentFacts, ...], Meta(description="Its components.")]
    volumes: Annotated[tuple[VolumeFacts, ...], Meta(description="Its volumes.")]


class RpoFacts(Facts, frozen=True, kw_only=True):
    """How much would be lost now."""

    age: Annotated[timedelta, Meta(description="Age of the newest version.")]
    promise: Annotated[
        timedelta, Meta(description="The age that rules and `alerts.rpo` allow; 0s without.")
    ]
    state: Annotated[
        str, Meta(description="kept, at-risk or broken; empty where nothing is promised.")
    ]


class RtoFacts(Facts, frozen=True, kw_only=True):
    """How long it takes to bring the application back; a time that nobody knows is 0s."""

    last: Annotated[timedelta, Meta(description="What the last restore of all of it took.")]
    expected: Annotated[
        timedelta, Meta(description="What the next one may take; known where one is promised.")
    ]
    promise: Annotated[timedelta, Meta(description="The time that `alerts.rto` allows.")]
    state: Annotated[
        str, Meta(description="unproved, kept, at-risk or broken; empty without a promise.")
    ]


class LastBackupFacts(Facts, frozen=True, kw_only=True):
    """The newest version; without one `version` is 0."""

    version: Annotated[int, Meta(description="Its number.")]
    at: Annotated[datetime, Meta(description="When it was cut.")]
    age: Annotated[timedelta, Meta(description="How long ago that was.")]


class EventFacts(Facts, frozen=True, kw_only=True):
    """What a CloudEvent says of itself; all empty for another message."""

    id: Annotated[str, Meta(description="Its id.")] = ""
    source: Annotated[str, Meta(description="Where it comes from.")] = ""
    type: Annotated[str, Meta(description="What has happened.")] = ""
    subject: Annotated[str, Meta(description="What it has happened to; empty if not said.")] = ""


def payload_of(content: bytes) -> object:
    """Return what expressions see of the content of a message.

    That is its value where it is JSON, otherwise its text; null where it is empty or no text.

    Raises:
        UndecidedError: it is nested too deep.
    """
    try:
        value: object = msgspec.json.decode(content)
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.DecodeError:
        try:
            return content.decode() or None
        except UnicodeDecodeError:
            return None
    return plain(value)


def plain(value: object, level: int = 1) -> object:
    """Return a value of JSON as expressions take it: numbers beyond 64 bits become fractions.

    Raises:
        UndecidedError: it is nested too deep.
    """
    if isinstance(value, int) and value not in _INTEGERS:
        return _fraction(value)
    if not isinstance(value, dict | list):
        return value
    if level > LEVELS_MAX:
        raise _too_deep()
    if isinstance(value, list):
        return [plain(one, level + 1) for one in value]
    return {name: plain(one, level + 1) for name, one in value.items()}


def _fraction(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _too_deep() -> UndecidedError:
    return UndecidedError(
        f"a value is nested more than {LEVELS_MAX} deep",
        next_step="Make it flatter, or leave out the expression.",
    )
