"""What a message bus is: one suite, run on the one in memory and on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from appshield.bus import (
    Bus,
    BusAccess,
    BusFullError,
    Change,
    DeadLetters,
    Delivery,
    KeyExistsError,
    NobodyAnswersError,
    Reject,
    Retry,
    StaleRevisionError,
    connect_bus,
)
from appshield.contracts import encode, subjects
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup
from appshield.contracts.streams import PLANNER_TIMERS, ConsumerSpec, StreamSpec
from appshield.errors import InvalidInputError, NotFoundError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import (
    APP,
    put,
    scratch_bucket,
    scratch_consumer,
    scratch_stream,
    subject_in,
)
from memory_bus import MemoryBus
from waiting import wait_until

DEADLINE_S = 15.0


KINDS = ["memory", "nats", "nats in a container"]


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, embedded_bus: EmbeddedBus) -> AsyncIterator[Bus]:
    """Each kind of bus, with the topology of the contracts."""
    async with connected(request, embedded_bus) as bus:
        yield bus


@pytest.fixture(params=KINDS)
async def impatient_bus(
    request: pytest.FixtureRequest, embedded_bus: EmbeddedBus
) -> AsyncIterator[Bus]:
    """Each kind, that gives a publish up soon."""
    async with connected(request, embedded_bus, publish_budget_s=2.0) as bus:
        yield bus


@asynccontextmanager
async def connected(
    request: pytest.FixtureRequest, embedded_bus: EmbeddedBus, publish_budget_s: float = 30.0
) -> AsyncIterator[Bus]:
    """Connect to the kind of bus that a fixture is asked for."""
    if request.param == "memory":
        yield MemoryBus("tester")
        return
    access = embedded_bus.access("tester")
    if request.param == "nats in a container":
        access = BusAccess(url=request.getfixturevalue("nats_in_container"), user="tester")
    async with connect_bus(access, name="conformance", publish_budget_s=publish_budget_s) as bus:
        await bus.ensure_topology()
        yield bus


class Handled:
    """A handler that notes what it was given and answers as told."""

    def __init__(self, *answers: Exception | None) -> None:
        self.deliveries: list[Delivery] = []
        self._answers = list(answers)

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer

    @property
    def ids(self) -> list[str]:
        return [delivery.message_id for delivery in self.deliveries]


async def run_until(bus: Bus, consumer: ConsumerSpec, handler: Handled, *, count: int) -> None:
    """Consume until the handler was called `count` times, then stop."""
    stopping = asyncio.Event()
    running = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping))
    try:
        await wait_until(
            lambda: len(handler.deliveries) >= count or running.done(),
            deadline_s=DEADLINE_S,
            what=f"{count} deliveries",
        )
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE_S):
            await running


async def consumed_stream(bus: Bus, **limits: int) -> tuple[StreamSpec, ConsumerSpec]:
    """Make a work queue with one consumer."""
    stream = scratch_stream(retention="work")
    consumer = scratch_consumer(stream, **limits)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    return stream, consumer


async def test_a_message_arrives_as_it_was_published(bus: Bus) -> None:
    """Body, subject, identity and place survive the way."""
    stream, consumer = await consumed_stream(bus)
    receipt = await put(bus, stream, "a")
    handled = Handled()
    await run_until(bus, consumer, handled, count=1)
    delivery = handled.deliveries[0]
    assert delivery.message == RequestBackup(app=APP, request_id="a")
    assert (delivery.subject, delivery.message_id) == (subject_in(stream), "a")
    assert (delivery.sequence, delivery.deliveries) == (receipt.sequence, 1)


async def test_the_same_identity_is_stored_once(bus: Bus) -> None:
    """A repeated publish is told to be a duplicate and is not delivered."""
    stream, consumer = await consumed_stream(bus)
    first = await put(bus, stream, "a")
    second = await put(bus, stream, "a")
    assert (second.sequence, second.duplicate) == (first.sequence, True)
    await put(bus, stream, "b")
    handled = Handled()
    await run_until(bus, consumer, handled, count=2)
    assert handled.ids == ["a", "b"]


async def test_a_handled_message_leaves_a_work_queue(bus: Bus) -> None:
    """What is acknowledged is gone, and the consumer says how far it is."""
    stream, consumer = await consumed_stream(bus)
    receipt = await put(bus, stream, "a")
    await run_until(bus, consumer, Handled(), count=1)
    assert [stored async for stored in bus.read(stream)] == []
    assert await bus.acknowledged(consumer) == receipt.sequence


async def test_retry_brings_the_message_again(bus: Bus) -> None:
    """The next delivery counts, and the message is not parked."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    handled = Handled(Retry("not yet", after_s=0.1))
    await run_until(bus, consumer, handled, count=2)
    assert [delivery.deliveries for delivery in handled.deliveries] == [1, 2]


