"""The grammar of subjects: nothing is lost on the way there and back."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.contracts import MESSAGES, Message, StepCommand, subjects
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.documents import ELSEWHERE, example
from appshield.contracts.identities import AppRef, actor_token, name_of, token
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.streams import CONSUMERS, STREAM_NAME_BEGINS, STREAMS

ORDERS = [one for one in MESSAGES if issubclass(one, StepCommand)]

names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)
words = st.from_regex(r"[a-z]{1,10}", fullmatch=True)
places = st.builds(AppRef, cluster=names, namespace=names, name=names)


@given(names)
def test_a_kubernetes_name_survives_as_a_token(name: str) -> None:
    """Dots become underscores, which no name holds, and come back."""
    written = token(name)
    assert "." not in written
    assert name_of(written) == name


@given(names, names)
def test_two_names_are_two_tokens(one: str, other: str) -> None:
    """No two names share a token."""
    assert (token(one) == token(other)) == (one == other)


@pytest.mark.parametrize("name", ["", "a_b", "A", "a b", "a*", ">", ".a", "-a", "a-", "ä"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """Nothing that could widen a subject becomes a token."""
    with pytest.raises(ValueError, match="not a Kubernetes name"):
        token(name)


@given(st.text(max_size=600))
def test_who_asks_is_one_token_whatever_the_name(actor: str) -> None:
    """Names of accounts hold dots and colons, those of people anything; no token is a wildcard."""
    written = actor_token(actor)
    assert re.fullmatch(r"[-A-Za-z0-9_@:=]+", written)
    assert len(written) <= 400


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_who_ask_are_two_tokens(one: str, other: str) -> None:
    """Nobody passes for somebody else; long names neither."""
    assert (actor_token(one) == actor_token(other)) == (one == other)
    assert (actor_token(one * 30) == actor_token(other * 30)) == (one * 30 == other * 30)


@pytest.mark.parametrize(
    ("actor", "written"),
    [
        ("alice@example.com", "alice@example=2Ecom"),
        ("system:serviceaccount:shop:ci", "system:serviceaccount:shop:ci"),
        ("Restore shop/try it", "Restore=20shop=2Ftry=20it"),
        (">", "=3E"),
        ("=3E", "=3D3E"),
        ("", "="),
    ],
)
def test_who_asks_stays_readable(actor: str, written: str) -> None:
    """A person who looks at subjects recognises names."""
    assert actor_token(actor) == written


@given(words, places, words, st.text(max_size=30))
def test_a_request_ends_in_its_door_and_who_asks(
    noun: str, app: AppRef, door: str, actor: str
) -> None:
    """So that the server can let a user publish its own only."""
    made = subjects.request(noun, app, door=door, actor=actor)
    assert subjects.matches(made, subjects.requests(noun, door=door, actor=actor_token(actor)))
    assert subjects.matches(made, subjects.requests(door=door))
    assert not subjects.matches(made, subjects.requests(door=f"{door}s"))
    assert not subjects.matches(made, subjects.requests(door=door, actor=actor_token(f"{actor}s")))


@given(words, words, places)
def test_an_event_ends_with_its_place(noun: str, verb: str, app: AppRef) -> None:
    """Cluster, namespace and name can be read from the subject."""
    parts = subjects.event(noun, verb, app).split(".")
    assert parts[:5] == ["appshield", "v1", "evt", noun, verb]
    cluster, namespace, name = map(name_of, parts[5:])
    assert AppRef(cluster=cluster, namespace=namespace, name=name) == app


@given(words, places, names)
def test_an_order_is_found_by_its_node_and_by_no_other(noun: str, app: AppRef, node: str) -> None:
    """The filter of a node takes its orders, the pool's takes those for any."""
    own = subjects.command(noun, "do", app, node=node)
    anywhere = subjects.command(noun, "do", app)
    of_node = subjects.orders(noun, "do", cluster=app.cluster, node=node)
    of_pool = subjects.orders(noun, "do", node=subjects.ANY_NODE)
    assert subjects.matches(own, of_node)
    assert not subjects.matches(own, of_pool)
    assert subjects.matches(anywhere, of_pool)
    assert not subjects.matches(anywhere, of_node)
    assert subjects.matches(own, subjects.orders(noun, "do"))


@given(st.lists(words, min_size=1, max_size=6), st.data())
def test_patterns_match_what_they_were_made_from(tokens: list[str], data: st.DataObject) -> None:
    """Replacing tokens by `*`, or a tail by `>`, gives a pattern that matches."""
    subject = ".".join(tokens)
    starred = [data.draw(st.sampled_from([one, "*"])) for one in tokens]
    assert subjects.matches(subject, ".".join(starred))
    cut = data.draw(st.integers(0, len(tokens) - 1))
    assert subjects.matches(subject, ".".join([*starred[:cut], ">"]))
    assert not subjects.matches(subject, ".".join([*starred, ">"]))
    assert not subjects.matches(subject, ".".join([*starred, "*"]))


def streams_of(subject: str) -> list[str]:
    return [
        stream.name
        for stream in STREAMS
        if any(subjects.matches(subject, pattern) for pattern in stream.subjects)
    ]


def readers_of(subject: str) -> list[ConsumerSpec]:
    return [
        consumer
        for consumer in CONSUMERS
        if any(subjects.matches(subject, pattern) for pattern in consumer.filters)
    ]


@pytest.mark.parametrize(
    "message", [one for one in MESSAGES if one not in ELSEWHERE], ids=lambda one: one.__name__
)
def test_every_message_is_kept_by_one_stream(message: type[Message]) -> None:
    """No message falls between streams, and none is kept twice."""
    assert len(streams_of(example(message).subject())) == 1


@pytest.mark.parametrize("message", ORDERS, ids=lambda one: one.__name__)
def test_every_order_has_exactly_one_reader(message: type[StepCommand]) -> None:
    """An order for any worker is read by the pool, one for a node by its agent; never by two."""
    order = example(message)
    assert isinstance(order, StepCommand)
    for node in ("", "node-1"):
        subject = subjects.command(order.noun, order.verb, order.app, node=node)
        readers = readers_of(subject)
        for agent in (
            agent_consumer("uploader", order.app.cluster, "node-1"),
            agent_consumer("restorer", order.app.cluster, "node-1"),
        ):
            if any(subjects.matches(subject, pattern) for pattern in agent.filters):
                readers.append(agent)
        assert len(readers) <= 1, [one.name for one in readers]


def test_streams_do_not_overlap() -> None:
    """The server refuses streams that share a subject; so does this test."""
    patterns = [(stream.name, pattern) for stream in STREAMS for pattern in stream.subjects]
    for (name, one), (other_name, other) in itertools.combinations(patterns, 2):
        probe = one.replace("*", "x").replace(">", "x.x.x.x")
        assert name == other_name or not subjects.matches(probe, other), (one, other)


def test_names_have_the_form_that_others_rely_on() -> None:
    """Streams share a beginning; a consumer begins with its service and reads what exists."""
    by_name = {stream.name: stream for stream in STREAMS}
    for stream in STREAMS:
        assert stream.name.startswith(STREAM_NAME_BEGINS)
        assert stream.bytes_max > 0
    for consumer in CONSUMERS:
        service, _, _ = consumer.name.partition("-")
        assert service in {"planner", "snapshotter", "uploader", "restorer", "gateway"}
        kept = by_name[consumer.stream].subjects
        for pattern in consumer.filters:
            probe = pattern.replace("*", "x").replace(">", "x.x.x.x")
            assert any(subjects.matches(probe, one) for one in kept), pattern
