"""Signals of other tools, read from what they published: plain messages and CloudEvents. Pure.

A CloudEvent may come in both modes: structured (the content is the event, as JSON) and binary (its
attributes are headers that begin with `ce-`). What names a message, so that the same one again is
no second signal: its `Nats-Msg-Id`, else the event's source and id, else its place in the stream.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

import msgspec

from appshield.bus.errors import Reject
from appshield.bus.publishing import MESSAGE_ID
from appshield.contracts import decode
from appshield.contracts.changes import Signal, signal_place
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.subjects import ROOT

_BEGINS = f"{ROOT}.signal."
_STRUCTURED = "application/cloudevents"
_BINARY = "ce-"


class _Event(msgspec.Struct, frozen=True):
    """A CloudEvent, as JSON has it."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str = ""
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str = ""

    def content(self) -> bytes:
        if not self.data_base64:
            return bytes(self.data)
        try:
            return base64.b64decode(self.data_base64, validate=True)
        except binascii.Error as error:
            raise Reject(f"no CloudEvent: its data_base64 cannot be read: {error}") from error


def message_in(
    consumer: ConsumerSpec,
    subject: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    sequence: int,
    stored_at: datetime,
) -> Message:
    """Read what a consumer is given: a message of this system, or a signal of another tool.

    Raises:
        Reject: it is neither.
    """
    if consumer.signals:
        return received(subject, headers, body, sequence=sequence, stored_at=stored_at)
    try:
        return decode(body)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise Reject(f"no message of this system: {error}") from error


def received(
    subject: str, headers: Mapping[str, str], body: bytes, *, sequence: int, stored_at: datetime
) -> Signal:
    """Read a message on a signal's subject; the first token after `signal` is the signal's name.

    Raises:
        Reject: it says that it is a CloudEvent and is none, or its subject names no signal.
    """
    name = subject.removeprefix(_BEGINS).partition(".")[0]
    try:
        place = signal_place(name)
    except ValueError as error:
        raise Reject(f"no signal can have the name {name!r}: {error}") from error
    event = _event({key.lower(): text for key, text in headers.items()}, body)
    if message_id := headers.get(MESSAGE_ID):
        identity = f"message/{message_id}"
    elif event is not None:
        identity = f"event/{event.source}/{event.id}"
    else:
        identity = f"place/{stored_at.isoformat()}/{sequence}"
    if event is None:
        return Signal(app=place, name=name, id=identity, content=body)
    return Signal(
        app=place,
        name=name,
        id=identity,
        content=event.content(),
        source=event.source,
        event_id=event.id,
        event_type=event.type,
        event_subject=event.subject,
    )


def _event(headers: Mapping[str, str], body: bytes) -> _Event | None:
    """Return the CloudEvent that a message is, None for a plain message."""
    if headers.get("content-type", "").startswith(_STRUCTURED):
        return _structured(body)
    if "ce-specversion" in headers:
        told = {
            key.removeprefix(_BINARY): text
            for key, text in headers.items()
            if key.startswith(_BINARY) and not key.startswith("ce-data")
        }
        return msgspec.structs.replace(_converted(told), data=msgspec.Raw(body))
    try:
        return msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, RecursionError):
        return None  # not said to be an event, and none


def _structured(body: bytes) -> _Event:
    try:
        return msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Reject(f"no CloudEvent: {error}") from error


def _converted(told: Mapping[str, str]) -> _Event:
    try:
        return msgspec.convert(told, _Event)
    except msgspec.ValidationError as error:
        raise Reject(f"no CloudEvent: {error}") from error