async def test_a_failing_handler_gets_the_message_again(bus: Bus) -> None:
    """An unexpected error is no end: the message comes again."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    handled = Handled(ValueError("a bug"))
    await run_until(bus, consumer, handled, count=2)
    assert handled.ids == ["a", "a"]


async def letters_of(bus: Bus, stream: StreamSpec) -> list[str]:
    """List the reasons of the dead letters that came from a stream."""
    return [
        letter.reason
        for letter in await DeadLetters(bus).list("tester")
        if letter.stream == stream.name
    ]


async def test_reject_parks_at_once(bus: Bus) -> None:
    """A rejected message becomes a dead letter with its reason, and comes no more."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    handled = Handled(Reject("nobody knows this application"))
    await run_until(bus, consumer, handled, count=1)
    assert await letters_of(bus, stream) == ["nobody knows this application"]
    assert [stored async for stored in bus.read(stream)] == []


async def test_the_last_delivery_parks(bus: Bus) -> None:
    """A message that failed as often as allowed becomes a dead letter that says so."""
    stream, consumer = await consumed_stream(bus, deliver_max=2)
    await put(bus, stream, "a")
    handled = Handled(ValueError("a bug"), Retry("not yet", after_s=0.1))
    await run_until(bus, consumer, handled, count=2)
    assert await letters_of(bus, stream) == ["not yet (after 2 deliveries)"]


async def test_what_is_no_message_is_parked_without_a_handler(bus: Bus) -> None:
    """Bytes that cannot be decoded never reach a handler."""
    stream, consumer = await consumed_stream(bus)
    await bus.publish_raw(subject_in(stream), b"not json", message_id="x")
    await put(bus, stream, "a")
    handled = Handled()
    await run_until(bus, consumer, handled, count=1)
    assert handled.ids == ["a"]
    reasons = await letters_of(bus, stream)
    assert len(reasons) == 1
    assert reasons[0].startswith("no message of this system")


