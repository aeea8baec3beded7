"""What other tools publish as a signal: plain messages, CloudEvents in both modes, and garbage."""

import base64
import json
from datetime import UTC, datetime

import pytest

from appshield.bus import Reject
from appshield.bus.signals import received
from appshield.contracts.changes import Signal

STORED_AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
SUBJECT = "appshield.v1.signal.deployed"
EVENT = {
    "specversion": "1.0",
    "id": "42",
    "source": "/ci/shop",
    "type": "com.example.deployed",
    "subject": "web",
    "data": {"image": "shop:2"},
}


def _received(
    body: bytes, headers: dict[str, str] | None = None, *, subject: str = SUBJECT, sequence: int = 7
) -> Signal:
    return received(subject, headers or {}, body, sequence=sequence, stored_at=STORED_AT)


def test_a_plain_message_is_named_by_its_message_id() -> None:
    """Its content stays as it is; published again with the same id it is the same signal."""
    first = _received(b"hello", {"Nats-Msg-Id": "one"})
    again = _received(b"hello", {"Nats-Msg-Id": "one"}, sequence=9)
    assert first.content == b"hello"
    assert first == again


def test_without_any_identity_the_place_in_the_stream_is_one() -> None:
    """Two messages with the same words are two signals, also after the stream was made anew."""
    first, second = _received(b"hello"), _received(b"hello", sequence=8)
    later = received(SUBJECT, {}, b"hello", sequence=7, stored_at=STORED_AT.replace(hour=13))
    assert len({first.id, second.id, later.id}) == 3


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/cloudevents+json"}])
def test_a_structured_cloudevent_gives_its_data_and_attributes(headers: dict[str, str]) -> None:
    """With or without a header that says what it is."""
    signal = _received(json.dumps(EVENT).encode(), headers)
    assert json.loads(signal.content) == {"image": "shop:2"}
    assert (signal.event_id, signal.source) == ("42", "/ci/shop")
    assert (signal.event_type, signal.event_subject) == ("com.example.deployed", "web")


def test_a_binary_cloudevent_is_the_same_signal_as_the_structured_one() -> None:
    """The attributes are headers then, in whatever case, and the content is the data."""
    headers = {f"CE-{name.capitalize()}": str(EVENT[name]) for name in EVENT if name != "data"}
    signal = _received(b'{"image":"shop:2"}', {**headers, "content-type": "application/json"})
    structured = _received(json.dumps(EVENT, separators=(",", ":")).encode())
    assert signal == structured


def test_events_of_different_sources_are_different_though_their_ids_are_equal() -> None:
    """An id is unique within its source only."""
    other = {**EVENT, "source": "/ci/other"}
    ids = {_received(json.dumps(event).encode()).id for event in (EVENT, other)}
    assert len(ids) == 2


def test_binary_data_in_a_structured_event_is_decoded() -> None:
    """What came as base64 is content like any other."""
    event = {**EVENT, "data_base64": base64.b64encode(b"\x00\x01").decode()}
    del event["data"]
    assert _received(json.dumps(event).encode()).content == b"\x00\x01"


def test_further_tokens_belong_to_the_same_signal() -> None:
    """A mapping may keep the end of the subject that it was."""
    assert _received(b"", subject=f"{SUBJECT}.shop.web").name == "deployed"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"no json", {"Content-Type": "application/cloudevents+json"}),
        (b"{}", {"Content-Type": "application/cloudevents+json"}),
        (b"", {"ce-specversion": "1.0", "ce-id": "1"}),
        (json.dumps({**EVENT, "data_base64": "%"}).encode(), {}),
    ],
)
def test_what_says_that_it_is_an_event_and_is_none_is_rejected(
    body: bytes, headers: dict[str, str]
) -> None:
    """It is parked with the reason, not taken for a plain message."""
    with pytest.raises(Reject, match="no CloudEvent"):
        _received(body, headers)


def test_a_name_that_no_rule_can_have_is_rejected() -> None:
    """Rules name signals as Kubernetes names things."""
    with pytest.raises(Reject, match="no signal can have the name"):
        _received(b"", subject="appshield.v1.signal.Not_A_Name")
