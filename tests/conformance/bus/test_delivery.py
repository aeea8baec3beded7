"""What a bus delivers: at least once, again after a failure, to the dead letters in the end."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from appshield.bus import (
    Bus,
    BusFullError,
    DeadLetters,
    Delivery,
    NobodyAnswersError,
    Reject,
    Retry,
)
from appshield.contracts import encode, subjects
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import PLANNER_TIMERS
from appshield.errors import NotFoundError
from bus_consumers import Handled, consumed_stream, run_until
from embedded_bus import APP, put, scratch_stream, subject_in
from waiting import wait_until

DEADLINE_S = 15.0


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


async def test_nothing_stores_an_unknown_subject(impatient_bus: Bus) -> None:
    """A publish that no stream takes is an error, not a loss."""
    with pytest.raises(NobodyAnswersError, match="nothing serves"):
        await impatient_bus.publish_raw("appshield.v1.nowhere", b"{}", message_id="x")


async def test_what_is_told_is_heard_and_not_stored(bus: Bus) -> None:
    """Listeners of a matching subject hear it; others do not."""
    heard: list[tuple[Message, str]] = []
    message = RequestBackup(app=APP, request_id="x")

    async def listener(one: Message, subject: str) -> None:
        heard.append((one, subject))

    async with bus.listen("appshield.v1.live.>", listener):
        await bus.tell("appshield.v1.live.progress.a.b.c", message)
        await bus.tell("appshield.v1.other", message)
        await wait_until(lambda: heard, deadline_s=DEADLINE_S, what="heard")
    await bus.tell("appshield.v1.live.progress.a.b.c", message)
    assert heard == [(message, "appshield.v1.live.progress.a.b.c")]