async def test_a_dead_letter_is_replayed_under_a_new_identity(bus: Bus) -> None:
    """Replay puts the message where it was and forgets the letter; the identity counts replays."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    handled = Handled(Reject("first"), Reject("second"))
    letters = DeadLetters(bus)
    for count in (1, 2):
        await run_until(bus, consumer, handled, count=count)
        parked = [one for one in await letters.list() if one.stream == stream.name]
        assert len(parked) == 1
        assert await letters.show(parked[0].sequence) == parked[0]
        await letters.replay(parked[0].sequence)
    await run_until(bus, consumer, handled, count=3)
    assert handled.ids == ["a", "a.replay.1", "a.replay.2"]
    assert await letters_of(bus, stream) == []


async def test_an_unknown_dead_letter_is_not_found(bus: Bus) -> None:
    """Looking at a letter that is not there says so."""
    with pytest.raises(NotFoundError, match="no dead letter 4000000"):
        await DeadLetters(bus).show(4_000_000)


async def test_a_full_stream_refuses_and_names_its_limit(bus: Bus) -> None:
    """Back-pressure is an error that names stream and limit; nothing is lost."""
    stream = scratch_stream(messages_max=2)
    await bus.ensure_stream(stream)
    await put(bus, stream, "a")
    await put(bus, stream, "b")
    with pytest.raises(BusFullError, match=r"maximum messages exceeded .*2 messages") as caught:
        await put(bus, stream, "c")
    assert caught.value.stream == stream.name
    assert [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)] == ["a", "b"]


async def test_concurrency_is_bounded(bus: Bus) -> None:
    """No more handlers run at once than asked for."""
    stream, consumer = await consumed_stream(bus)
    for number in range(6):
        await put(bus, stream, f"m{number}")
    running = most = done = 0
    turns = asyncio.Semaphore(0)

    async def handler(_: Delivery) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await turns.acquire()
        running -= 1
        done += 1

    stopping = asyncio.Event()
    loop = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping, concurrency=2))
    for ended in range(6):
        full = partial(lambda ended: done == ended and running == min(2, 6 - ended), ended)
        await wait_until(full, deadline_s=DEADLINE_S, what=f"two at work after {ended}")
        turns.release()
    await wait_until(lambda: done == 6, deadline_s=DEADLINE_S, what="all six handled")
    stopping.set()
    await loop
    assert most == 2


async def test_stopping_lets_running_handlers_finish(bus: Bus) -> None:
    """A drain begins nothing new and interrupts nothing."""
    stream, consumer = await consumed_stream(bus)
    for number in range(3):
        await put(bus, stream, f"m{number}")
    begun = asyncio.Event()
    go_on = asyncio.Event()
    finished: list[str] = []

    async def handler(delivery: Delivery) -> None:
        begun.set()
        await go_on.wait()
        finished.append(delivery.message_id)

    stopping = asyncio.Event()
    loop = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping, concurrency=1))
    async with asyncio.timeout(DEADLINE_S):
        await begun.wait()
        stopping.set()
        go_on.set()
        await loop
    assert finished == ["m0"]
    left = [one.headers["Nats-Msg-Id"] async for one in bus.read(stream)]
    assert left == ["m1", "m2"]


async def test_a_timer_fires_on_its_due_subject(bus: Bus) -> None:
    """A timer of the past fires at once, with its body and identity."""
    name = f"t{id(bus)}"
    body = encode(RequestBackup(app=APP, request_id=name))
    await bus.schedule(name, datetime.now(UTC) - timedelta(minutes=1), body, message_id=name)
    handled = Handled()
    await run_until(bus, PLANNER_TIMERS, handled, count=1)
    assert (handled.deliveries[0].subject, handled.ids) == (subjects.due(name), [name])


async def test_a_timer_can_be_replaced_and_cancelled(bus: Bus) -> None:
    """The last schedule under a name counts; a cancelled one never fires."""
    far = datetime.now(UTC) + timedelta(hours=1)
    past = datetime.now(UTC) - timedelta(minutes=1)
    moved, cancelled = f"m{id(bus)}", f"c{id(bus)}"
    for name in (moved, cancelled):
        body = encode(RequestBackup(app=APP, request_id=name))
        await bus.schedule(name, far, body, message_id=name)
    await bus.cancel_timer(cancelled)
    body = encode(RequestBackup(app=APP, request_id=moved))
    await bus.schedule(moved, past, body, message_id=moved)
    handled = Handled()
    await run_until(bus, PLANNER_TIMERS, handled, count=1)
    assert handled.ids == [moved]


async def test_reading_gives_a_stream_in_order_without_consuming(bus: Bus) -> None:
    """Filters, a start and the present end are kept to; the consumer still gets everything."""
    stream, consumer = await consumed_stream(bus)
    for number in range(3):
        await put(bus, stream, f"m{number}", name="even" if number % 2 == 0 else "odd")
    even = subject_in(stream, "even")
    assert [one.sequence async for one in bus.read(stream, filters=(even,))] == [1, 3]
    assert [one.sequence async for one in bus.read(stream, since=2)] == [2, 3]
    assert [one.sequence async for one in bus.read(stream, since="new")] == []
    handled = Handled()
    await run_until(bus, consumer, handled, count=3)


async def test_following_gives_what_comes(bus: Bus) -> None:
    """A follower sees new messages, of several filters, and can be closed."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    await put(bus, stream, "old")
    seen: list[str] = []
    filters = (subject_in(stream, "left"), subject_in(stream, "right"))

    async def follow() -> None:
        async for stored in bus.read(stream, filters=filters, since="new", follow=True):
            seen.append(stored.headers["Nats-Msg-Id"])  # noqa: PERF401 - it never ends

    following = asyncio.create_task(follow())
    number = 0

    async def told() -> bool:
        nonlocal number
        number += 1
        await put(bus, stream, f"n{number}", name=("left", "middle", "right")[number % 3])
        return len(seen) >= 4

    await wait_until(told, deadline_s=DEADLINE_S, what="four followed")
    following.cancel()
    numbers = [int(one[1:]) for one in seen]
    assert numbers == sorted(numbers)
    assert all(one % 3 != 1 for one in numbers)


async def test_trim_drops_what_lies_below(bus: Bus) -> None:
    """A trim keeps the sequence that it names."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    for number in range(4):
        await put(bus, stream, f"m{number}")
    await bus.trim(stream, below_sequence=0)
    await bus.trim(stream, below_sequence=3)
    assert [one.sequence async for one in bus.read(stream)] == [3, 4]


async def test_a_removed_consumer_takes_its_messages_along(bus: Bus) -> None:
    """With purge, what only it would read is gone; removing twice is no error."""
    stream, consumer = await consumed_stream(bus)
    await put(bus, stream, "a")
    await bus.remove_consumer(consumer, purge=True)
    await bus.remove_consumer(consumer, purge=True)
    assert [stored async for stored in bus.read(stream)] == []


async def test_nothing_stores_an_unknown_subject(impatient_bus: Bus) -> None:
    """A publish that no stream takes is an error, not a loss."""
    with pytest.raises(NobodyAnswersError, match="nothing serves"):
        await impatient_bus.publish_raw("appshield.v1.nowhere", b"{}", message_id="x")


async def test_what_is_told_is_heard_and_not_stored(bus: Bus) -> None:
    """Listeners of a matching subject hear it; others do not."""
    heard: list[Message] = []
    message = RequestBackup(app=APP, request_id="x")

    async def listener(one: Message) -> None:
        heard.append(one)

    async with bus.listen("appshield.v1.live.>", listener):
        await bus.tell("appshield.v1.live.progress.a.b.c", message)
        await bus.tell("appshield.v1.other", message)
        await wait_until(lambda: heard, deadline_s=DEADLINE_S, what="heard")
    await bus.tell("appshield.v1.live.progress.a.b.c", message)
    assert heard == [message]


async def test_a_key_is_created_once(bus: Bus) -> None:
    """Create fails where a key is, and works again after it was deleted."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)
    assert await bucket.get("a") is None
    first = await bucket.create("a", "one")
    with pytest.raises(KeyExistsError, match="the key a exists already"):
        await bucket.create("a", "two")
    await bucket.delete("a")
    assert await bucket.get("a") is None
    again = await bucket.create("a", "three")
    assert again > first
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision, entry.key) == ("three", again, "a")


async def test_update_needs_the_present_revision(bus: Bus) -> None:
    """Of two writers who read the same revision only one wins."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    first = await bucket.create("a", 1)
    second = await bucket.update("a", 2, first)
    with pytest.raises(StaleRevisionError, match=f"since revision {first}"):
        await bucket.update("a", 3, first)
    with pytest.raises(StaleRevisionError):
        await bucket.delete("a", revision=first)
    await bucket.delete("a", revision=second)
    await bucket.delete("a", revision=second)
    with pytest.raises(StaleRevisionError):
        await bucket.update("a", 4, second)


async def test_keys_are_chosen_by_prefix(bus: Bus) -> None:
    """Empty means all, a dot at the end means below, else exactly that key."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    for number, key in enumerate(("a.v1", "a.v2", "a", "b.v1")):
        await bucket.put(key, number)
    await bucket.put("a", 7)
    await bucket.delete("a.v2")
    assert await bucket.keys() == ["a", "a.v1", "b.v1"]
    assert await bucket.keys("a.") == ["a.v1"]
    assert await bucket.keys("a") == ["a"]
    assert [(one.key, one.value) async for one in bucket.items("a")] == [("a", 7)]


async def test_keys_have_a_form(bus: Bus) -> None:
    """A key that would be a pattern or break a subject is refused."""
    bucket = bus.bucket(scratch_bucket(), int)
    for key in ("", "a b", "a.*", ">", ".a", "a..b", "a."):
        with pytest.raises(InvalidInputError):
            await bucket.put(key, 1)


async def test_raw_values_pass_through(bus: Bus) -> None:
    """A bucket of raw JSON gives the same text back."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, msgspec.Raw)
    await bucket.put("a", msgspec.Raw(b'{"b": 1}'))
    entry = await bucket.get("a")
    assert entry is not None
    assert bytes(entry.value) == b'{"b": 1}'


async def test_a_watch_begins_with_what_is_there(bus: Bus) -> None:
    """First the present state, then one marker, then changes and deletions."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    await bucket.put("a", 1)
    await bucket.put("gone", 1)
    await bucket.delete("gone")
    stopping = asyncio.Event()
    changes: list[Change[int]] = []

    async def watch() -> None:
        async for change in bucket.watch(stopping=stopping):
            changes.append(change)  # noqa: PERF401 - it never ends

    watching = asyncio.create_task(watch())
    await wait_until(lambda: len(changes) == 2, deadline_s=DEADLINE_S, what="state and marker")
    await bucket.put("b", 2)
    await wait_until(lambda: len(changes) == 3, deadline_s=DEADLINE_S, what="a change")
    await bucket.delete("a")
    await wait_until(lambda: len(changes) == 4, deadline_s=DEADLINE_S, what="a deletion")
    stopping.set()
    async with asyncio.timeout(DEADLINE_S):
        await watching
    said = [(change.key, change.value, change.is_marker) for change in changes]
    assert said == [("a", 1, False), ("", None, True), ("b", 2, False), ("a", None, False)]
